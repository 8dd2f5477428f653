"""A coordinator's partition on a virtual clock: a real machine and shard over a log in memory.

    sim = CoordinatorSim(GroupMachine, GROUPS)
    reply = sim.call(JoinGroupRequest(...), version=9)
    sim.advance(3000)
    assert reply.response.error_code == 0

What is called is decided at once and answered at the end of the turn, as in the node; `held` leaves the turn
open, so that several calls share it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from barnabas._core import MetadataImage, Uuid
from barnabas.config.resolve import BrokerConfigs
from barnabas.coordinator.group.lending import LendGroup
from barnabas.coordinator.group.machine import GroupMachine
from barnabas.coordinator.group.settings import GroupSettings
from barnabas.coordinator.machine import Call, Context, Machine, Steady
from barnabas.coordinator.shard import Appended, EncodedBatch, Phase, Shard, StoredBytes, decoded
from barnabas.errors import KafkaError
from barnabas.protocol.generated.consumer_group_heartbeat_request import ConsumerGroupHeartbeatRequest
from barnabas.protocol.generated.consumer_group_heartbeat_response import ConsumerGroupHeartbeatResponse
from barnabas.protocol.generated.heartbeat_request import HeartbeatRequest
from barnabas.protocol.generated.heartbeat_response import HeartbeatResponse
from barnabas.protocol.generated.offset_commit_request import OffsetCommitRequest
from tests.support.cluster import Cluster, numbered
from tests.support.lent_groups import GroupPlane

NOW = 1_700_000_000_000


class FakeLog:
    """The records of one partition."""

    def __init__(self) -> None:
        self.records: list[StoredBytes] = []
        self.end = 0
        self.high_watermark = 0
        self.commits_at_once = True
        """Whether what is appended is committed; else `commit` does it."""
        self.error_code = 0
        """With which the next appends fail."""
        self.batches = 0

    def append(self, batches: Sequence[EncodedBatch]) -> list[Appended]:
        return [self._append(batch) for batch in batches]

    def _append(self, batch: EncodedBatch) -> Appended:
        if self.error_code:
            return Appended(self.error_code, -1, -1, -1)
        base = self.end
        self.end += len(batch.records)
        for offset, (key, value) in enumerate(batch.records, base):
            self.records.append(
                StoredBytes(
                    offset, batch.timestamp, batch.producer_id, batch.producer_epoch, key, value, control=-1
                )
            )
        self.batches += 1
        if self.commits_at_once:
            self.high_watermark = self.end
        return Appended(0, base, self.end, self.high_watermark)

    def end_transaction(self, producer_id: int, producer_epoch: int, *, committed: bool) -> int:
        """Appends a control record; its offset."""
        offset = self.end
        self.end += 1
        self.records.append(
            StoredBytes(offset, NOW, producer_id, producer_epoch, b"", b"", control=int(committed))
        )
        if self.commits_at_once:
            self.high_watermark = self.end
        return offset

    def compact(self) -> None:
        """Keeps of each key the last record, and no tombstone; transactions stay as they are."""
        last = {record.key: record.offset for record in self.records if record.control < 0}
        self.records = [
            record
            for record in self.records
            if record.control >= 0
            or record.producer_id >= 0
            or (last[record.key] == record.offset and record.value is not None)
        ]


class Reply:
    """What becomes of a call."""

    def __init__(self, request: Any) -> None:
        self.request = request
        self.answers: list[Any] = []

    @property
    def waits(self) -> bool:
        """Whether there is no answer yet."""
        return not self.answers

    @property
    def response(self) -> Any:
        """The answer, which must be there and no error of the whole call."""
        assert len(self.answers) == 1, self.request
        assert not isinstance(self.answers[0], KafkaError), repr(self.answers[0])
        return self.answers[0]

    @property
    def error(self) -> KafkaError:
        """The error of the whole call, which must be there."""
        assert len(self.answers) == 1, self.request
        assert isinstance(self.answers[0], KafkaError), self.answers[0]
        return self.answers[0]

    @property
    def error_code(self) -> int:
        """Of the whole call, in whatever shape."""
        assert len(self.answers) == 1, self.request
        return int(self.answers[0].error_code)


class CoordinatorSim:
    """One shard with all it needs."""

    def __init__(
        self,
        make: Callable[[], Machine],
        topic: str,
        *,
        cluster: Cluster | None = None,
        configs: Callable[[BrokerConfigs], Any] = GroupSettings,
        partition: int = 0,
        lends: bool = True,
    ) -> None:
        """`lends`: whether there is a data plane that writes what is lent to it."""
        self.make = make
        self.topic = topic
        self.partition = partition
        self.cluster = cluster or Cluster(1)
        self.configs = configs
        self.log = FakeLog()
        self.now = NOW
        self.effects: list[Any] = []
        self.leader_epoch = 0
        self._ids = 0
        self._steady: dict[tuple[str, str], tuple[Steady, MetadataImage]] = {}
        self.heard: dict[tuple[str, str], int] = {}
        """When the data plane answered a member's heartbeat last."""
        self.steady_heartbeats = 0
        """Heartbeats that the data plane would have answered; what the machine said was the same."""
        self.lends = lends
        self.plane = GroupPlane(self.log, lambda: self.now, self._steady_member)
        self._tickets = 0
        self._replies: dict[int, Reply] = {}
        self._held = False
        self.load()

    # ---- life of the shard

    def load(self) -> None:
        """Loads the partition into a new machine, as after a change of leader."""
        self.machine: Any = self.make()
        self._steady.clear()
        self.plane.forget()
        if isinstance(self.machine, GroupMachine):
            self.machine.lending.plane = self.plane
        self.shard = Shard(
            self.topic,
            self.partition,
            self.leader_epoch,
            self.machine,
            append=lambda _, batches: self.log.append(batches),
            answer=self._answer,
            perform=self._perform,
            steady=self._note_steady,
        )
        rows = [tuple(record) for record in self.log.records]
        self.shard.load(decoded(self.topic, rows), self.log.end)
        self.shard.serve(self.context(), self.now)
        self.end_turn()

    def _perform(self, shard: Shard, effect: Any) -> None:
        if not isinstance(effect, LendGroup):
            self.perform(shard, effect)
        elif self.lends and self.log.commits_at_once:
            lent = self.machine.lending.lend(effect)
            if lent is not None:
                self.plane.lend(lent)

    def perform(self, _: Shard, effect: Any) -> None:
        """Takes note of what the machine asks of the node."""
        self.effects.append(effect)

    def restart(self) -> None:
        """The node loses leadership and gets it again: what was not written is forgotten."""
        self.shard.close()
        self.leader_epoch += 1
        self.load()

    # ---- events

    def call(
        self, request: Any, *, version: int = 0, client_id: str = "client", client_host: str = "/127.0.0.1"
    ) -> Reply:
        """Hands in a request."""
        self._tickets += 1
        reply = self._replies[self._tickets] = Reply(request)
        connection = hash((client_id, client_host))
        if isinstance(request, OffsetCommitRequest):
            written = self.plane.commit(request, version, connection)
            if written is not None:
                reply.answers.append(written)
                return reply
        expected = self._steady_answer(request, connection)
        self.shard.handle(
            Call(self._tickets, request, version, client_id, client_host, connection),
            self.context(),
            self.now,
        )
        if not self._held:
            self.end_turn()
        if expected is not None and not reply.waits:
            self.steady_heartbeats += 1
            assert reply.response == expected, "the data plane would have answered otherwise"
        return reply

    # ---- what the data plane would answer

    def is_steady(self, group_id: str, member_id: str) -> bool:
        """Whether the member's heartbeats are the data plane's."""
        return (group_id, member_id) in self._steady

    def hear(self, group_id: str, member_id: str) -> None:
        """The data plane answers a heartbeat of a steady member."""
        assert self.is_steady(group_id, member_id)
        self.heard[group_id, member_id] = self.now

    def _note_steady(self, _: Shard, unsteady: set[str], steady: Steady | None) -> None:
        for key in [key for key in self._steady if key[0] in unsteady]:
            del self._steady[key]
        if steady is not None:
            self._steady[steady.group_id, steady.member_id] = steady, self.image

    def _steady_answer(self, request: Any, connection: int) -> Any:
        """The answer that a heartbeat would have without its machine; None when the machine decides."""
        if not isinstance(request, HeartbeatRequest | ConsumerGroupHeartbeatRequest):
            return None
        steady = self._steady_member(request.group_id, request.member_id, connection)
        if steady is None:
            return None
        if isinstance(request, HeartbeatRequest):
            said = (request.generation_id, request.group_instance_id, -1)
            known = (steady.epoch, steady.group_instance_id, steady.heartbeat_interval_ms)
            return HeartbeatResponse() if said == known else None
        nothing_new = ConsumerGroupHeartbeatRequest(
            group_id=request.group_id,
            member_id=request.member_id,
            member_epoch=steady.epoch,
            instance_id=steady.group_instance_id,
        )
        if steady.heartbeat_interval_ms < 0 or request != nothing_new:
            return None
        return ConsumerGroupHeartbeatResponse(
            member_id=request.member_id,
            member_epoch=steady.epoch,
            heartbeat_interval_ms=steady.heartbeat_interval_ms,
        )

    def _steady_member(self, group_id: str, member_id: str, connection: int) -> Steady | None:
        steady, image = self._steady.get((group_id, member_id), (None, None))
        # Changes of the metadata withdraw everything.
        if steady is None or image is not self.image or steady.connection != connection:
            return None
        return steady

    def advance(self, ms: int) -> None:
        """Time passes; timers run at their time."""
        until = self.now + ms
        while (at := self.shard.next_deadline()) is not None and at <= until:
            self.now = max(self.now, at)
            self.shard.expire(self.context(), self.now)
            self.end_turn()
        self.now = until

    def metadata_changed(self) -> None:
        """Tells the machine of `cluster`'s new image."""
        self.shard.metadata_changed(self.context(), self.now)
        self.end_turn()

    def end_transaction(self, producer_id: int, producer_epoch: int = 0, *, committed: bool) -> None:
        """A marker is written to the partition."""
        offset = self.log.end_transaction(producer_id, producer_epoch, committed=committed)
        self.shard.transaction_ended(offset, producer_id, producer_epoch, committed=committed)

    def commit(self) -> None:
        """All that is appended is committed."""
        self.log.high_watermark = self.log.end
        self.shard.committed(self.log.high_watermark)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Calls within share one turn of the loop."""
        self._held = True
        try:
            yield
        finally:
            self._held = False
            self.end_turn()

    def end_turn(self) -> None:
        """Appends what the turn has put out, then runs the timers that are due at once."""
        while self.shard.phase is Phase.SERVING:
            if self.shard.has_batches:
                self.shard.appended(self.log.append(self.shard.take_batches()))
            at = self.shard.next_deadline()
            if at is None or at > self.now:
                return
            self.shard.expire(self.context(), self.now)

    # ---- the world

    @property
    def image(self) -> MetadataImage:
        return self.cluster.image

    def context(self) -> Context:
        configs = BrokerConfigs(self.cluster.settings, {}, {})
        return Context(self.now, self.image, self.configs(configs), self.new_id, self._heard)

    def _heard(self, group_id: str, member_id: str) -> int | None:
        member = (group_id, member_id)
        times = [heard[member] for heard in (self.heard, self.plane.prolonged) if member in heard]
        return max(times, default=None)

    def new_id(self) -> Uuid:
        self._ids += 1
        return numbered(500_000 + self._ids)

    def _answer(self, ticket: int, response: Any) -> None:
        self._replies[ticket].answers.append(response)
