//! What brokers say of the batches that they were sent.

use barnabas_protocol::error::ErrorCode;
use barnabas_protocol::generated::produce_response::{PartitionProduceResponse, ProduceResponse};
use barnabas_protocol::{Millis, Offset};

/// What a broker said of one batch.
pub(super) struct Outcome {
    pub(super) error: ErrorCode,
    pub(super) message: Option<String>,
    pub(super) base_offset: Offset,
    pub(super) log_append_time: Millis,
}

impl Outcome {
    pub(super) fn of(error: ErrorCode) -> Outcome {
        Outcome { error, message: None, base_offset: -1, log_append_time: -1 }
    }
}

/// What the response says of a partition's batch.
pub(super) fn found(response: &ProduceResponse<'_>, topic: &str, partition: i32) -> Outcome {
    let topics = response.responses.iter().filter(|response| response.name == topic);
    let mut partitions = topics.flat_map(|topic| &topic.partition_responses);
    match partitions.find(|response| response.index == partition) {
        Some(response) => Outcome {
            error: ErrorCode(response.error_code),
            message: message(response),
            base_offset: response.base_offset,
            log_append_time: response.log_append_time_ms,
        },
        None => Outcome::of(ErrorCode::NETWORK_EXCEPTION),
    }
}

/// What the broker says beyond the code.
fn message(response: &PartitionProduceResponse<'_>) -> Option<String> {
    let record = response.record_errors.iter().find_map(|record| record.batch_index_error_message);
    response.error_message.or(record).map(str::to_string)
}
