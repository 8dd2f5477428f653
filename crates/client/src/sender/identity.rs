//! As whom records are sent: the id that the cluster gives, and new epochs of it.

use barnabas_protocol::api::ApiKey;
use barnabas_protocol::error::ErrorCode;
use barnabas_protocol::generated::init_producer_id_request::InitProducerIdRequest;
use barnabas_protocol::generated::init_producer_id_response::InitProducerIdResponse;
use barnabas_protocol::Millis;

use super::{Purpose, Sender};
use crate::link::Answer;
use crate::pipeline::Identity;

impl Sender {
    /// Asks for an id, if one is wanted and none has been asked for.
    pub(super) fn ask_for_identity(&mut self, now: Millis) {
        if self.identity.is_some() || self.identity_at.is_none_or(|at| at > now) {
            return;
        }
        let Some(node) = self.cluster.any_node(&mut self.links, now) else { return };
        let Some(version) = self.links.version(node, ApiKey::InitProducerId) else { return };
        let request = InitProducerIdRequest {
            transactional_id: None,
            transaction_timeout_ms: i32::MAX,
            ..Default::default()
        };
        let api = (ApiKey::InitProducerId, version);
        let encode = |writer: &mut _| request.encode(writer, version);
        if self.links.send(now, node, api, Some(Purpose::ProducerId), &[], encode).is_ok() {
            self.identity_at = None;
        }
    }

    /// Lets partitions whose sequence is broken begin a new one, in a new epoch (KIP-360).
    pub(super) fn restart_sequences(&mut self) {
        for pipeline in self.pipelines.values_mut().filter(|pipeline| pipeline.wants_restart()) {
            let Some(current) = self.identity else { return };
            if pipeline.identity() == Some(current) {
                if current.epoch == i16::MAX {
                    self.identity = None;
                    self.identity_at = Some(Millis::MIN);
                    return;
                }
                self.identity = Some(Identity { epoch: current.epoch + 1, ..current });
            }
            if let Some(identity) = self.identity {
                pipeline.restart(identity);
            }
        }
    }

    /// Takes the answer to the question for an id.
    pub(super) fn identity_answered(&mut self, answer: &Answer<Purpose>, now: Millis) {
        let mut reader = answer.body();
        let response = reader.as_mut().and_then(|r| InitProducerIdResponse::decode(r, answer.version).ok());
        let error = response.as_ref().map(|response| ErrorCode(response.error_code));
        match (response, error) {
            (Some(response), Some(ErrorCode::NONE)) => {
                self.identity = Some(Identity { id: response.producer_id, epoch: response.producer_epoch });
            }
            (_, error) => {
                self.identity_at = Some(now + self.config.retry_backoff_ms);
                self.identity_refused = error.filter(|error| !error.retriable());
            }
        }
    }
}
