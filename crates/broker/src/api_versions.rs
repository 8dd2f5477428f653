//! ApiVersions: what is served, in which versions, and the features of the cluster.

use barnabas_protocol::generated::api_versions_request::ApiVersionsRequest;
use barnabas_protocol::generated::api_versions_response::{
    ApiVersion, ApiVersionsResponse, FinalizedFeatureKey, SupportedFeatureKey,
};
use barnabas_protocol::wire::Reader;

use crate::broker::Broker;
use crate::error_code;
use crate::request::{BrokerRequest, Handled, ReplyTo};

pub(crate) const KEY: i16 = 18;
const FLEXIBLE_FROM: i16 = 3;
/// Readers of earlier versions stumble over a feature whose lowest level is 0.
const LEVEL_ZERO_FROM: i16 = 4;
/// `node_id` of a client that does not know whom it is talking to.
const ANY_NODE: i32 = -1;

impl Broker {
    pub(crate) fn api_versions(&self, request: &BrokerRequest<'_>) -> Handled {
        let version = request.api_version;
        if !(ApiVersionsRequest::LOWEST..=ApiVersionsRequest::HIGHEST).contains(&version) {
            return unsupported(request.reply_to());
        }
        let asked = match ApiVersionsRequest::decode(&mut Reader::new(request.body), version) {
            Ok(asked) => asked,
            Err(error) => return error.into(),
        };
        let error = self.api_versions_error(&asked, version);
        if error != error_code::NONE {
            let response =
                ApiVersionsResponse { error_code: error, finalized_features_epoch: -1, ..Default::default() };
            return request
                .reply_to()
                .reply(FLEXIBLE_FROM, Vec::new(), |writer, version| response.encode(writer, version));
        }
        let image = self.image();
        let settings = self.settings();
        let supported = settings.supported_features.iter();
        let level =
            |name, level| FinalizedFeatureKey { name, max_version_level: level, min_version_level: level };
        let mut finalized: Vec<FinalizedFeatureKey<'_>> =
            image.features.iter().map(|(name, value)| level(name, value)).collect();
        if settings.kraft_version > 0 {
            finalized.push(level("kraft.version", settings.kraft_version));
        }
        let response = ApiVersionsResponse {
            error_code: error_code::NONE,
            api_keys: self.served(request.endpoint).to_vec(),
            supported_features: supported
                .filter(|feature| feature.min_version > 0 || version >= LEVEL_ZERO_FROM)
                .map(|feature| SupportedFeatureKey {
                    name: &feature.name,
                    min_version: feature.min_version,
                    max_version: feature.max_version,
                })
                .collect(),
            finalized_features_epoch: image.offset(),
            finalized_features: finalized,
            ..ApiVersionsResponse::default()
        };
        request
            .reply_to()
            .reply(FLEXIBLE_FROM, Vec::new(), |writer, version| response.encode(writer, version))
    }

    fn api_versions_error(&self, asked: &ApiVersionsRequest<'_>, version: i16) -> i16 {
        let named =
            is_software_name(asked.client_software_name) && is_software_name(asked.client_software_version);
        if version >= FLEXIBLE_FROM && !named {
            return error_code::INVALID_REQUEST;
        }
        // KIP-1242: the client has come to a node or a cluster that it did not mean.
        let settings = self.settings();
        let other_cluster = asked.cluster_id.is_some_and(|id| *id != *settings.cluster_id);
        let other_node = asked.node_id != ANY_NODE && asked.node_id != settings.node_id;
        if version >= 5 && (other_cluster || other_node) {
            return error_code::REBOOTSTRAP_REQUIRED;
        }
        error_code::NONE
    }
}

/// The ranges as ApiVersions tells them, in order of the keys.
pub(crate) fn served(apis: &[crate::settings::ApiRange]) -> Vec<ApiVersion> {
    let told = |api: &crate::settings::ApiRange| ApiVersion {
        api_key: api.api_key,
        // librdkafka before 2.11 takes a broker that does not list Produce 0 for one without compression
        // (KAFKA-18659), so Kafka 4 lists it without serving it.
        min_version: if api.api_key == crate::produce::KEY { 0 } else { api.min_version },
        max_version: api.max_version,
    };
    let mut served: Vec<ApiVersion> = apis.iter().map(told).collect();
    served.sort_by_key(|api| api.api_key);
    served
}

/// The one answer that every client reads, whatever it speaks: version 0.
fn unsupported(reply_to: ReplyTo) -> Handled {
    let (min_version, max_version) = (ApiVersionsRequest::LOWEST, ApiVersionsRequest::HIGHEST);
    let response = ApiVersionsResponse {
        error_code: error_code::UNSUPPORTED_VERSION,
        api_keys: vec![ApiVersion { api_key: KEY, min_version, max_version }],
        ..ApiVersionsResponse::default()
    };
    let reply_to = ReplyTo { api_version: 0, ..reply_to };
    reply_to.reply(FLEXIBLE_FROM, Vec::new(), |writer, version| response.encode(writer, version))
}

/// Letters, digits, `-` and `.`; the first and the last are letters or digits (KIP-511).
fn is_software_name(name: &str) -> bool {
    let edge = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    let bytes = name.as_bytes();
    edge(bytes.first())
        && edge(bytes.last())
        && bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.'))
}
