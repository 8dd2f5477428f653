"""What the data plane does with groups that are lent to it, in Python: for tests of the coordinator alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from barnabas.coordinator.group.lending import Lent, TakenBack
from barnabas.coordinator.machine import Record, Steady, Stored
from barnabas.coordinator.records import encode_record
from barnabas.coordinator.shard import EncodedBatch
from barnabas.protocol.generated.offset_commit_key import OffsetCommitKey
from barnabas.protocol.generated.offset_commit_request import OffsetCommitRequest, OffsetCommitRequestTopic
from barnabas.protocol.generated.offset_commit_response import (
    OffsetCommitResponse,
    OffsetCommitResponsePartition,
    OffsetCommitResponseTopic,
)
from barnabas.protocol.generated.offset_commit_value import OffsetCommitValue

if TYPE_CHECKING:
    from tests.support.coordinator import FakeLog

MEMBER_EPOCHS_VERSION = 9


class GroupPlane:
    """Writes plain commits to lent groups into the log, and gives back what it has written."""

    def __init__(
        self, log: FakeLog, now: Callable[[], int], hear: Callable[[str, str, int], Steady | None]
    ) -> None:
        """`hear` gives a group's steady member on a connection."""
        self._log = log
        self._now = now
        self._hear = hear
        self._lent: dict[str, Lent] = {}
        self._written: dict[str, list[Stored]] = {}
        self.commits = 0
        """How many it has let through."""
        self.prolonged: dict[tuple[str, str], int] = {}
        """When a classic member has committed last."""

    def lend(self, lent: Lent) -> None:
        """Lends a group that is not lent."""
        assert lent.group_id not in self._lent
        self._lent[lent.group_id] = lent
        self._written[lent.group_id] = []

    def take_back(self, group_ids: Sequence[str]) -> TakenBack:
        """Gives back groups that are lent."""
        for group_id in group_ids:
            del self._lent[group_id]
        written = [stored for group_id in group_ids for stored in self._written.pop(group_id)]
        newest = {encode_record(Record(stored.key, None))[0]: stored for stored in written}
        return TakenBack(len(written), sorted(newest.values(), key=lambda stored: stored.offset))

    def forget(self) -> None:
        """Gives everything back unseen."""
        self._lent.clear()
        self._written.clear()

    def commit(
        self, request: OffsetCommitRequest, version: int, connection: int
    ) -> OffsetCommitResponse | None:
        """The answer to a plain commit; None when the coordinator must decide."""
        lent = self._lent.get(request.group_id)
        if (
            lent is None
            or request.retention_time_ms != -1
            or not request.topics
            or not all(self._is_committable(topic, lent) for topic in request.topics)
            or not self._may_commit(lent, request, version, connection)
        ):
            return None
        records = [
            Record(
                OffsetCommitKey(request.group_id, topic.name, partition.partition_index),
                OffsetCommitValue(
                    offset=partition.committed_offset,
                    leader_epoch=partition.committed_leader_epoch,
                    metadata=partition.committed_metadata or "",
                    commit_timestamp=self._now(),
                    topic_id=topic.topic_id,
                ),
                4,
            )
            for topic in request.topics
            for partition in topic.partitions
        ]
        if not self._log.commits_at_once or not self._append(request.group_id, records):
            return None
        self.commits += 1
        return OffsetCommitResponse(
            topics=[
                OffsetCommitResponseTopic(
                    topic.name,
                    topic.topic_id,
                    [OffsetCommitResponsePartition(one.partition_index) for one in topic.partitions],
                )
                for topic in request.topics
            ]
        )

    def _is_committable(self, topic: OffsetCommitRequestTopic, lent: Lent) -> bool:
        return (
            bool(topic.partitions)
            and topic.topic_id in lent.topics
            and all(
                len((one.committed_metadata or "").encode()) <= lent.metadata_bytes_max
                for one in topic.partitions
            )
        )

    def _may_commit(self, lent: Lent, request: OffsetCommitRequest, version: int, connection: int) -> bool:
        epoch = request.generation_id_or_member_epoch
        if lent.empty or epoch < 0:
            return lent.empty and epoch < 0
        steady = self._hear(request.group_id, request.member_id, connection)
        if steady is None or steady.epoch != epoch:
            return False
        classic_member = steady.heartbeat_interval_ms < 0
        if not lent.classic:
            return classic_member or version >= MEMBER_EPOCHS_VERSION
        if not classic_member or steady.group_instance_id != request.group_instance_id:
            return False
        self.prolonged[request.group_id, request.member_id] = self._now()
        return True

    def _append(self, group_id: str, records: Sequence[Record]) -> bool:
        encoded = [encode_record(record) for record in records]
        (appended,) = self._log.append([EncodedBatch(encoded, 0, self._now())])
        if appended.error_code:
            return False
        self._written[group_id] += [
            Stored(offset, self._now(), -1, -1, record.key, record.value)
            for offset, record in enumerate(records, appended.base_offset)
        ]
        return True
