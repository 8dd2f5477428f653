//! Requests as bytes against a broker in memory: what clients rely on.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod apply;
mod cold_reads;
mod coordinator_markers;
mod coordinators;
mod delete_records;
mod diverting;
mod durability;
mod fetch;
mod fetch_sessions;
mod harness;
mod lent_groups;
mod list_offsets;
mod log_dirs;
mod markers;
mod metadata;
mod open_transactions;
mod plain_transactions;
mod produce;
mod replication;
mod schemas;
mod share_reads;
mod steady;
mod topic_partitions;
mod transaction_model;
mod transactions;
mod versions;
