"""The differences that are meant, each with its reason. Anything else is a bug of one of the two."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from barnabas.config import broker_keys, group_keys, topic_keys
from barnabas.protocol import ApiKey, ErrorCode
from tests.conformance.differential.batches import NO_TIMESTAMP
from tests.conformance.differential.compare import MISSING, Difference
from tests.conformance.differential.world import Step

Check = Callable[[Step, Difference], bool]


def _always(step: Step, difference: Difference) -> bool:
    return True


@dataclass(frozen=True)
class Allowed:
    api_key: ApiKey
    place: str
    """Where in the response, as `Difference.place` has it."""
    reason: str
    check: Check = _always


NEWER_CONFIGS = (
    "errors.deadletterqueue.group.enable", "max.decompressed.message.bytes", "remote.copy.lag.bytes",
    "remote.copy.lag.ms", "errors.deadletterqueue.copy.record.enable", "errors.deadletterqueue.topic.name",
    "streams.assignor.name", "streams.rack.aware.assignment.tags",
)  # fmt: skip
"""Configs of topics and groups of 4.4.0 that 4.3.1 has not."""


NEWER = "A config of 4.4.0, or of barnabas alone."
PACKED_DIFFERENCE_MAX = 0.1
"""How much more one implementation of a codec may need than another."""
APPEND_MILLIS_MAX = 10_000
"""What two nodes may take at most for the same step."""


OWN_CONFIGS = frozenset(
    key.name for keys in (broker_keys(), topic_keys(), group_keys()) for key in keys.values() if key.own
)
"""Configs that Kafka has not."""


def _unknown_to_kafka(difference: Difference) -> bool:
    name = difference.keys[-1]
    return difference.kafka == MISSING and (name in NEWER_CONFIGS or name in OWN_CONFIGS)


def _newer_config(step: Step, difference: Difference) -> bool:
    return _unknown_to_kafka(difference)


def _newer_api(step: Step, difference: Difference) -> bool:
    return bool(difference.kafka == MISSING)


def _newer_version(step: Step, difference: Difference) -> bool:
    return bool(difference.barnabas > difference.kafka)


def _auto_created(step: Step, difference: Difference) -> bool:
    request: Any = step.message
    if not request.allow_auto_topic_creation and step.version >= 4:
        return False
    if difference.place == "topics[].error_code":
        return difference.kafka in (
            ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
            ErrorCode.LEADER_NOT_AVAILABLE,
        ) and (difference.barnabas == 0)
    return bool(difference.kafka == MISSING or difference.kafka == "zero")


def unknown_operation_in(request: Any) -> bool:
    operations = {config.config_operation for item in request.resources for config in item.configs}
    return bool(operations - {0, 1, 2, 3})


def _unknown_operation(step: Step, difference: Difference) -> bool:
    # The real Kafka may find fault with another config of the resource first.
    codes = (ErrorCode.UNKNOWN_SERVER_ERROR, ErrorCode.INVALID_CONFIG, False)
    return unknown_operation_in(step.message) and difference.kafka in codes


def _overflown_cursor(step: Step, difference: Difference) -> bool:
    return difference.barnabas is None and difference.kafka["partition_index"] < 0


def _packed_size(step: Step | None, difference: Difference) -> bool:
    sizes = (difference.kafka, difference.barnabas)
    return bool(abs(sizes[0] - sizes[1]) <= max(sizes) * PACKED_DIFFERENCE_MAX)


def _not_yet_served(step: Step, difference: Difference) -> bool:
    return difference.keys[-1] in ("27", "80", "81") and difference.barnabas == MISSING


def _gone_from_session(step: Step, difference: Difference) -> bool:
    request: Any = step.message
    if not request.session_id or step.version < 13:
        return False
    return (difference.kafka, difference.barnabas) in (
        (ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, ErrorCode.UNKNOWN_TOPIC_ID),
        (ErrorCode.INCONSISTENT_TOPIC_ID, ErrorCode.UNKNOWN_TOPIC_ID),
        (None, []),  # the aborted transactions of such a partition
    )


def _directory(step: Step, difference: Difference) -> bool:
    return "log.dirs" in difference.keys


def _logger(step: Step, difference: Difference) -> bool:
    return difference.keys[0].startswith(f"{BROKER_LOGGER}/")


def _append_time(step: Step, difference: Difference) -> bool:
    times = (difference.kafka, difference.barnabas)
    return bool(min(times) > 0 and abs(times[0] - times[1]) < APPEND_MILLIS_MAX)


def _before_1970(step: Step, difference: Difference) -> bool:
    request: Any = step.message
    parts = [partition.records for topic in request.topic_data for partition in topic.partition_data]
    batches = [batch for records in parts if records is not None for batch in records.batches]
    before = any(
        batch.timestamp + record.timestamp_delta < NO_TIMESTAMP
        for batch in batches
        for record in batch.records
    )
    told = (difference.kafka, difference.barnabas) == (-1, ErrorCode.INVALID_TIMESTAMP)
    return before and (told or difference.kafka == MISSING)


def _empty_name(step: Step, difference: Difference) -> bool:
    request: Any = step.message
    return any(not topic.name for topic in request.topics)


BROKER_LOGGER = 8

ALLOWED: tuple[Allowed, ...] = (
    *(
        Allowed(
            ApiKey.PRODUCE,
            f"responses[].partition_responses[].{field}",
            "A record from before 1970, to be packed anew, is INVALID_TIMESTAMP; the real Kafka fails on it.",
            _before_1970,
        )
        for field in ("error_code", "record_errors[]")
    ),
    *(
        Allowed(
            ApiKey.DESCRIBE_CONFIGS, f"results[].configs[]{value}", "Loggers are each one's own.", _logger
        )
        for value in ("", ".value")
    ),
    *(
        Allowed(
            ApiKey.DESCRIBE_TOPIC_PARTITIONS,
            f"topics[].{field}",
            "A topic without a name is INVALID_TOPIC_EXCEPTION; the real Kafka fails on it.",
            _empty_name,
        )
        for field in ("error_code", "topic_id", "topic_authorized_operations", "partitions[]")
    ),
    Allowed(
        ApiKey.DESCRIBE_LOG_DIRS,
        "results[].topics[].partitions[].partition_size",
        "Two implementations of a codec pack differently.",
        _packed_size,
    ),
    Allowed(
        ApiKey.LIST_OFFSETS,
        "topics[].partitions[].timestamp",
        "The time of an append is each node's own.",
        _append_time,
    ),
    *(
        Allowed(
            ApiKey.FETCH,
            f"responses[].partitions[].{field}",
            "A topic that has gone since a session took it in is an unknown id; the real Kafka remembers its"
            " name, and says that there is none of that name, or that it has another id now.",
            _gone_from_session,
        )
        for field in ("error_code", "aborted_transactions")
    ),
    Allowed(
        ApiKey.DESCRIBE_TOPIC_PARTITIONS,
        "next_cursor",
        "Behind the last partition there is nothing; the real Kafka's sum with the limit overflows.",
        _overflown_cursor,
    ),
    *(
        Allowed(
            ApiKey.DESCRIBE_CONFIGS, f"results[].configs[].{value}", "Directories have names.", _directory
        )
        for value in ("value", "synonyms[].value")
    ),
    Allowed(
        ApiKey.API_VERSIONS,
        "api_keys[]",
        "WriteTxnMarkers, AddRaftVoter and RemoveRaftVoter are not served yet: docs/compatibility.md.",
        _not_yet_served,
    ),
    *(
        Allowed(
            ApiKey.INCREMENTAL_ALTER_CONFIGS,
            f"responses[].{field}",
            "An operation that Kafka has not is INVALID_REQUEST; the real Kafka fails on it.",
            _unknown_operation,
        )
        for field in ("error_code", "error_message")
    ),
    *(
        Allowed(
            ApiKey.DESCRIBE_QUORUM,
            f"topics[].partitions[].{field}",
            "The metadata logs of two clusters have lengths and epochs of their own.",
        )
        for field in ("leader_epoch", "high_watermark", "current_voters[].log_end_offset")
    ),
    Allowed(ApiKey.API_VERSIONS, "api_keys[]", "4.4.0 knows APIs that 4.3.1 does not.", _newer_api),
    Allowed(
        ApiKey.API_VERSIONS,
        "api_keys[].max_version",
        "4.4.0 knows versions that 4.3.1 does not.",
        _newer_version,
    ),
    *(
        Allowed(
            ApiKey.METADATA,
            place,
            "A topic that Metadata creates is in the same answer; the real Kafka has it in a later one.",
            _auto_created,
        )
        for place in ("topics[].error_code", "topics[].topic_id", "topics[].partitions[]")
    ),
    Allowed(ApiKey.CREATE_TOPICS, "topics[].configs[]", NEWER, _newer_config),
    Allowed(ApiKey.DESCRIBE_CONFIGS, "results[].configs[]", NEWER, _newer_config),
)


def reason(step: Step, difference: Difference) -> str | None:
    """Why a difference is meant; None when it is not."""
    if difference.place.endswith("error_message") and (difference.kafka, difference.barnabas) == (
        False,
        True,
    ):
        return "barnabas explains an error that the real Kafka does not explain."
    for allowed in ALLOWED:
        if (allowed.api_key, allowed.place) == (step.api_key, difference.place) and allowed.check(
            step, difference
        ):
            return allowed.reason
    return None


def state_reason(difference: Difference) -> str | None:
    """Why the state of the two clusters may differ there; None when it may not."""
    if difference.place == "configs.results[].configs[]" and _unknown_to_kafka(difference):
        return NEWER
    if difference.place == "sizes.results[].topics[].partitions[].partition_size" and _packed_size(
        None, difference
    ):
        return "Two implementations of a codec pack differently."
    return None
