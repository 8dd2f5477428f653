//! The configuration of one topic, as its logs and its leader see it.

use std::sync::Arc;

use barnabas_protocol::Millis;

/// Which codec the leader stores batches in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CompressionType {
    /// Whatever the producer chose.
    #[default]
    Producer,
    /// Not compressed.
    Uncompressed,
    /// gzip.
    Gzip,
    /// Snappy.
    Snappy,
    /// LZ4.
    Lz4,
    /// Zstandard.
    Zstd,
}

/// Whose clock the records carry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum MessageTimestampType {
    /// The producer's.
    #[default]
    CreateTime,
    /// The leader's, at the append.
    LogAppendTime,
}

/// When a write counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Durability {
    /// Once it is in the operating system's page cache, as in Kafka.
    #[default]
    PageCache,
    /// Once it is on disk.
    Fsync,
}

/// What a leader wants of the schemas of what is produced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SchemaValidation {
    /// Nothing, as in Kafka.
    #[default]
    None,
    /// That each record names one that is registered under the subject.
    Id,
    /// That besides, its bytes are a value of that schema.
    Value,
}

/// Under which subject the schemas of a topic are registered; Confluent's names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SubjectNameStrategy {
    /// The topic's, with `-key` or `-value`.
    #[default]
    TopicName,
    /// That of the record's type.
    RecordName,
    /// Both, a dash between them.
    TopicRecordName,
}

impl SubjectNameStrategy {
    const ALL: [SubjectNameStrategy; 3] = [Self::TopicName, Self::RecordName, Self::TopicRecordName];

    /// As it stands in configs.
    pub fn name(self) -> &'static str {
        match self {
            Self::TopicName => "TopicNameStrategy",
            Self::RecordName => "RecordNameStrategy",
            Self::TopicRecordName => "TopicRecordNameStrategy",
        }
    }
}

/// What is asked of the schemas of keys, or of values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SchemaRule {
    /// `barnabas.*.schema.validation`.
    pub validation: SchemaValidation,
    /// `barnabas.*.subject.name.strategy`.
    pub strategy: SubjectNameStrategy,
}

/// Topic configs, typed. `Default` is what Kafka uses when nothing is set.
#[derive(Debug, Clone, PartialEq)]
pub struct LogConfig {
    /// `segment.bytes`: a segment is closed before it grows over this (`internal.segment.bytes` sets it too).
    pub segment_bytes: u64,
    /// `segment.ms`: a segment is closed when its records span more time than this.
    pub segment_ms: Millis,
    /// `segment.jitter.ms`: at most this is taken off `segment_ms`, so that not all logs roll at once.
    pub segment_jitter_ms: Millis,
    /// `segment.index.bytes`: room for each index of a segment; a full index closes the segment.
    pub segment_index_bytes: u32,
    /// `index.interval.bytes`: bytes of batches between two index entries.
    pub index_interval_bytes: u64,
    /// `retention.ms`: None keeps records for ever.
    pub retention_ms: Option<Millis>,
    /// `retention.bytes`: None keeps any number.
    pub retention_bytes: Option<u64>,
    /// `max.message.bytes`: largest batch a leader accepts.
    pub max_message_bytes: usize,
    /// `max.decompressed.message.bytes`: largest batch after decompression.
    pub max_decompressed_message_bytes: usize,
    /// `cleanup.policy` contains `delete`.
    pub delete: bool,
    /// `cleanup.policy` contains `compact`.
    pub compact: bool,
    /// `delete.retention.ms`: how long tombstones are kept after compaction.
    pub delete_retention_ms: Millis,
    /// `min.compaction.lag.ms`: records younger than this are not compacted.
    pub min_compaction_lag_ms: Millis,
    /// `max.compaction.lag.ms`: records older than this are compacted soon.
    pub max_compaction_lag_ms: Millis,
    /// `min.cleanable.dirty.ratio`: share of uncompacted bytes from which compaction is worth it.
    pub min_cleanable_dirty_ratio: f64,
    /// `flush.messages`: records between two syncs; `i64::MAX` leaves it to the operating system.
    pub flush_messages: i64,
    /// `flush.ms`: time between two syncs; `i64::MAX` leaves it to the operating system.
    pub flush_ms: Millis,
    /// `file.delete.delay.ms`: how long the files of a deleted segment stay.
    pub file_delete_delay_ms: Millis,
    /// `preallocate`: create segments at their full size.
    pub preallocate: bool,
    /// `message.timestamp.type`.
    pub message_timestamp_type: MessageTimestampType,
    /// `message.timestamp.before.max.ms`: how far behind the leader's clock a record may be.
    pub message_timestamp_before_max_ms: Millis,
    /// `message.timestamp.after.max.ms`: how far ahead of the leader's clock a record may be.
    pub message_timestamp_after_max_ms: Millis,
    /// `min.insync.replicas`: replicas that must have an acks=all batch.
    pub min_insync_replicas: i32,
    /// `compression.type`.
    pub compression_type: CompressionType,
    /// `compression.gzip.level`.
    pub compression_gzip_level: i32,
    /// `compression.lz4.level`.
    pub compression_lz4_level: i32,
    /// `compression.zstd.level`.
    pub compression_zstd_level: i32,
    /// `unclean.leader.election.enable`.
    pub unclean_leader_election_enable: bool,
    /// `remote.storage.enable`.
    pub remote_storage_enable: bool,
    /// `remote.log.copy.disable`.
    pub remote_log_copy_disable: bool,
    /// `remote.log.delete.on.disable`.
    pub remote_log_delete_on_disable: bool,
    /// `local.retention.ms`: -2 means `retention.ms`.
    pub local_retention_ms: Millis,
    /// `local.retention.bytes`: -2 means `retention.bytes`.
    pub local_retention_bytes: i64,
    /// `leader.replication.throttled.replicas`: `partition:broker` pairs, or `*`.
    pub leader_replication_throttled_replicas: Vec<String>,
    /// `follower.replication.throttled.replicas`: `partition:broker` pairs, or `*`.
    pub follower_replication_throttled_replicas: Vec<String>,
    /// `barnabas.durability`: when writes are acknowledged and shown to consumers.
    pub durability: Durability,
    /// `barnabas.key.schema.validation` and `barnabas.key.subject.name.strategy`.
    pub key_schemas: SchemaRule,
    /// `barnabas.value.schema.validation` and `barnabas.value.subject.name.strategy`.
    pub value_schemas: SchemaRule,
    /// `barnabas.schema.validation.divert`: the topic that records go to which do not pass; None refuses them.
    pub schema_divert: Option<Arc<str>>,
}

impl Default for LogConfig {
    fn default() -> Self {
        Self {
            segment_bytes: 1 << 30,
            segment_ms: 7 * DAY_MS,
            segment_jitter_ms: 0,
            segment_index_bytes: 10 << 20,
            index_interval_bytes: 4096,
            retention_ms: Some(7 * DAY_MS),
            retention_bytes: None,
            max_message_bytes: (1 << 20) + 12,
            max_decompressed_message_bytes: i32::MAX as usize - 8,
            delete: true,
            compact: false,
            delete_retention_ms: DAY_MS,
            min_compaction_lag_ms: 0,
            max_compaction_lag_ms: i64::MAX,
            min_cleanable_dirty_ratio: 0.5,
            flush_messages: i64::MAX,
            flush_ms: i64::MAX,
            file_delete_delay_ms: 60_000,
            preallocate: false,
            message_timestamp_type: MessageTimestampType::CreateTime,
            message_timestamp_before_max_ms: i64::MAX,
            message_timestamp_after_max_ms: 3_600_000,
            min_insync_replicas: 1,
            compression_type: CompressionType::Producer,
            compression_gzip_level: -1,
            compression_lz4_level: 9,
            compression_zstd_level: 3,
            unclean_leader_election_enable: false,
            remote_storage_enable: false,
            remote_log_copy_disable: false,
            remote_log_delete_on_disable: false,
            local_retention_ms: -2,
            local_retention_bytes: -2,
            leader_replication_throttled_replicas: Vec::new(),
            follower_replication_throttled_replicas: Vec::new(),
            durability: Durability::PageCache,
            key_schemas: SchemaRule::default(),
            value_schemas: SchemaRule::default(),
            schema_divert: None,
        }
    }
}

const DAY_MS: Millis = 24 * 60 * 60 * 1000;

/// Why a topic config was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// Kafka has no topic config of this name.
    #[error("unknown topic config name: {name}")]
    Unknown {
        /// The name.
        name: String,
    },
    /// The text is not a value of the config's type and range.
    #[error("invalid value {value} for configuration {name}: {expected}")]
    Value {
        /// The config.
        name: String,
        /// What was given.
        value: String,
        /// What is accepted.
        expected: &'static str,
    },
}

impl LogConfig {
    /// How much time the records of a segment may span: what is to be compacted soon must not wait in the
    /// active segment.
    pub fn segment_ms_max(&self) -> Millis {
        if self.compact {
            self.segment_ms.min(self.max_compaction_lag_ms)
        } else {
            self.segment_ms
        }
    }

    /// This configuration with some of its values replaced, given by Kafka's names and as text.
    pub fn with_overrides<'a>(
        &self,
        overrides: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<LogConfig, ConfigError> {
        let mut config = self.clone();
        for (name, value) in overrides {
            config.set(name, value)?;
        }
        Ok(config)
    }

    fn set(&mut self, name: &str, text: &str) -> Result<(), ConfigError> {
        let text = text.trim();
        let value = Value { name, text };
        match name {
            "segment.bytes" => self.segment_bytes = value.integer(1 << 20, i32::MAX as i64)? as u64,
            "internal.segment.bytes" => self.segment_bytes = value.integer(14, i32::MAX as i64)? as u64,
            "segment.ms" => self.segment_ms = value.integer(1, i64::MAX)?,
            "segment.jitter.ms" => self.segment_jitter_ms = value.integer(0, i64::MAX)?,
            "segment.index.bytes" => self.segment_index_bytes = value.integer(4, i32::MAX as i64)? as u32,
            "index.interval.bytes" => self.index_interval_bytes = value.integer(0, i32::MAX as i64)? as u64,
            "retention.ms" => self.retention_ms = Some(value.integer(-1, i64::MAX)?).filter(|ms| *ms >= 0),
            "retention.bytes" => {
                self.retention_bytes = u64::try_from(value.integer(i64::MIN, i64::MAX)?).ok();
            }
            "max.message.bytes" => self.max_message_bytes = value.integer(0, i32::MAX as i64)? as usize,
            "max.decompressed.message.bytes" => {
                self.max_decompressed_message_bytes = value.integer(0, i32::MAX as i64)? as usize;
            }
            "cleanup.policy" => (self.delete, self.compact) = value.cleanup_policy()?,
            "delete.retention.ms" => self.delete_retention_ms = value.integer(0, i64::MAX)?,
            "min.compaction.lag.ms" => self.min_compaction_lag_ms = value.integer(0, i64::MAX)?,
            "max.compaction.lag.ms" => self.max_compaction_lag_ms = value.integer(1, i64::MAX)?,
            "min.cleanable.dirty.ratio" => self.min_cleanable_dirty_ratio = value.ratio()?,
            "flush.messages" => self.flush_messages = value.integer(1, i64::MAX)?,
            "flush.ms" => self.flush_ms = value.integer(0, i64::MAX)?,
            "file.delete.delay.ms" => self.file_delete_delay_ms = value.integer(0, i64::MAX)?,
            "preallocate" => self.preallocate = value.boolean()?,
            "message.timestamp.type" => self.message_timestamp_type = value.timestamp_type()?,
            "message.timestamp.before.max.ms" => {
                self.message_timestamp_before_max_ms = value.integer(0, i64::MAX)?;
            }
            "message.timestamp.after.max.ms" => {
                self.message_timestamp_after_max_ms = value.integer(0, i64::MAX)?;
            }
            "min.insync.replicas" => self.min_insync_replicas = value.integer(1, i32::MAX as i64)? as i32,
            "compression.type" => self.compression_type = value.compression_type()?,
            "compression.gzip.level" => self.compression_gzip_level = value.gzip_level()?,
            "compression.lz4.level" => self.compression_lz4_level = value.integer(1, 17)? as i32,
            "compression.zstd.level" => self.compression_zstd_level = value.integer(-131_072, 22)? as i32,
            "unclean.leader.election.enable" => self.unclean_leader_election_enable = value.boolean()?,
            "remote.storage.enable" => self.remote_storage_enable = value.boolean()?,
            "remote.log.copy.disable" => self.remote_log_copy_disable = value.boolean()?,
            "remote.log.delete.on.disable" => self.remote_log_delete_on_disable = value.boolean()?,
            "local.retention.ms" => self.local_retention_ms = value.integer(-2, i64::MAX)?,
            "local.retention.bytes" => self.local_retention_bytes = value.integer(-2, i64::MAX)?,
            "leader.replication.throttled.replicas" => {
                self.leader_replication_throttled_replicas = value.list();
            }
            "follower.replication.throttled.replicas" => {
                self.follower_replication_throttled_replicas = value.list();
            }
            "barnabas.durability" => self.durability = value.durability()?,
            "barnabas.key.schema.validation" => self.key_schemas.validation = value.schema_validation()?,
            "barnabas.key.subject.name.strategy" => self.key_schemas.strategy = value.strategy()?,
            "barnabas.value.schema.validation" => {
                self.value_schemas.validation = value.schema_validation()?
            }
            "barnabas.value.subject.name.strategy" => self.value_schemas.strategy = value.strategy()?,
            "barnabas.schema.validation.divert" => self.schema_divert = value.topic()?,
            // Of no effect on a log or its leader.
            "remote.copy.lag.bytes" | "remote.copy.lag.ms" => drop(value.integer(-1, i64::MAX)?),
            "barnabas.delivery.delay.ms" => drop(value.integer(0, i64::MAX)?),
            "barnabas.delivery.ttl.ms" => drop(value.integer(-1, i64::MAX)?),
            "errors.deadletterqueue.group.enable" => drop(value.boolean()?),
            _ => return Err(ConfigError::Unknown { name: name.to_string() }),
        }
        Ok(())
    }
}

/// One override on its way from text to a typed value.
struct Value<'a> {
    name: &'a str,
    text: &'a str,
}

impl Value<'_> {
    fn refuse<T>(&self, expected: &'static str) -> Result<T, ConfigError> {
        Err(ConfigError::Value { name: self.name.to_string(), value: self.text.to_string(), expected })
    }

    fn integer(&self, min: i64, max: i64) -> Result<i64, ConfigError> {
        match self.text.parse::<i64>() {
            Ok(value) if (min..=max).contains(&value) => Ok(value),
            Ok(_) => self.refuse("the number is out of range"),
            Err(_) => self.refuse("expected a whole number"),
        }
    }

    fn gzip_level(&self) -> Result<i32, ConfigError> {
        match self.integer(-1, 9)? {
            0 => self.refuse("expected 1 to 9, or -1"),
            level => Ok(level as i32),
        }
    }

    fn ratio(&self) -> Result<f64, ConfigError> {
        match self.text.parse::<f64>() {
            Ok(value) if (0.0..=1.0).contains(&value) => Ok(value),
            _ => self.refuse("expected a number from 0 to 1"),
        }
    }

    fn boolean(&self) -> Result<bool, ConfigError> {
        match self.text {
            _ if self.text.eq_ignore_ascii_case("true") => Ok(true),
            _ if self.text.eq_ignore_ascii_case("false") => Ok(false),
            _ => self.refuse("expected true or false"),
        }
    }

    fn list(&self) -> Vec<String> {
        let items = self.text.split(',').map(str::trim).filter(|item| !item.is_empty());
        items.map(str::to_string).collect()
    }

    /// (delete, compact).
    fn cleanup_policy(&self) -> Result<(bool, bool), ConfigError> {
        let (mut delete, mut compact) = (false, false);
        for policy in self.list() {
            match policy.as_str() {
                "delete" => delete = true,
                "compact" => compact = true,
                _ => return self.refuse("expected a list of delete, compact"),
            }
        }
        Ok((delete, compact))
    }

    fn timestamp_type(&self) -> Result<MessageTimestampType, ConfigError> {
        match self.text {
            "CreateTime" => Ok(MessageTimestampType::CreateTime),
            "LogAppendTime" => Ok(MessageTimestampType::LogAppendTime),
            _ => self.refuse("expected CreateTime or LogAppendTime"),
        }
    }

    fn durability(&self) -> Result<Durability, ConfigError> {
        match self.text {
            "page-cache" => Ok(Durability::PageCache),
            "fsync" => Ok(Durability::Fsync),
            _ => self.refuse("expected page-cache or fsync"),
        }
    }

    fn schema_validation(&self) -> Result<SchemaValidation, ConfigError> {
        match self.text {
            "none" => Ok(SchemaValidation::None),
            "id" => Ok(SchemaValidation::Id),
            "value" => Ok(SchemaValidation::Value),
            _ => self.refuse("expected none, id or value"),
        }
    }

    /// A topic that is not internal; None for an empty text.
    fn topic(&self) -> Result<Option<Arc<str>>, ConfigError> {
        match self.text {
            "" => Ok(None),
            name if name.starts_with("__") => self.refuse("expected a topic that is not internal"),
            name => Ok(Some(name.into())),
        }
    }

    fn strategy(&self) -> Result<SubjectNameStrategy, ConfigError> {
        match SubjectNameStrategy::ALL.into_iter().find(|strategy| strategy.name() == self.text) {
            Some(strategy) => Ok(strategy),
            None => self.refuse("expected TopicNameStrategy, RecordNameStrategy or TopicRecordNameStrategy"),
        }
    }

    fn compression_type(&self) -> Result<CompressionType, ConfigError> {
        match self.text {
            "producer" => Ok(CompressionType::Producer),
            "uncompressed" => Ok(CompressionType::Uncompressed),
            "gzip" => Ok(CompressionType::Gzip),
            "snappy" => Ok(CompressionType::Snappy),
            "lz4" => Ok(CompressionType::Lz4),
            "zstd" => Ok(CompressionType::Zstd),
            _ => self.refuse("expected uncompressed, zstd, lz4, snappy, gzip or producer"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overrides_replace_what_they_name_and_nothing_else() {
        let base = LogConfig::default();
        let overrides =
            [("retention.ms", "-1"), ("cleanup.policy", "compact,delete"), ("retention.bytes", "10")];
        let config = base.with_overrides(overrides).unwrap();
        let expected = LogConfig {
            retention_ms: None,
            retention_bytes: Some(10),
            compact: true,
            delete: true,
            ..LogConfig::default()
        };
        assert_eq!(config, expected);
    }

    #[test]
    fn what_kafka_refuses_is_refused() {
        for (name, value) in [
            ("segment.bytes", "1000"),
            ("segment.bytes", "3000000000"),
            ("retention.ms", "-2"),
            ("retention.ms", "soon"),
            ("cleanup.policy", "shred"),
            ("compression.gzip.level", "0"),
            ("min.cleanable.dirty.ratio", "1.5"),
            ("message.timestamp.type", "createtime"),
            ("preallocate", "yes"),
            ("barnabas.value.schema.validation", "true"),
            ("barnabas.key.subject.name.strategy", "TopicName"),
            ("barnabas.schema.validation.divert", "__consumer_offsets"),
        ] {
            let refused = LogConfig::default().with_overrides([(name, value)]);
            assert!(matches!(refused, Err(ConfigError::Value { .. })), "{name}={value}");
        }
        let refused = LogConfig::default().with_overrides([("no.such", "1")]);
        assert_eq!(refused, Err(ConfigError::Unknown { name: "no.such".into() }));
    }
}
