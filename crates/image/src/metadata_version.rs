//! `metadata.version`: which record versions and features a level of the cluster allows.

use std::fmt;

/// A level of the feature `metadata.version`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MetadataVersion(pub i16);

/// Name of the feature.
pub const FEATURE: &str = "metadata.version";

/// Names of the levels from [`MetadataVersion::MINIMUM`] on.
const NAMES: [&str; 28] = [
    "3.3-IV3", "3.4-IV0", "3.5-IV0", "3.5-IV1", "3.5-IV2", "3.6-IV0", "3.6-IV1", "3.6-IV2", "3.7-IV0",
    "3.7-IV1", "3.7-IV2", "3.7-IV3", "3.7-IV4", "3.8-IV0", "3.9-IV0", "4.0-IV0", "4.0-IV1", "4.0-IV2",
    "4.0-IV3", "4.1-IV0", "4.1-IV1", "4.2-IV0", "4.2-IV1", "4.3-IV0", "4.4-IV0", "4.4-IV1", "4.4-IV2",
    "4.5-IV0",
];

impl MetadataVersion {
    /// The lowest level that Kafka 4 reads: 3.3-IV3.
    pub const MINIMUM: MetadataVersion = MetadataVersion(7);
    /// The newest level that Kafka 4.4.0 gives to production clusters: 4.4-IV2.
    pub const LATEST_PRODUCTION: MetadataVersion = MetadataVersion(33);

    /// Kafka's name of the level; None when the level is unknown here.
    pub fn name(self) -> Option<&'static str> {
        NAMES.get(usize::try_from(self.0 - Self::MINIMUM.0).ok()?).copied()
    }

    /// The level of a name such as `4.3-IV0`, or the newest of a release such as `4.3`.
    pub fn parse(name: &str) -> Option<MetadataVersion> {
        let release = format!("{name}-IV");
        let index = NAMES.iter().rposition(|known| *known == name || known.starts_with(&release))?;
        Some(MetadataVersion(Self::MINIMUM.0 + index as i16))
    }

    /// Version of RegisterBrokerRecord.
    pub fn register_broker_record_version(self) -> i16 {
        match self.0 {
            30.. => 4,
            17.. => 3,
            8.. => 2,
            _ => 1,
        }
    }

    /// Version of PartitionRecord and of PartitionChangeRecord.
    pub fn partition_record_version(self) -> i16 {
        match self.0 {
            23.. => 2,
            17.. => 1,
            _ => 0,
        }
    }

    /// Version of BrokerRegistrationChangeRecord.
    pub fn broker_registration_change_record_version(self) -> i16 {
        match self.0 {
            30.. => 3,
            17.. => 2,
            _ => 1,
        }
    }

    /// Whether controllers register themselves (KIP-919).
    pub fn has_controller_registration(self) -> bool {
        self.0 >= 15
    }

    /// Whether the log may hold transactions of metadata (KIP-868).
    pub fn has_metadata_transactions(self) -> bool {
        self.0 >= 13
    }

    /// Whether replicas are assigned to log directories (KIP-858).
    pub fn has_directory_assignment(self) -> bool {
        self.0 >= 17
    }

    /// Whether partitions may have eligible leader replicas (KIP-966).
    pub fn has_elr(self) -> bool {
        self.0 >= 23
    }

    /// Whether SCRAM credentials may be stored (KIP-900).
    pub fn has_scram(self) -> bool {
        self.0 >= 11
    }

    /// Whether delegation tokens may be stored (KIP-900).
    pub fn has_delegation_tokens(self) -> bool {
        self.0 >= 14
    }
}

impl fmt::Display for MetadataVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "level {}", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_levels_agree() {
        assert_eq!(MetadataVersion(30).name(), Some("4.3-IV0"));
        assert_eq!(MetadataVersion(6).name(), None);
        assert_eq!(MetadataVersion::parse("4.4-IV1"), Some(MetadataVersion(32)));
        assert_eq!(MetadataVersion::parse("4.4"), Some(MetadataVersion(33)));
        assert_eq!(MetadataVersion::parse("3.3"), Some(MetadataVersion(7)));
        assert_eq!(MetadataVersion::parse("5.0"), None);
        assert_eq!(MetadataVersion::LATEST_PRODUCTION.to_string(), "4.4-IV2");
    }
}
