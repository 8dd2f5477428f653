//! The APIs: keys, versions, header versions, who serves them. The table is generated.

pub use crate::generated::apis::ApiKey;

/// What is known of an API of Apache Kafka 4.4.0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ApiFacts {
    /// Kafka's name, e.g. `Produce`.
    pub name: &'static str,
    /// Lowest version.
    pub lowest: i16,
    /// Highest version, stable or not.
    pub highest: i16,
    /// Whether the highest version may still change and is served on request only.
    pub latest_unstable: bool,
    /// The lowest flexible version (compact lengths, tagged fields); `i16::MAX` when there is none.
    pub lowest_flexible: i16,
    /// Whether brokers serve it to clients and each other.
    pub broker: bool,
    /// Whether controllers serve it on their own listener.
    pub controller: bool,
    /// Whether a broker forwards it to the active controller.
    pub forwardable: bool,
    /// Whether only nodes of the cluster may send it.
    pub cluster_action: bool,
}

impl ApiKey {
    /// The key on the wire.
    pub fn code(self) -> i16 {
        self as i16
    }

    /// Kafka's name, e.g. `Produce`.
    pub fn name(self) -> &'static str {
        self.facts().name
    }

    /// Lowest version.
    pub fn lowest(self) -> i16 {
        self.facts().lowest
    }

    /// Highest version that no longer changes.
    pub fn highest_stable(self) -> i16 {
        let facts = self.facts();
        facts.highest - i16::from(facts.latest_unstable)
    }

    /// Whether `version` is a stable version.
    pub fn is_valid(self, version: i16) -> bool {
        (self.lowest()..=self.highest_stable()).contains(&version)
    }

    /// Whether `version` is flexible.
    pub fn is_flexible(self, version: i16) -> bool {
        version >= self.facts().lowest_flexible
    }

    /// Version of the request header: 2 with tagged fields, else 1.
    pub fn request_header_version(self, version: i16) -> i16 {
        if self.is_flexible(version) {
            2
        } else {
            1
        }
    }

    /// Version of the response header: 1 with tagged fields, else 0. The response of ApiVersions always has
    /// 0, since a client reads it before it knows which versions the broker has.
    pub fn response_header_version(self, version: i16) -> i16 {
        if self != ApiKey::ApiVersions && self.is_flexible(version) {
            1
        } else {
            0
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_come_back_and_removed_ones_are_absent() {
        for api in ApiKey::ALL {
            assert_eq!(ApiKey::from_code(api.code()), Some(api));
            assert!(api.lowest() <= api.highest_stable());
        }
        for removed in 4..=7 {
            assert_eq!(ApiKey::from_code(removed), None);
        }
        assert_eq!(ApiKey::ALL.len(), 91);
    }

    #[test]
    fn versions_and_headers_are_kafkas() {
        assert_eq!((ApiKey::Produce.lowest(), ApiKey::Produce.highest_stable()), (3, 13));
        assert_eq!(ApiKey::InitProducerId.highest_stable(), 5);
        assert_eq!(ApiKey::ApiVersions.request_header_version(3), 2);
        assert_eq!(ApiKey::ApiVersions.response_header_version(3), 0);
        assert_eq!(ApiKey::Fetch.response_header_version(11), 0);
        assert_eq!(ApiKey::Fetch.response_header_version(12), 1);
        assert_eq!(ApiKey::SaslHandshake.request_header_version(1), 1);
    }
}
