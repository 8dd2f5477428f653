"""The edge of the coordinators: which shards this node has, what reaches them, what becomes of their outputs.

One turn of the event loop is: events from Rust, handed to the shards as they come; then one append for all
that they have put out, then the timers that are due. A timer never runs while requests that were there before
it are still in the inbox, so that a pause of this process expels no member whose heartbeat has arrived.

Always true:
  a partition has a shard exactly while this node leads it and its kind of coordinator is served
  every call is answered once, through its `then`
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from barnabas import _core
from barnabas.coordinator.machine import Call, Context, Stored
from barnabas.coordinator.shard import Appended, EncodedBatch, Phase, Shard, StoredBytes, decoded
from barnabas.errors import (
    KafkaError,
    NotCoordinator,
    NotLeaderOrFollower,
    UnknownServerError,
    UnknownTopicOrPartition,
)
from barnabas.server.load_times import LoadTimes

if TYPE_CHECKING:
    from barnabas._core import MetadataImage
    from barnabas.config.resolve import BrokerConfigs
    from barnabas.coordinator.machine import Machine, Record, Steady

logger = logging.getLogger("barnabas.coordinators")

Key = tuple[str, int]
"""Topic and partition."""

Then = Callable[[Any], None]
"""Is called once with the response, or with a KafkaError for the whole call."""

LOADS_AT_ONCE = 64
"""Partitions that are read in one go."""
LOAD_BYTES_MAX = 256 * 1024
"""Bytes of one partition that are replayed without a pause: some milliseconds."""
RETRY_SECONDS = 1.0
"""Pause before a partition that could not be read or written is loaded again."""
UNREADABLE_SECONDS = 0.01
"""Pause before a partition is read again that this node has just begun to lead."""
METADATA_SECONDS = 0.02
"""How long changes of the metadata are collected before the machines hear of them."""
TOPIC_RESOURCE = 2


class Native(Protocol):
    """What is asked of `barnabas._core.Node`."""

    def append_many(self, batches: Sequence[_core.CoordinatorBatch]) -> list[_core.AppendResult]: ...
    def read_records(
        self, topic: str, partition: int, offset: int, bytes_max: int
    ) -> tuple[int, int, list[_core.CoordinatorRecord]]: ...
    def publish_steady(
        self, withdrawn: Sequence[str] | None, members: Sequence[_core.SteadyMember]
    ) -> None: ...
    def last_heartbeat(self, group_id: str, member_id: str) -> int | None: ...
    def image(self) -> MetadataImage: ...


class Client(NamedTuple):
    """Whose call it is, as far as a machine wants to know."""

    api_version: int = 0
    client_id: str = ""
    client_host: str = ""
    connection: int = 0


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of coordinator."""

    topic: str
    make: Callable[[int], Machine]
    """Makes the machine of a partition, whose log is read next."""
    settings: Callable[[BrokerConfigs], Any]
    """Makes the `configs` of its machines' context, anew when the broker's configs change."""


class Coordinators:
    """The shards of one node."""

    def __init__(
        self,
        native: Native,
        loop: asyncio.AbstractEventLoop,
        now: Callable[[], int],
        configs: Callable[[], BrokerConfigs],
        kinds: Iterable[Kind],
    ) -> None:
        self.epochs: dict[Key, int] = {}
        """Leader epochs of the partitions that this node leads."""
        self._native = native
        self._loop = loop
        self._now = now
        self._configs = configs
        self._kinds = {kind.topic: kind for kind in kinds}
        self._performers: dict[type[Any], Callable[[Shard, Any], None]] = {}
        self._shards: dict[Key, Shard] = {}
        self._dirty: dict[Shard, None] = {}
        self._thens: dict[int, Then] = {}
        self._tickets = 0
        self._contexts: dict[str, Context] = {}
        self._settings: dict[str, Any] = {}
        self._image: MetadataImage | None = None
        self._partition_counts: dict[str, int] = {}
        self._clock = 0
        self._in_turn = False
        self._turn_planned = False
        self._wake: asyncio.TimerHandle | None = None
        self._wake_at = 0
        self._to_load: dict[Shard, None] = {}
        self._loader: asyncio.Task[None] | None = None
        self._load_times = LoadTimes()
        self._ready: dict[Key, list[asyncio.Future[None]]] = {}
        self._metadata_planned = False
        self._steady: dict[str, dict[str, _core.SteadyMember]] = {}
        """Members whose heartbeats Rust may answer from the end of the turn on, by group."""
        self._unsteady: set[str] | None = set()
        """Groups whose heartbeats it may not any more; None for all."""
        self.performed: list[Callable[[], None]] = []
        """Called in each turn once effects have been handed out, for those who carry them out together; calls
        that they hand in are part of the turn."""
        self.drain: Callable[[], None] = lambda: None
        """Takes in what has arrived, before timers run."""

    def on_effect(self, effect: type[Any], perform: Callable[[Shard, Any], None]) -> None:
        """Says who carries out effects of a type; they come when their event's records are committed."""
        self._performers[effect] = perform

    # ---- where things are

    @property
    def image(self) -> MetadataImage:
        """The committed metadata."""
        if self._image is None:
            self._image = self._native.image()
        return self._image

    @property
    def topics(self) -> list[str]:
        """Internal topics whose coordinators are served."""
        return list(self._kinds)

    def partition_of(self, topic: str, key: str) -> int | None:
        """The partition that a group, transactional id or share key belongs to; None without the topic."""
        count = self._partition_counts.get(topic)
        if count is None:
            found = self.image.topic(topic)
            if found is None:
                return None
            count = self._partition_counts[topic] = found.partition_count
        return java_hash(key) % count

    def partitions(self, topic: str) -> list[int]:
        """Partitions of a topic that this node leads, in order."""
        return sorted(partition for name, partition in self._shards if name == topic)

    def shards(self, topic: str) -> list[Shard]:
        """The shards of one kind of coordinator."""
        return [shard for (name, _), shard in self._shards.items() if name == topic]

    def serves(self, topic: str, partition: int) -> bool:
        """Whether calls for the partition are decided here, now."""
        shard = self._shards.get((topic, partition))
        return shard is not None and shard.phase is Phase.SERVING

    def load_times(self, topic: str) -> tuple[float, float]:
        """How long partitions took to load that were loaded lately, in milliseconds: average and longest."""
        return self._load_times.recent(topic, self._ticks())

    async def ready(self, topic: str, partition: int, seconds_max: float) -> None:
        """Waits until the partition is served here, but not for ever."""
        if self.serves(topic, partition):
            return
        future: asyncio.Future[None] = self._loop.create_future()
        self._ready.setdefault((topic, partition), []).append(future)
        await asyncio.wait((future,), timeout=seconds_max)

    # ---- calls

    def submit(self, topic: str, key: str, request: Any, then: Then, client: Client = Client()) -> None:  # noqa: B008
        """Hands a call to the shard of `key`."""
        partition = self.partition_of(topic, key)
        if partition is None:
            then(NotCoordinator())
        else:
            self.submit_to(topic, partition, request, then, client)

    def submit_to(
        self,
        topic: str,
        partition: int,
        request: Any,
        then: Then,
        client: Client = Client(),  # noqa: B008
    ) -> None:
        """Hands a call to the shard of a partition."""
        shard = self._shards.get((topic, partition))
        if shard is None:
            then(NotCoordinator())
            return
        self._tickets += 1
        self._thens[self._tickets] = then
        self._feed(shard, shard.handle, Call(self._tickets, request, *client))

    def follow_up(self, shard: Shard, records: list[Record]) -> None:
        """Has a shard put out what was decided with an effect of its that has been carried out."""
        self._feed(shard, shard.follow_up, records)

    async def call(self, topic: str, key: str, request: Any, client: Client = Client()) -> Any:  # noqa: B008
        """The response to a call; raises KafkaError."""
        future: asyncio.Future[Any] = self._loop.create_future()

        def then(response: Any) -> None:
            if not future.done():
                future.set_result(response)

        self.submit(topic, key, request, then, client)
        response = await future
        if isinstance(response, KafkaError):
            raise response
        return response

    def _answer(self, ticket: int, response: Any) -> None:
        self._thens.pop(ticket)(response)

    def _perform(self, shard: Shard, effect: Any) -> None:
        self._performers[type(effect)](shard, effect)

    # ---- steady members

    def _note_steady(self, shard: Shard, unsteady: set[str], steady: Steady | None) -> None:
        for group_id in unsteady:
            self._steady.pop(group_id, None)
            if self._unsteady is not None:
                self._unsteady.add(group_id)
        if steady is not None and steady.connection:
            row = (shard.partition, shard.leader_epoch, *steady)
            self._steady.setdefault(steady.group_id, {})[steady.member_id] = row

    def _nobody_is_steady(self) -> None:
        """What heartbeats are answered with may be different from now on."""
        self._steady.clear()
        self._unsteady = None

    def _publish_steady(self) -> None:
        """Tells Rust, before any response of the turn leaves."""
        if self._unsteady is not None and not self._unsteady and not self._steady:
            return
        withdrawn = None if self._unsteady is None else list(self._unsteady)
        rows = [row for members in self._steady.values() for row in members.values()]
        self._steady, self._unsteady = {}, set()
        self._native.publish_steady(withdrawn, rows)

    # ---- events from Rust

    def leadership(self, topic: str, partition: int, leader_epoch: int) -> None:
        """This node leads the partition from now on, or with -1 no more."""
        key = (topic, partition)
        before = self._shards.pop(key, None)
        if before is not None:
            self._dirty.pop(before, None)
            before.close()
        self.epochs.pop(key, None)
        if leader_epoch >= 0:
            self.epochs[key] = leader_epoch
            if topic in self._kinds:
                self._load(topic, partition, leader_epoch)

    def committed(self, topic: str, partition: int, high_watermark: int) -> None:
        """The high watermark of a partition has moved."""
        if shard := self._shards.get((topic, partition)):
            shard.committed(high_watermark)

    def transaction_ended(
        self,
        topic: str,
        partition: int,
        offset: int,
        producer_id: int,
        producer_epoch: int,
        *,
        committed: bool,
    ) -> None:
        """A control record lies in a partition."""
        if shard := self._shards.get((topic, partition)):
            shard.transaction_ended(offset, producer_id, producer_epoch, committed=committed)

    def metadata_changed(self) -> None:
        """The committed metadata is another now; machines hear of it soon."""
        self._nobody_is_steady()
        self._image = None
        self._contexts.clear()
        self._partition_counts.clear()
        if not self._metadata_planned and self._shards:
            self._metadata_planned = True
            self._loop.call_later(METADATA_SECONDS, self._tell_metadata)

    def configs_changed(self) -> None:
        """The broker's configs are others now."""
        self._nobody_is_steady()
        self._settings.clear()
        self._contexts.clear()

    def _tell_metadata(self) -> None:
        self._metadata_planned = False
        for shard in tuple(self._shards.values()):
            shard.batch_bytes_max = self._batch_bytes_max(shard.topic)
            self._feed(shard, shard.metadata_changed)

    # ---- turns

    def begin_turn(self) -> None:
        """Events are about to be handed in; `end_turn` follows."""
        self._in_turn = True
        self._contexts.clear()

    def end_turn(self) -> None:
        """Appends what the turn has put out, and runs the timers of its shards that are due at once."""
        self._turn_planned = False
        self._in_turn = True
        touched: dict[Shard, None] = {}
        while True:
            for carry_out in self.performed:
                carry_out()
            if not self._dirty:
                break
            shards = tuple(self._dirty)
            touched.update(self._dirty)
            self._dirty.clear()
            self._append_all(shards)
            for shard in shards:
                deadline = shard.next_deadline()
                if deadline is not None and deadline <= self._clock:
                    self._feed(shard, shard.expire)
        self._publish_steady()
        self._in_turn = False
        self._contexts.clear()
        for shard in touched:
            self._plan_wake(shard)

    def _feed(self, shard: Shard, event: Callable[..., None], *about: Any) -> None:
        """Gives a shard an event: a method of it that takes what the event is about, the context and the
        clock. A machine that fails is thrown away with what it has not written."""
        context = self._contexts.get(shard.topic) or self._new_context(shard.topic)
        if not self._in_turn and not self._turn_planned:
            self._turn_planned = True
            self._loop.call_soon(self.end_turn)
        self._dirty[shard] = None
        try:
            event(*about, context, self._clock)
        except Exception:
            # The supervisor of machines: a mistake in one of them must neither end the node nor be built on.
            logger.exception("%s-%s failed and is loaded again", shard.topic, shard.partition)
            shard.close(UnknownServerError())
            self._start_again(shard)

    def _new_context(self, topic: str) -> Context:
        self._clock = self._ticks()
        settings = self._settings.get(topic)
        if settings is None:
            settings = self._settings[topic] = self._kinds[topic].settings(self._configs())
        heard = self._native.last_heartbeat
        context = Context(self._now(), self.image, settings, _core.Uuid.random, heard)
        self._contexts[topic] = context
        return context

    # ---- appends

    def _append_all(self, shards: Iterable[Shard]) -> None:
        taken = [(shard, shard.take_batches()) for shard in shards if shard.has_batches]
        if not taken:
            return
        results = iter(self._append([(shard, batch) for shard, batches in taken for batch in batches]))
        for shard, batches in taken:
            shard.appended([next(results) for _ in batches])
            if shard.phase is Phase.CLOSED:
                self._start_again(shard)

    def _append(self, batches: Sequence[tuple[Shard, EncodedBatch]]) -> list[Appended]:
        rows = [
            (
                shard.topic,
                shard.partition,
                shard.leader_epoch,
                batch.records,
                batch.timestamp,
                batch.producer_id,
                batch.producer_epoch,
                batch.verification_guard,
            )
            for shard, batch in batches
        ]
        return [Appended(*result) for result in self._native.append_many(rows)]

    def _append_now(self, shard: Shard, batches: Sequence[EncodedBatch]) -> list[Appended]:
        return self._append([(shard, batch) for batch in batches])

    # ---- timers

    def _ticks(self) -> int:
        """Milliseconds of a clock that never goes back: the loop's, by which timers wake."""
        return int(self._loop.time() * 1000)

    def end_sessions(self, topic: str, group_id: str, member_id: str | None) -> int:
        """Has the sessions of a group's members end as if nothing were heard of them, all or one's; how many
        there were. For the test kit."""
        partition = self.partition_of(topic, group_id)
        shard = self._shards.get((topic, partition)) if partition is not None else None
        if shard is None:
            return 0
        timers = [
            timer
            for timer in shard.timers()
            if isinstance(timer, tuple)
            and timer[1:3] == ("session", group_id)
            and member_id in (None, timer[3])
        ]
        self._feed(shard, shard.expire_now, timers)
        return len(timers)

    def _plan_wake(self, shard: Shard) -> None:
        deadline = shard.next_deadline()
        if deadline is None or (self._wake is not None and self._wake_at <= deadline):
            return
        if self._wake is not None:
            self._wake.cancel()
        self._wake_at = deadline
        delay = max(deadline - self._ticks(), 0) / 1000
        self._wake = self._loop.call_later(delay, self._on_wake)

    def _on_wake(self) -> None:
        """Some timer may be due. What has arrived before it is heard first."""
        self._wake = None
        self.begin_turn()
        self.drain()
        self._contexts.clear()
        self._clock = self._ticks()
        for shard in tuple(self._shards.values()):
            deadline = shard.next_deadline()
            if deadline is not None and deadline <= self._clock:
                self._feed(shard, shard.expire)
        self.end_turn()
        for shard in self._shards.values():
            self._plan_wake(shard)

    # ---- loading

    def _load(self, topic: str, partition: int, leader_epoch: int) -> None:
        shard = Shard(
            topic,
            partition,
            leader_epoch,
            self._kinds[topic].make(partition),
            append=self._append_now,
            answer=self._answer,
            perform=self._perform,
            steady=self._note_steady,
        )
        self._shards[topic, partition] = shard
        self._load_times.begin(topic, partition, self._ticks())
        self._queue_load(shard)

    def _queue_load(self, shard: Shard) -> None:
        self._to_load[shard] = None
        if self._loader is None:
            self._loader = self._loop.create_task(self._load_all())

    def _start_again(self, shard: Shard) -> None:
        """Loads a partition whose shard has closed by itself, after a pause."""
        key = (shard.topic, shard.partition)
        self._nobody_is_steady()
        if self._shards.get(key) is shard:
            del self._shards[key]
            self._loop.call_later(RETRY_SECONDS, self._retry, key, shard.leader_epoch)

    def _retry(self, key: Key, leader_epoch: int) -> None:
        if self.epochs.get(key) == leader_epoch and key not in self._shards:
            self._load(*key, leader_epoch)

    async def _load_all(self) -> None:
        """Reads partitions a piece at a time off the loop, and replays the pieces on it."""
        try:
            while self._to_load:
                count = min(len(self._to_load), LOADS_AT_ONCE)
                shards = [self._take_first() for _ in range(count)]
                wanted = [(shard.topic, shard.partition, shard.next_offset) for shard in shards]
                read = await self._loop.run_in_executor(None, self._read_all, wanted)
                pieces = dict(zip(shards, read, strict=True))
                while pieces:
                    shard = self._next(pieces)
                    self._take_piece(shard, pieces.pop(shard))
                    await asyncio.sleep(0)
        finally:
            self._loader = None

    def _take_first(self) -> Shard:
        shard = self._next(self._to_load)
        del self._to_load[shard]
        return shard

    def _next(self, shards: Mapping[Shard, object]) -> Shard:
        """One that somebody waits for, or else the first: the topic of a node's first group is new, and its
        member need not wait for 50 partitions."""
        awaited = (self._shards.get(key) for key in self._ready)
        return next((shard for shard in awaited if shard in shards), None) or next(iter(shards))

    def _read_all(self, wanted: Sequence[tuple[str, int, int]]) -> list[_Piece | Exception]:
        return [self._read(*one) for one in wanted]

    def _read(self, topic: str, partition: int, offset: int) -> _Piece | Exception:
        code, next_offset, rows = self._native.read_records(topic, partition, offset, LOAD_BYTES_MAX)
        if code:
            return KafkaError.for_code(code)
        try:
            return _Piece(next_offset, decoded(topic, rows))
        except ValueError as error:
            return error

    def _take_piece(self, shard: Shard, piece: _Piece | Exception) -> None:
        """Replays a piece; at the end of the log the shard begins to serve."""
        if self._shards.get((shard.topic, shard.partition)) is not shard:
            return
        if not isinstance(piece, Exception) and piece.next_offset == shard.next_offset:
            # A transaction may have ended meanwhile: look once more, while nothing else can happen.
            piece = self._read(shard.topic, shard.partition, shard.next_offset)
        if isinstance(piece, Exception):
            self._load_failed(shard, piece)
        elif piece.next_offset == shard.next_offset:
            self._serve(shard)
        else:
            shard.load(piece.records, piece.next_offset)
            self._queue_load(shard)

    def _serve(self, shard: Shard) -> None:
        shard.batch_bytes_max = self._batch_bytes_max(shard.topic)
        self._load_times.end(shard.topic, shard.partition, self._ticks())
        self._feed(shard, shard.serve)
        self._wait_no_longer(shard)

    def _wait_no_longer(self, shard: Shard) -> None:
        for future in self._ready.pop((shard.topic, shard.partition), ()):
            if not future.done():
                future.set_result(None)

    def _load_failed(self, shard: Shard, error: Exception) -> None:
        if isinstance(error, NotLeaderOrFollower):
            return  # The end of the leadership is on its way.
        if isinstance(error, UnknownTopicOrPartition):
            # A leadership is told a moment before the partition can be read.
            self._loop.call_later(UNREADABLE_SECONDS, self._queue_load, shard)
            return
        logger.error("%s-%s can't be loaded: %s", shard.topic, shard.partition, error)
        shard.close()
        self._wait_no_longer(shard)
        if isinstance(error, KafkaError):
            self._start_again(shard)

    def _batch_bytes_max(self, topic: str) -> int:
        from barnabas.config.resolve import topic_value

        value = topic_value(self._configs(), self.image.config(TOPIC_RESOURCE, topic), "max.message.bytes")
        assert isinstance(value, int)
        return value


class _Piece(NamedTuple):
    """What was read of a partition."""

    next_offset: int
    records: list[Stored | StoredBytes]


@lru_cache(maxsize=65_536)
def java_hash(text: str) -> int:
    """The absolute value of Java's String.hashCode, as Kafka uses it to place keys."""
    value = 0
    data = text.encode("utf-16-be", "surrogatepass")
    for index in range(0, len(data), 2):
        value = (31 * value + (data[index] << 8) + data[index + 1]) & 0xFFFF_FFFF
    value = value - (1 << 32) if value >= 1 << 31 else value
    return 0 if value == -(1 << 31) else abs(value)
