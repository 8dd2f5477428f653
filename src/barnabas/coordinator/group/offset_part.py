"""Committed offsets as a part of the machine: commits, fetches, deletions, and those that grow too old."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from barnabas._core import Uuid
from barnabas.coordinator.group import offset_commit, offset_fetch
from barnabas.coordinator.group.classic.group import ClassicGroup
from barnabas.coordinator.group.kind import Group, Groups, Handle, Part, Replay
from barnabas.coordinator.group.offset_commit import tombstone
from barnabas.coordinator.group.requests import FetchOffsets, TxnCommit
from barnabas.protocol.generated.legacy_offset_commit_key import LegacyOffsetCommitKey
from barnabas.protocol.generated.legacy_offset_commit_value import LegacyOffsetCommitValue
from barnabas.protocol.generated.offset_commit_key import OffsetCommitKey
from barnabas.protocol.generated.offset_commit_request import OffsetCommitRequest
from barnabas.protocol.generated.offset_commit_value import OffsetCommitValue
from barnabas.protocol.generated.offset_delete_request import OffsetDeleteRequest

if TYPE_CHECKING:
    from barnabas.coordinator.machine import Call, Context, Outputs, Record, Stored
    from barnabas.protocol.message import Message


class OffsetPart(Part):
    """OffsetCommit, TxnOffsetCommit, OffsetFetch, OffsetDelete, and OffsetCommit records."""

    name = "offsets"

    def __init__(self, groups: Groups) -> None:
        super().__init__(groups)
        self._seen: dict[str, Uuid] = {}
        """Ids of committed topics that the metadata has had. Only a topic that was seen can be deleted: one
        that is missing may be new, and this node's metadata behind."""
        self._replaced: set[str] = set()
        """Topics that were found under another id when somebody committed to them."""

    def calls(self) -> Mapping[type[Any], Handle]:
        return {
            OffsetCommitRequest: self._commit,
            TxnCommit: self._commit_transactional,
            OffsetDeleteRequest: self._delete,
            FetchOffsets: self._fetch,
        }

    def _commit(self, call: Call, context: Context, out: Outputs) -> None:
        offset_commit.commit(self.groups, call, context, out)
        self._saw(call.request.topics)

    def _commit_transactional(self, call: Call, context: Context, out: Outputs) -> None:
        offset_commit.commit_transactional(self.groups, call, context, out)
        self._saw(call.request.request.topics)

    def _saw(self, topics: Sequence[Any]) -> None:
        """These topics were in the metadata when they were committed to."""
        for topic in topics:
            if topic.topic_id:
                if self._seen.get(topic.name, topic.topic_id) != topic.topic_id:
                    self._replaced.add(topic.name)
                self._seen[topic.name] = topic.topic_id

    def _delete(self, call: Call, context: Context, out: Outputs) -> None:
        offset_commit.delete(self.groups, call, context, out)

    def _fetch(self, call: Call, _: Context, out: Outputs) -> None:
        offset_fetch.fetch(self.groups, call, out)

    # ---- records

    def replays(self) -> Mapping[type[Message], Replay]:
        return {OffsetCommitKey: self._replay, LegacyOffsetCommitKey: self._replay_legacy}

    def _replay(self, stored: Stored) -> None:
        key, value = stored.key, stored.value
        assert isinstance(key, OffsetCommitKey)
        assert value is None or isinstance(value, OffsetCommitValue)
        self.groups.offsets.replay(key, value, stored)
        if value is not None and self.groups.find(key.group) is None:
            # Somebody commits who is no member of anything: the group has offsets only.
            self.groups.put(ClassicGroup(key.group))

    def _replay_legacy(self, stored: Stored) -> None:
        """The same from a record of Kafka before 0.9."""
        key, value = stored.key, stored.value
        assert isinstance(key, LegacyOffsetCommitKey)
        instead = None
        if value is not None:
            assert isinstance(value, LegacyOffsetCommitValue)
            instead = OffsetCommitValue(
                offset=value.offset, metadata=value.metadata, commit_timestamp=value.commit_timestamp
            )
        self._replay(stored._replace(key=OffsetCommitKey(key.group, key.topic, key.partition), value=instead))

    def replay_transaction_end(self, producer_id: int, _: int, committed: bool) -> None:
        self.groups.offsets.replay_transaction_end(producer_id, committed)

    # ---- age

    def loaded(self, context: Context, out: Outputs) -> None:
        self._look(context)
        self._plan(context, out)

    def _plan(self, context: Context, out: Outputs) -> None:
        out.set_timer((self.name, "age"), context.now + context.configs.offsets_retention_check_interval_ms)

    def expire(self, _: tuple[Any, ...], context: Context, out: Outputs) -> None:
        """Removes offsets that are too old, and groups that are empty and have none."""
        records: list[Record] = []
        for group in self.groups.by_id.values():
            old, left = self._aged(group, context)
            records += old
            if not left and group.expires and group.is_empty():
                records += group.tombstones()
        out.append_each(records)
        self._plan(context, out)

    def _aged(self, group: Group, context: Context) -> tuple[list[Record], bool]:
        """Tombstones of offsets that are too old, and whether anything is left."""
        offsets = self.groups.offsets
        topics = offsets.of_group(group.group_id)
        left = offsets.has_open_transactions(group.group_id)
        if not topics:
            return [], left
        since = group.offsets_age_from()
        if since is None:
            return [], True
        pending = offsets.pending_topics(group.group_id)
        records = []
        for topic, partitions in topics.items():
            if group.is_subscribed_to(topic):
                left = True
                continue
            for partition, offset in partitions.items():
                if offset.expire_timestamp != -1:
                    old = context.now >= offset.expire_timestamp
                else:
                    old = context.now - since(offset) >= context.configs.offsets_retention_ms
                if old and partition not in pending.get(topic, ()):
                    records.append(tombstone(group.group_id, topic, partition))
                else:
                    left = True
        return records, left

    # ---- topics that are deleted

    def metadata_changed(self, context: Context, out: Outputs) -> None:
        gone = self._look(context)
        if gone:
            out.append_each(list(self._tombstones(gone)))

    def _look(self, context: Context) -> dict[str, Uuid | None]:
        """Committed topics that are deleted, with the id of a topic that has their name now."""
        gone: dict[str, Uuid | None] = {}
        for name in self.groups.offsets.topics():
            topic = context.image.topic(name)
            before = self._seen.get(name)
            if topic is not None:
                self._seen[name] = topic.id
                if before not in (None, topic.id) or name in self._replaced:
                    gone[name] = topic.id
            elif before is not None:
                gone[name] = None
                del self._seen[name]
        self._replaced.clear()
        return gone

    def _tombstones(self, gone: Mapping[str, Uuid | None]) -> Iterable[Record]:
        offsets = self.groups.offsets
        for group_id in self.groups.by_id:
            for topics in (offsets.of_group(group_id), offsets.pending_offsets(group_id)):
                for name in gone.keys() & topics.keys():
                    for partition, offset in topics[name].items():
                        if gone[name] is None or offset.topic_id != gone[name]:
                            yield tombstone(group_id, name, partition)
