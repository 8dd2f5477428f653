"""Steps after which the two may hold different records, each with its reason: a sequence ends there."""

from __future__ import annotations

from typing import Any

from barnabas.protocol import ApiKey, ErrorCode
from tests.conformance.differential.allowed import unknown_operation_in
from tests.conformance.differential.batches import CODEC, LOG_APPEND_TIME, TRANSACTIONAL, Batch
from tests.conformance.differential.world import Step

TWICE = (
    "Of a partition that a Produce names twice, what is said last counts, and is answered. The real Kafka"
    " stores the last that has the form of a batch, and answers with the refusal of one that has not."
)


TELEMETRY = (ApiKey.GET_TELEMETRY_SUBSCRIPTIONS, ApiKey.PUSH_TELEMETRY)


def parting(step: Step, kafka: Any) -> str | None:
    """Why the two may go separate ways from this step on; None when they may not.

    The sequence ends there: what follows can't be compared.
    """
    if kafka == "silence" and step.api_key == ApiKey.ALTER_CONFIGS:
        return (
            "The real Kafka never answers an AlterConfigs that names a resource twice; barnabas refuses it."
        )
    remembered = (ErrorCode.THROTTLING_QUOTA_EXCEEDED, ErrorCode.INVALID_REQUEST)
    if step.api_key in TELEMETRY and isinstance(kafka, dict) and kafka["error_code"] in remembered:
        return (
            "What is remembered of a client ends with its connection; the real Kafka remembers it beyond"
            " some of the closes that are its own."
        )
    if step.api_key != ApiKey.PRODUCE or step.damage in ("cut", "version"):
        return None
    request: Any = step.message
    parts = [partition.records for topic in request.topic_data for partition in topic.partition_data]
    if kafka == "silence" and any(records is None for records in parts):
        return "The real Kafka never answers a Produce with null records; barnabas says INVALID_RECORD."
    if _twice(request):
        return TWICE
    batches = [batch for records in parts if records is not None for batch in records.batches]
    if any(batch.mutation == "record_length" and batch.attributes & CODEC for batch in batches):
        return (
            "A packed record whose length is a lie is refused; the real Kafka may pass over its end unseen."
        )
    if any(batch.mutation == "offset_delta" for batch in batches):
        return (
            "Records outside of their batch's offsets are INVALID_RECORD; the real Kafka takes them unpacked,"
            " and fails with UNKNOWN_SERVER_ERROR where it packs them anew."
        )
    if any(batch.mutation == "bad_codec" for batch in batches):
        return "A codec that nobody has is UNSUPPORTED_COMPRESSION_TYPE; the real Kafka fails on it."
    if any(_is_torn(batch) for batch in batches):
        return (
            "A producer id, epoch and sequence that don't go together are INVALID_RECORD. The real Kafka"
            " stores them where it needn't write the batch anew, and fails on them where it must."
        )
    return None


def _twice(request: Any) -> bool:
    places = [
        (topic.name, topic.topic_id, partition.index)
        for topic in request.topic_data
        for partition in topic.partition_data
    ]
    return len(set(places)) < len(places)


def parts_unseen(step: Step, kafka: Any) -> str | None:
    """As `parting`, where both answer the same: what they store differs."""
    request: Any = step.message
    if step.api_key == ApiKey.INCREMENTAL_ALTER_CONFIGS and unknown_operation_in(request):
        return "Failing on an operation that it has not, the real Kafka changes none of the resources."
    if step.api_key != ApiKey.PRODUCE or not isinstance(kafka, dict):
        return None
    parts = [partition.records for topic in request.topic_data for partition in topic.partition_data]
    batches = [batch for records in parts if records is not None for batch in records.batches]
    if _twice(request):
        return TWICE
    if any(batch.attributes & LOG_APPEND_TIME for batch in batches):
        return (
            "Records of a producer that claims LogAppendTime get the header's timestamp, which was checked;"
            " the real Kafka turns the claim off and thereby gives them timestamps that nobody looked at."
        )
    return None


def _is_torn(batch: Batch) -> bool:
    if batch.producer == -1:
        return bool(batch.attributes & TRANSACTIONAL)
    return batch.producer == -2 or batch.epoch < 0 or batch.sequence < 0
