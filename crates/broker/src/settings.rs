//! What a broker is told when it is made.

use std::sync::Arc;

use barnabas_protocol::compression::Compression;
use barnabas_protocol::{Millis, NodeId};

/// Versions of one API that are served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ApiRange {
    /// The API.
    pub api_key: i16,
    /// Lowest version.
    pub min_version: i16,
    /// Highest version.
    pub max_version: i16,
}

/// Levels of one feature that this node supports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SupportedFeature {
    /// Name of the feature.
    pub name: String,
    /// Lowest level.
    pub min_version: i16,
    /// Highest level.
    pub max_version: i16,
}

/// Settings that stay for the life of the broker.
#[derive(Debug, Clone)]
pub struct BrokerSettings {
    /// This node.
    pub node_id: NodeId,
    /// Id of the cluster, as clients see it.
    pub cluster_id: Arc<str>,
    /// Everything that is served on the broker's listeners, here or by Python: what ApiVersions says there.
    pub apis: Vec<ApiRange>,
    /// The same of the controller's listeners.
    pub controller_apis: Vec<ApiRange>,
    /// Features for ApiVersions.
    pub supported_features: Vec<SupportedFeature>,
    /// Finalized `kraft.version`, which lives outside the image; 0 leaves it out.
    pub kraft_version: i16,
    /// `auto.create.topics.enable`.
    pub auto_create_topics_enable: bool,
    /// `max.incremental.fetch.session.cache.slots`.
    pub fetch_session_slots: usize,
    /// Any number that differs from start to start: where the ids of fetch sessions begin.
    pub fetch_session_seed: u32,
    /// `fetch.max.bytes`: most bytes that one Fetch answers with.
    pub fetch_max_bytes: i32,
    /// `max.request.partition.size.limit`: most partitions that one DescribeTopicPartitions answers with.
    pub max_request_partition_size_limit: i32,
    /// `request.timeout.ms`: how long a Produce waits for the word of the transaction coordinator.
    pub request_timeout_ms: Millis,
    /// `offsets.topic.compression.codec`: of what coordinators write to `__consumer_offsets`.
    pub offsets_codec: Compression,
    /// `share.coordinator.state.topic.compression.codec`: of what they write to `__share_group_state`.
    pub share_state_codec: Compression,
    /// `transaction.partition.verification.enable`, to begin with.
    pub transaction_verification: bool,
    /// `replica.lag.time.max.ms`.
    pub replica_lag_time_max_ms: Millis,
    /// `replica.high.watermark.checkpoint.interval.ms`.
    pub high_watermark_checkpoint_interval_ms: Millis,
    /// `log.flush.offset.checkpoint.interval.ms` and `log.flush.start.offset.checkpoint.interval.ms`.
    pub checkpoint_interval_ms: Millis,
    /// `log.retention.check.interval.ms`.
    pub retention_check_interval_ms: Millis,
    /// `producer.id.expiration.check.interval.ms`.
    pub producer_expiration_check_interval_ms: Millis,
}

impl Default for BrokerSettings {
    /// Kafka's defaults; node 1, no cluster id, nothing served.
    fn default() -> BrokerSettings {
        BrokerSettings {
            node_id: 1,
            cluster_id: "".into(),
            apis: Vec::new(),
            controller_apis: Vec::new(),
            supported_features: Vec::new(),
            kraft_version: 1,
            auto_create_topics_enable: true,
            fetch_session_slots: 1000,
            fetch_session_seed: 0,
            fetch_max_bytes: 55 << 20,
            max_request_partition_size_limit: 2000,
            request_timeout_ms: 30_000,
            offsets_codec: Compression::None,
            share_state_codec: Compression::None,
            transaction_verification: true,
            replica_lag_time_max_ms: 30_000,
            high_watermark_checkpoint_interval_ms: 5_000,
            checkpoint_interval_ms: 60_000,
            retention_check_interval_ms: 300_000,
            producer_expiration_check_interval_ms: 600_000,
        }
    }
}
