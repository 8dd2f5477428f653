"""Which messages get Rust structs: those that Rust itself handles."""

from __future__ import annotations

from codegen.model import Message, SchemaError

# Requests and responses, by API. The metadata records are all there anyway.
APIS = [
    "ApiVersions",
    "SaslHandshake",
    "SaslAuthenticate",
    "Metadata",
    "Produce",
    "Fetch",
    "ListOffsets",
    "OffsetForLeaderEpoch",
    "DescribeProducers",
    "DeleteRecords",
    "DescribeTopicPartitions",
    "FetchSnapshot",
    "Vote",
    "BeginQuorumEpoch",
    "EndQuorumEpoch",
    "WriteTxnMarkers",
    "AddPartitionsToTxn",
    "InitProducerId",
    "AddOffsetsToTxn",
    "TxnOffsetCommit",
    "EndTxn",
    "FindCoordinator",
    "JoinGroup",
    "SyncGroup",
    "Heartbeat",
    "LeaveGroup",
    "OffsetCommit",
    "OffsetFetch",
    "ConsumerGroupHeartbeat",
    "ShareGroupHeartbeat",
    "ShareFetch",
    "ShareAcknowledge",
]

# Everything else, by name.
OTHERS = [
    "RequestHeader",
    "ResponseHeader",
    "ConsumerProtocolSubscription",
    "ConsumerProtocolAssignment",
    "OffsetCommitKey",
    "OffsetCommitValue",
    "LeaderChangeMessage",
    "SnapshotHeaderRecord",
    "SnapshotFooterRecord",
    "KRaftVersionRecord",
    "VotersRecord",
    "EndTxnMarker",
    "ProducerSnapshot",
    "AbortedTxn",
    "QuorumStateData",
    "TransactionLogKey",
    "TransactionLogValue",
]


def wanted(messages: list[Message]) -> list[Message]:
    """The messages that get Rust structs."""
    names = {f"{api}{side}" for api in APIS for side in ("Request", "Response")} | set(OTHERS)
    found = [message for message in messages if message.name in names or message.kind == "metadata"]
    missing = names - {message.name for message in found}
    if missing:
        raise SchemaError(f"no schema of {sorted(missing)}")
    return found
