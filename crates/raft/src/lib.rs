//! The metadata quorum's log, epochs, votes and snapshots (KRaft).
