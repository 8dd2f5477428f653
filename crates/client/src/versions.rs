//! Which version of an API both sides speak.

use std::collections::HashMap;

use barnabas_protocol::api::ApiKey;
use barnabas_protocol::generated::api_versions_response::ApiVersionsResponse;

/// Produce and Fetch name topics by id from version 13 on; this client names them, as all brokers understand.
const BY_NAME_HIGHEST: i16 = 12;
/// The same of committed positions, from version 10 on.
const POSITIONS_BY_NAME_HIGHEST: i16 = 9;

/// What a broker said it speaks.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Versions {
    ranges: HashMap<i16, (i16, i16)>,
    transaction_version: i16,
}

/// The highest version that this client writes.
pub fn highest(api: ApiKey) -> i16 {
    match api {
        ApiKey::Produce | ApiKey::Fetch => BY_NAME_HIGHEST,
        ApiKey::OffsetCommit | ApiKey::OffsetFetch => POSITIONS_BY_NAME_HIGHEST,
        _ => api.highest_stable(),
    }
}

impl Versions {
    /// From the broker's answer.
    pub fn new(response: &ApiVersionsResponse<'_>) -> Versions {
        let ranges = response.api_keys.iter().map(|api| (api.api_key, (api.min_version, api.max_version)));
        let feature = |name| response.finalized_features.iter().find(|feature| feature.name == name);
        let transaction_version = feature("transaction.version").map_or(0, |found| found.max_version_level);
        Versions { ranges: ranges.collect(), transaction_version }
    }

    /// The versions of `api` that the broker speaks.
    pub fn range(&self, api: ApiKey) -> Option<(i16, i16)> {
        self.ranges.get(&api.code()).copied()
    }

    /// The cluster's `transaction.version`; 0 where a broker does not say.
    pub fn transaction_version(&self) -> i16 {
        self.transaction_version
    }

    /// The highest version of `api` that both speak; None when there is none.
    pub fn of(&self, api: ApiKey) -> Option<i16> {
        let &(min, max) = self.ranges.get(&api.code())?;
        let version = max.min(highest(api));
        (version >= min.max(api.lowest())).then_some(version)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use barnabas_protocol::generated::api_versions_response::ApiVersion;

    fn broker(api: ApiKey, min_version: i16, max_version: i16) -> Versions {
        let api_keys = vec![ApiVersion { api_key: api.code(), min_version, max_version }];
        Versions::new(&ApiVersionsResponse { api_keys, ..Default::default() })
    }

    #[test]
    fn the_highest_common_version_is_spoken() {
        assert_eq!(broker(ApiKey::Produce, 0, 7).of(ApiKey::Produce), Some(7)); // Kafka 2.1
        assert_eq!(broker(ApiKey::Produce, 3, 13).of(ApiKey::Produce), Some(12));
        assert_eq!(broker(ApiKey::Fetch, 0, 10).of(ApiKey::Fetch), Some(10));
        assert_eq!(broker(ApiKey::Fetch, 0, 3).of(ApiKey::Fetch), None);
        assert_eq!(broker(ApiKey::Fetch, 14, 20).of(ApiKey::Fetch), None);
        assert_eq!(broker(ApiKey::Fetch, 0, 3).of(ApiKey::Produce), None);
    }
}
