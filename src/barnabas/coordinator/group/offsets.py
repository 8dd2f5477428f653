"""Committed offsets of the groups of one partition, those of open transactions apart.

Changes in `replay` alone, so that memory is what the partition says.

Always true:
  an offset of an open transaction is seen by nobody; when the transaction commits it takes the place of what
  the same partition has, unless that was written later
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from barnabas._core import Uuid
from barnabas.coordinator.machine import Stored
from barnabas.protocol.generated.offset_commit_key import OffsetCommitKey
from barnabas.protocol.generated.offset_commit_value import OffsetCommitValue

NO_EXPIRY = -1

Partitions = dict[str, dict[int, "CommittedOffset"]]
"""By topic and partition."""


class CommittedOffset(NamedTuple):
    """Where a group has got to in one partition."""

    offset: int
    leader_epoch: int
    """-1 where the client said none."""
    metadata: str
    """The client's note."""
    commit_timestamp: int
    expire_timestamp: int
    """-1 unless the client asked for a retention of its own (OffsetCommit before version 5)."""
    topic_id: Uuid
    record_offset: int
    """Of the record that says so: of two, the later one counts."""


class Offsets:
    """Committed offsets by group, topic and partition."""

    def __init__(self) -> None:
        self._committed: dict[str, Partitions] = {}
        self._pending: dict[int, dict[str, Partitions]] = {}
        """By the producer whose transaction is open."""
        self._open: dict[str, set[int]] = {}
        """Producers with open transactions by group."""
        self._topics: dict[str, int] = {}
        """In how many places each topic is found."""

    # ---- what is asked

    def of_group(self, group_id: str) -> Partitions:
        """All committed offsets of a group; not to be changed."""
        return self._committed.get(group_id, {})

    def find(self, group_id: str, topic: str, partition: int) -> CommittedOffset | None:
        """What the group has committed for a partition."""
        topics = self._committed.get(group_id)
        partitions = topics.get(topic) if topics else None
        return partitions.get(partition) if partitions else None

    def pending_topics(self, group_id: str) -> dict[str, set[int]]:
        """Partitions by topic that open transactions would change."""
        found: dict[str, set[int]] = {}
        for producer in self._open.get(group_id, ()):
            for topic, partitions in self._pending[producer].get(group_id, {}).items():
                found.setdefault(topic, set()).update(partitions)
        return found

    def has_open_transactions(self, group_id: str) -> bool:
        """Whether offsets of the group wait for the end of a transaction."""
        return bool(self._open.get(group_id))

    def pending_offsets(self, group_id: str) -> Partitions:
        """What open transactions would commit for a group."""
        found: Partitions = {}
        for producer in self._open.get(group_id, ()):
            for topic, partitions in self._pending[producer].get(group_id, {}).items():
                found.setdefault(topic, {}).update(partitions)
        return found

    def count(self) -> int:
        """How many are committed."""
        return sum(len(partitions) for topics in self._committed.values() for partitions in topics.values())

    def topics(self) -> Iterable[str]:
        """Names of all topics for which something is committed, or would be."""
        return tuple(self._topics)

    # ---- replay

    def replay(self, key: OffsetCommitKey, value: OffsetCommitValue | None, stored: Stored) -> None:
        """Applies a commit, or with None its deletion."""
        if value is None:
            self._remove(self._committed, key.group, key.topic, key.partition)
            self._forget_pending(key)
            return
        offset = CommittedOffset(
            value.offset,
            value.leader_epoch,
            value.metadata,
            value.commit_timestamp,
            value.expire_timestamp,
            value.topic_id,
            stored.offset,
        )
        if stored.producer_id < 0:
            self._put(self._committed, key.group, key.topic, key.partition, offset)
            return
        self._put(
            self._pending.setdefault(stored.producer_id, {}), key.group, key.topic, key.partition, offset
        )
        self._open.setdefault(key.group, set()).add(stored.producer_id)

    def replay_transaction_end(self, producer_id: int, committed: bool) -> None:
        """Makes a transaction's offsets count, or drops them."""
        for group_id, topics in self._pending.pop(producer_id, {}).items():
            self._close(group_id, producer_id)
            for topic, partitions in topics.items():
                self._forget_topic(topic)
                if not committed:
                    continue
                for partition, offset in partitions.items():
                    before = self.find(group_id, topic, partition)
                    if before is None or offset.record_offset > before.record_offset:
                        self._put(self._committed, group_id, topic, partition, offset)

    def _forget_pending(self, key: OffsetCommitKey) -> None:
        for producer_id in tuple(self._open.get(key.group, ())):
            groups = self._pending[producer_id]
            self._remove(groups, key.group, key.topic, key.partition)
            if key.group not in groups:
                self._close(key.group, producer_id)
            if not groups:
                del self._pending[producer_id]

    def _close(self, group_id: str, producer_id: int) -> None:
        producers = self._open[group_id]
        producers.discard(producer_id)
        if not producers:
            del self._open[group_id]

    def _put(
        self,
        groups: dict[str, Partitions],
        group_id: str,
        topic: str,
        partition: int,
        offset: CommittedOffset,
    ) -> None:
        topics = groups.setdefault(group_id, {})
        partitions = topics.get(topic)
        if partitions is None:
            partitions = topics[topic] = {}
            self._topics[topic] = self._topics.get(topic, 0) + 1
        partitions[partition] = offset

    def _remove(self, groups: dict[str, Partitions], group_id: str, topic: str, partition: int) -> None:
        """Removes an entry and what it leaves empty."""
        topics = groups.get(group_id)
        partitions = topics.get(topic) if topics else None
        if topics is None or partitions is None:
            return
        partitions.pop(partition, None)
        if not partitions:
            del topics[topic]
            self._forget_topic(topic)
        if not topics:
            del groups[group_id]

    def _forget_topic(self, topic: str) -> None:
        self._topics[topic] -= 1
        if not self._topics[topic]:
            del self._topics[topic]
