//! The metadata image: one persistent value, one replay.
