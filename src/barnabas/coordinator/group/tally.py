"""What the groups of a node have done since it started: counted by what their machines put out, under the
names that Kafka's sensors have. Loading a partition counts nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from barnabas.coordinator.group.requests import TxnCommit
from barnabas.protocol.generated.consumer_group_metadata_key import ConsumerGroupMetadataKey
from barnabas.protocol.generated.group_metadata_key import GroupMetadataKey
from barnabas.protocol.generated.offset_commit_key import OffsetCommitKey
from barnabas.protocol.generated.offset_commit_request import OffsetCommitRequest
from barnabas.protocol.generated.offset_delete_request import OffsetDeleteRequest
from barnabas.protocol.generated.share_group_metadata_key import ShareGroupMetadataKey
from barnabas.protocol.generated.streams_group_metadata_key import StreamsGroupMetadataKey
from barnabas.protocol.generated.sync_group_request import SyncGroupRequest

if TYPE_CHECKING:
    from collections import Counter

    from barnabas.coordinator.machine import Call, Outputs

OFFSET_COMMIT = "offset_commit"
OFFSET_DELETION = "offset_deletion"
OFFSET_EXPIRATION = "offset_expiration"
COMPLETED_REBALANCE = "group_completed_rebalance"
"""Of classic groups: a leader has said who has what."""
REBALANCES = {
    ConsumerGroupMetadataKey: "consumer_group_rebalance",
    ShareGroupMetadataKey: "share_group_rebalance",
    StreamsGroupMetadataKey: "streams_group_rebalance",
}
"""Of the other kinds: the group's epoch went up."""
NAMES = (OFFSET_COMMIT, OFFSET_DELETION, OFFSET_EXPIRATION, COMPLETED_REBALANCE, *REBALANCES.values())


def count_call(tally: Counter[str], call: Call, out: Outputs) -> None:
    """Counts what a call has put out."""
    kind = type(call.request)
    if kind is OffsetCommitRequest or kind is TxnCommit:
        tally[OFFSET_COMMIT] += sum(len(batch.records) for batch in out.batches)
    elif kind is OffsetDeleteRequest:
        tally[OFFSET_DELETION] += sum(len(batch.records) for batch in out.batches)
    elif out.batches:
        count_rebalances(tally, out)
        if kind is SyncGroupRequest:
            tally[COMPLETED_REBALANCE] += _written(out, GroupMetadataKey)


def count_expired(tally: Counter[str], out: Outputs) -> None:
    """Counts what a timer has put out."""
    tally[OFFSET_EXPIRATION] += _written(out, OffsetCommitKey)
    count_rebalances(tally, out)


def count_rebalances(tally: Counter[str], out: Outputs) -> None:
    """Counts epochs that have gone up."""
    for batch in out.batches:
        for record in batch.records:
            name = REBALANCES.get(type(record.key))
            if name is not None and record.value is not None:
                tally[name] += 1


def _written(out: Outputs, key: type) -> int:
    return sum(isinstance(record.key, key) for batch in out.batches for record in batch.records)
