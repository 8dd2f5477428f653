"""Coordinators' records as bytes: a key is an int16 type and a message in version 0, a value an int16 version
and a message.

A key of an unknown type is passed over, as Kafka does, so that an older release can read what a newer one has
left. A value in an unknown version is an error: to pass over it would be to forget something.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from barnabas._core import decode, encode
from barnabas.protocol import class_named

if TYPE_CHECKING:
    from barnabas.coordinator.machine import Record
    from barnabas.protocol.message import Message

GROUPS, TRANSACTIONS, SHARES = "__consumer_offsets", "__transaction_state", "__share_group_state"

_KINDS: dict[str, dict[int, str]] = {
    GROUPS: {
        0: "LegacyOffsetCommit",
        1: "OffsetCommit",
        2: "GroupMetadata",
        3: "ConsumerGroupMetadata",
        4: "ConsumerGroupPartitionMetadata",
        5: "ConsumerGroupMemberMetadata",
        6: "ConsumerGroupTargetAssignmentMetadata",
        7: "ConsumerGroupTargetAssignmentMember",
        8: "ConsumerGroupCurrentMemberAssignment",
        10: "ShareGroupMemberMetadata",
        11: "ShareGroupMetadata",
        12: "ShareGroupTargetAssignmentMetadata",
        13: "ShareGroupTargetAssignmentMember",
        14: "ShareGroupCurrentMemberAssignment",
        15: "ShareGroupStatePartitionMetadata",
        16: "ConsumerGroupRegularExpression",
        17: "StreamsGroupMetadata",
        19: "StreamsGroupMemberMetadata",
        20: "StreamsGroupTargetAssignmentMetadata",
        21: "StreamsGroupTargetAssignmentMember",
        22: "StreamsGroupCurrentMemberAssignment",
        23: "StreamsGroupTopology",
    },
    TRANSACTIONS: {0: "TransactionLog"},
    SHARES: {0: "ShareSnapshot", 1: "ShareUpdate"},
}
"""Names of the records of each topic by type, without 'Key' and 'Value'."""

_classes: dict[tuple[str, int], tuple[type[Message], type[Message]]] = {}


def encode_record(record: Record) -> tuple[bytes, bytes | None]:
    """Key and value as they are appended."""
    key = record.key.RECORD_TYPE.to_bytes(2, "big") + encode(record.key, 0)
    if record.value is None:
        return key, None
    return key, record.value_version.to_bytes(2, "big") + encode(record.value, record.value_version)


def decode_record(
    topic: str, key: bytes | None, value: bytes | None
) -> tuple[Message, Message | None] | None:
    """Key and value of a record of `topic`; None for a type that nobody knows. ValueError when damaged."""
    if key is None or len(key) < 2:
        raise ValueError("a coordinator's record without a key")
    record_type = int.from_bytes(key[:2], "big")
    classes = _classes.get((topic, record_type))
    if classes is None:
        name = _KINDS[topic].get(record_type)
        if name is None:
            return None
        classes = _classes[topic, record_type] = class_named(f"{name}Key"), class_named(f"{name}Value")
    key_class, value_class = classes
    decoded_key = decode(key_class, 0, key[2:])
    if value is None:
        return decoded_key, None
    version = int.from_bytes(value[:2], "big")
    if not value_class.LOWEST_VERSION <= version <= value_class.HIGHEST_VERSION:
        raise ValueError(f"a {value_class.__name__} in version {version}, which this release does not know")
    return decoded_key, decode(value_class, version, value[2:])
