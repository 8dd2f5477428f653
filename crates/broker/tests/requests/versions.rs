//! ApiVersions.

use barnabas_broker::{error_code, ApiRange, Broker, Handled, SupportedFeature};
use barnabas_protocol::generated::api_versions_request::ApiVersionsRequest;
use barnabas_protocol::generated::api_versions_response::ApiVersionsResponse;
use barnabas_protocol::generated::feature_level_record::FeatureLevelRecord;
use barnabas_protocol::generated::metadata_record::MetadataRecord;
use barnabas_protocol::wire::Reader;

use crate::harness::{body, Node, CLUSTER, CONTROLLER};

fn node() -> Node {
    let api = |api_key, min_version, max_version| ApiRange { api_key, min_version, max_version };
    let feature = |name: &str, min_version, max_version| SupportedFeature {
        name: name.to_string(),
        min_version,
        max_version,
    };
    let mut node = Node::with(1, |settings| {
        settings.apis = vec![api(18, 0, 5), api(0, 3, 13), api(3, 0, 13)];
        settings.controller_apis = vec![api(19, 2, 7), api(18, 0, 5)];
        settings.supported_features =
            vec![feature("metadata.version", 7, 33), feature("group.version", 0, 1)];
    });
    let level = FeatureLevelRecord { name: "metadata.version", feature_level: 30 };
    node.replay(MetadataRecord::FeatureLevel(level));
    node.apply();
    node
}

fn request<'a>() -> ApiVersionsRequest<'a> {
    ApiVersionsRequest {
        client_software_name: "test",
        client_software_version: "1.0",
        ..ApiVersionsRequest::default()
    }
}

fn ask<R>(
    node: &Node,
    version: i16,
    request: &ApiVersionsRequest<'_>,
    look: impl FnOnce(ApiVersionsResponse<'_>) -> R,
) -> R {
    let handled = node.handle(18, version, |writer, version| match version {
        0..=5 => request.encode(writer, version),
        _ => Ok(()),
    });
    // Its header has no tagged fields in any version.
    let body = body(handled, 4);
    let readable = if version > 5 { 0 } else { version };
    look(ApiVersionsResponse::decode(&mut Reader::new(&body), readable).unwrap())
}

#[test]
fn what_is_served_is_told_in_order_and_produce_from_0() {
    let node = node();
    for version in 0..=5 {
        ask(&node, version, &request(), |response| {
            let keys: Vec<_> =
                response.api_keys.iter().map(|api| (api.api_key, api.min_version, api.max_version)).collect();
            assert_eq!(keys, [(0, 0, 13), (3, 0, 13), (18, 0, 5)]);
            let supported: Vec<_> = response.supported_features.iter().map(|feature| feature.name).collect();
            match version {
                0..=2 => assert_eq!(supported, [""; 0]),
                3 => assert_eq!(supported, ["metadata.version"], "its readers know no level 0"),
                _ => assert_eq!(supported, ["metadata.version", "group.version"]),
            }
            if version >= 3 {
                let finalized = response.finalized_features.iter();
                let finalized: Vec<_> =
                    finalized.map(|feature| (feature.name, feature.max_version_level)).collect();
                assert_eq!(finalized, [("metadata.version", 30), ("kraft.version", 1)]);
                assert_eq!(response.finalized_features_epoch, node.image.offset());
            }
        });
    }
}

#[test]
fn an_unknown_version_is_answered_in_version_0() {
    let node = node();
    for version in [6, 99, -1] {
        ask(&node, version.max(6), &request(), |response| {
            assert_eq!(response.error_code, error_code::UNSUPPORTED_VERSION);
            let [api] = &response.api_keys[..] else { panic!("only its own range") };
            assert_eq!((api.api_key, api.min_version, api.max_version), (18, 0, 5));
        });
    }
}

#[test]
fn a_client_must_name_its_software_properly() {
    let node = node();
    let error = |version, client_software_name, client_software_version| {
        let request = ApiVersionsRequest {
            client_software_name,
            client_software_version,
            ..ApiVersionsRequest::default()
        };
        ask(&node, version, &request, |response| (response.error_code, response.api_keys.len()))
    };
    assert_eq!(error(3, "a-b.c", "1-2"), (0, 3));
    for name in ["", "a b", "-a", "a."] {
        assert_eq!(error(3, name, "1"), (error_code::INVALID_REQUEST, 0), "{name:?}");
        assert_eq!(error(3, "a", name), (error_code::INVALID_REQUEST, 0), "{name:?}");
        assert_eq!(error(2, "", ""), (0, 3));
    }
}

#[test]
fn a_client_that_meant_another_node_or_cluster_is_sent_back() {
    let node = node();
    let error = |cluster_id, node_id| {
        let request = ApiVersionsRequest { cluster_id, node_id, ..request() };
        ask(&node, 5, &request, |response| response.error_code)
    };
    assert_eq!(error(None, -1), 0);
    assert_eq!(error(Some(CLUSTER), 1), 0);
    assert_eq!(error(Some("other"), 1), error_code::REBOOTSTRAP_REQUIRED);
    assert_eq!(error(Some(CLUSTER), 2), error_code::REBOOTSTRAP_REQUIRED);
}

#[test]
fn a_controller_listener_tells_what_is_served_there_and_answers_nothing_else_itself() {
    let node = node();
    for version in 0..=5 {
        let handled =
            node.handle_at(CONTROLLER, 18, version, |writer, version| request().encode(writer, version));
        let body = body(handled, 4);
        let response = ApiVersionsResponse::decode(&mut Reader::new(&body), version).unwrap();
        let keys: Vec<_> =
            response.api_keys.iter().map(|api| (api.api_key, api.min_version, api.max_version)).collect();
        assert_eq!(keys, [(18, 0, 5), (19, 2, 7)]);
    }
    // Fetch there would be of the metadata log.
    for key in Broker::NATIVE.into_iter().filter(|key| *key != 18) {
        assert!(matches!(node.handle_at(CONTROLLER, key, 2, |_, _| Ok(())), Handled::Cold), "{key}");
    }
}
