"""What the share coordinator is asked about one share partition."""

from __future__ import annotations

from typing import NamedTuple

from barnabas._core import Uuid
from barnabas.coordinator.share.batches import StateBatches

NO_OFFSET = -1
"""The start offset of a share partition that has yet to begin, and one that stays as it is."""
NO_COUNT = -1


class ShareKey(NamedTuple):
    """A share partition: a partition as one group reads it."""

    group_id: str
    topic_id: Uuid
    partition: int

    def __str__(self) -> str:
        """As Kafka places it among the partitions of `__share_group_state`."""
        return f"{self.group_id}:{self.topic_id}:{self.partition}"


class InitializeState(NamedTuple):
    """The share partition begins, or begins anew; the answer is None."""

    key: ShareKey
    state_epoch: int
    start_offset: int = NO_OFFSET


class ReadState(NamedTuple):
    """The leader of the partition takes the share partition over; the answer is a ShareState."""

    key: ShareKey
    leader_epoch: int


class WriteState(NamedTuple):
    """The leader says what has changed; the answer is None."""

    key: ShareKey
    state_epoch: int
    leader_epoch: int
    start_offset: int
    delivery_complete_count: int
    """Records from the start offset on that are done with."""
    batches: StateBatches


class DeleteState(NamedTuple):
    """The group has nothing to do with the partition any more; the answer is None."""

    key: ShareKey


class ReadSummary(NamedTuple):
    """Where the share partition stands; the answer is a ShareState, one that has not begun when nothing is
    known."""

    key: ShareKey
    leader_epoch: int
