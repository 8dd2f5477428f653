//! Partitions of this node: Produce, Fetch, ListOffsets, Metadata and their kin.
