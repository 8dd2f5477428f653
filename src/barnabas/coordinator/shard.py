"""One partition of a coordinator: its machine, timers, records on their way, and responses that wait.

The life of a shard: loading, serving, closed. The server feeds it events and appends what `take_batches`
gives, once for each turn of its loop; no event waits for anything.

Always true:
  records leave in the order in which they were put out, and those of one event in one batch
  a response or an effect leaves when the last batch put out before it is committed, in order
  every ticket that was handed in is answered exactly once, at the latest when the shard closes
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from barnabas.coordinator.machine import Batch, Context, Outputs, Stored
from barnabas.coordinator.records import decode_record, encode_record
from barnabas.coordinator.timers import Timers
from barnabas.errors import CoordinatorLoadInProgress, KafkaError, MessageTooLarge, NotCoordinator
from barnabas.protocol import ErrorCode

if TYPE_CHECKING:
    from barnabas.coordinator.machine import Call, Machine, Record, Steady, Ticket

BATCH_OVERHEAD = 61
"""Bytes of a record batch's header."""
RECORD_OVERHEAD_MAX = 21
"""Most bytes that a record needs beside its key and value."""
MERGED_BYTES_MAX = 256 * 1024
"""Size up to which records of several events share a batch."""

REFUSALS = frozenset(
    {
        ErrorCode.MESSAGE_TOO_LARGE,
        ErrorCode.RECORD_LIST_TOO_LARGE,
        ErrorCode.INVALID_PRODUCER_EPOCH,
        ErrorCode.PRODUCER_FENCED,
        ErrorCode.INVALID_TXN_STATE,
        ErrorCode.TRANSACTION_ABORTABLE,
    }
)
"""Errors of an append that speak of the batch, not of the partition."""


_TOLD: dict[int, ErrorCode] = {
    ErrorCode.NETWORK_EXCEPTION: ErrorCode.COORDINATOR_LOAD_IN_PROGRESS,
    ErrorCode.UNKNOWN_TOPIC_OR_PARTITION: ErrorCode.COORDINATOR_NOT_AVAILABLE,
    ErrorCode.NOT_ENOUGH_REPLICAS: ErrorCode.COORDINATOR_NOT_AVAILABLE,
    ErrorCode.REQUEST_TIMED_OUT: ErrorCode.COORDINATOR_NOT_AVAILABLE,
    ErrorCode.NOT_LEADER_OR_FOLLOWER: ErrorCode.NOT_COORDINATOR,
    ErrorCode.FENCED_LEADER_EPOCH: ErrorCode.NOT_COORDINATOR,
    ErrorCode.KAFKA_STORAGE_ERROR: ErrorCode.NOT_COORDINATOR,
    ErrorCode.MESSAGE_TOO_LARGE: ErrorCode.UNKNOWN_SERVER_ERROR,
    ErrorCode.RECORD_LIST_TOO_LARGE: ErrorCode.UNKNOWN_SERVER_ERROR,
}


def told_of_append(code: int) -> int:
    """What a coordinator's client is told when its record can't be written with this error, as in Kafka."""
    return _TOLD.get(code, code)


class Appended(NamedTuple):
    """What became of a batch."""

    error_code: int
    base_offset: int
    log_end_offset: int
    high_watermark: int


class StoredBytes(NamedTuple):
    """A record as the log gives it back."""

    offset: int
    timestamp: int
    producer_id: int
    producer_epoch: int
    key: bytes | None
    value: bytes | None
    control: int
    """-1 for data; the end of a transaction: 0 aborted, 1 committed."""


@dataclass(slots=True)
class EncodedBatch:
    """A batch to append."""

    records: list[tuple[bytes, bytes | None]]
    size: int
    """At most so many bytes in the log."""
    timestamp: int
    producer_id: int = -1
    producer_epoch: int = -1
    verification_guard: int = 0


class Phase(Enum):
    """Where a shard is in its life."""

    LOADING = "loading"
    SERVING = "serving"
    CLOSED = "closed"


def _nobody_cares(_shard: Shard, _unsteady: set[str], _steady: Steady | None) -> None:
    """Whoever has no data plane decides each heartbeat."""


class Shard:
    """One partition that this node leads."""

    def __init__(
        self,
        topic: str,
        partition: int,
        leader_epoch: int,
        machine: Machine,
        *,
        append: Callable[[Shard, Sequence[EncodedBatch]], list[Appended]],
        answer: Callable[[Ticket, Any], None],
        perform: Callable[[Shard, Any], None],
        steady: Callable[[Shard, set[str], Steady | None], None] = _nobody_cares,
    ) -> None:
        """`append` writes at once; `answer` gets each call's response, or a KafkaError; `perform` gets
        effects; `steady` the groups that are not steady any more and a member that is, at once."""
        self.topic = topic
        self.partition = partition
        self.leader_epoch = leader_epoch
        self.machine = machine
        self.phase = Phase.LOADING
        self.next_offset = 0
        """Where the next record of the log is read from while it is loaded; then where the next one goes."""
        self._loaded_to = 0
        self.batch_bytes_max = 1024 * 1024
        """max.message.bytes of the topic."""
        self._append = append
        self._answer = answer
        self._perform = perform
        self._steady = steady
        self._timers = Timers()
        self._tickets: set[Ticket] = set()
        self._unwritten: list[EncodedBatch] = []
        self._put_out = 0
        """Batches so far; a batch's number is the count with it."""
        self._written: deque[tuple[int, int]] = deque()
        """(number, end offset) of batches that are written and not yet committed."""
        self._committed = 0
        self._waiting: deque[tuple[int, Ticket | None, Any]] = deque()
        """What waits for the batch of a number: responses with their tickets, effects without."""

    # ---- loading

    def load(self, records: Iterable[Stored | StoredBytes], next_offset: int) -> None:
        """Replays records of the past; the next ones are those from `next_offset`."""
        machine = self.machine
        for record in records:
            if isinstance(record, StoredBytes):
                machine.replay_transaction_end(
                    record.producer_id, record.producer_epoch, committed=record.control == 1
                )
            else:
                machine.replay(record)
        self.next_offset = self._loaded_to = next_offset

    def serve(self, context: Context, clock: int) -> None:
        """Everything is loaded: calls are decided from now on."""
        assert self.phase is Phase.LOADING
        self.phase = Phase.SERVING
        self._run(self.machine.loaded, context, clock)

    def close(self, error: KafkaError | None = None) -> None:
        """The partition is another's, or the machine is no longer right: whoever waits is told."""
        self.phase = Phase.CLOSED
        self._unwritten.clear()
        self._waiting.clear()
        self._timers = Timers()
        tickets, self._tickets = self._tickets, set()
        for ticket in sorted(tickets):
            self._answer(ticket, error or NotCoordinator())

    # ---- events

    def handle(self, call: Call, context: Context, clock: int) -> None:
        """Decides a call."""
        if self.phase is not Phase.SERVING:
            loading = self.phase is Phase.LOADING
            self._answer(call.ticket, CoordinatorLoadInProgress() if loading else NotCoordinator())
            return
        self._tickets.add(call.ticket)
        out = Outputs()
        try:
            self.machine.handle(call, context, out)
        except KafkaError as error:
            out = Outputs()
            out.fail(call.ticket, error)
        self._settle(out, context, clock)

    def timers(self) -> list[Hashable]:
        """The timers that are set."""
        return list(self._timers)

    def expire_now(self, timers: Iterable[Hashable], context: Context, clock: int) -> None:
        """Runs timers as if they were due, and nobody had been heard of."""
        deaf = context._replace(heard=lambda _group_id, _member_id: None)
        for timer in timers:
            if self.phase is Phase.SERVING:
                self._timers.cancel(timer)
                self._run(partial(self.machine.expire, timer), deaf, clock)

    def follow_up(self, records: list[Record], context: Context, clock: int) -> None:  # noqa: ARG002
        """Puts out records that were decided with an effect, which has been carried out."""
        if self.phase is Phase.SERVING:
            self._put([Batch(records)], context.now)

    def expire(self, context: Context, clock: int) -> None:
        """Runs the timers that are due."""
        while self.phase is Phase.SERVING and (key := self._timers.take_due(clock)) is not None:
            out = Outputs()
            self.machine.expire(key, context, out)
            self._settle(out, context, clock)

    def next_deadline(self) -> int | None:
        """When `expire` has something to do, at the earliest; None when nothing is planned."""
        return self._timers.next()

    def metadata_changed(self, context: Context, clock: int) -> None:
        """The committed metadata is another now."""
        if self.phase is Phase.SERVING:
            self._run(self.machine.metadata_changed, context, clock)

    def transaction_ended(
        self, offset: int, producer_id: int, producer_epoch: int, *, committed: bool
    ) -> None:
        """A control record lies in the log at `offset`."""
        if self.phase is Phase.SERVING and offset >= self._loaded_to:
            self.machine.replay_transaction_end(producer_id, producer_epoch, committed)
            self.next_offset = max(self.next_offset, offset + 1)

    # ---- records on their way

    @property
    def has_batches(self) -> bool:
        """Whether there is something to append."""
        return bool(self._unwritten)

    def take_batches(self) -> list[EncodedBatch]:
        """What is to be appended now, in order; `appended` must be told what became of it."""
        batches, self._unwritten = self._unwritten, []
        return batches

    def appended(self, results: Sequence[Appended]) -> None:
        """What became of the batches that were taken last, in order."""
        first = self._put_out - len(self._unwritten) - len(results) + 1
        for number, result in enumerate(results, first):
            if self.phase is Phase.CLOSED:
                return
            if result.error_code:
                self._append_failed(result.error_code)
                return
            self._written.append((number, result.log_end_offset))
            self.next_offset = max(self.next_offset, result.log_end_offset)
        self.committed(results[-1].high_watermark)

    def committed(self, high_watermark: int) -> None:
        """Everything below `high_watermark` is committed."""
        while self._written and self._written[0][1] <= high_watermark:
            self._committed = self._written.popleft()[0]
        self._release()

    def _append_failed(self, code: int) -> None:
        self.close(KafkaError.for_code(told_of_append(code)))

    # ---- outputs of an event

    def _run(self, event: Callable[[Context, Outputs], None], context: Context, clock: int) -> None:
        out = Outputs()
        event(context, out)
        self._settle(out, context, clock)

    def _settle(self, out: Outputs, context: Context, clock: int) -> None:
        """Carries out what an event has put out."""
        if out.unsteady:
            self._steady(self, out.unsteady, None)
        if out.batches:
            try:
                self._put(out.batches, context.now)
            except KafkaError as error:
                self._refuse(out, error, context, clock)
                return
            if self.phase is not Phase.SERVING:
                return
        for key, deadline in out.timers:
            if deadline is None:
                self._timers.cancel(key)
            else:
                self._timers.set(key, clock + max(deadline - context.now, 0))
        for effect in out.effects:
            self._waiting.append((self._put_out, None, effect))
        for ticket, response in out.responses:
            self._waiting.append((self._put_out, ticket, response))
        if self._committed == self._put_out:
            self._release()
            if out.steady is not None:
                # Behind a commit the group may be another by the time of the answer.
                self._steady(self, set(), out.steady)

    def _refuse(self, out: Outputs, error: KafkaError, context: Context, clock: int) -> None:
        instead = Outputs()
        if out.refused is not None:
            out.refused(error, context, instead)
        answered = {ticket for ticket, _ in instead.responses}
        for ticket, _ in out.responses:
            if ticket not in answered:
                instead.fail(ticket, KafkaError.for_code(told_of_append(error.error_code)))
        self._settle(instead, context, clock)

    def _put(self, batches: Sequence[Batch], now: int) -> None:
        """Encodes batches, writes them if they are transactional, and replays them. KafkaError when one of
        them is refused: then none is replayed."""
        encoded = [one for batch in batches for one in self._encode(batch, now)]
        for one in encoded:
            if one.producer_id >= 0:
                self._write_now(one)
                if self.phase is not Phase.SERVING:
                    return
            else:
                self._put_later(one)
        for batch in batches:
            for record in batch.records:
                stored = Stored(
                    self.next_offset, now, batch.producer_id, batch.producer_epoch, record.key, record.value
                )
                self.next_offset += 1
                self.machine.replay(stored)

    def _encode(self, batch: Batch, now: int) -> list[EncodedBatch]:
        """The batch as bytes; in several batches where it may be divided and has to be."""
        whole: list[EncodedBatch] = []
        current: EncodedBatch | None = None
        for record in batch.records:
            key, value = encoded = encode_record(record)
            size = len(key) + RECORD_OVERHEAD_MAX + (len(value) if value is not None else 0)
            if current is None or (batch.divisible and current.size + size > self.batch_bytes_max):
                current = EncodedBatch(
                    [], BATCH_OVERHEAD, now, batch.producer_id, batch.producer_epoch, batch.verification_guard
                )
                whole.append(current)
            current.records.append(encoded)
            current.size += size
            if current.size > self.batch_bytes_max:
                raise MessageTooLarge(
                    f"A batch of {current.size} bytes is over max.message.bytes={self.batch_bytes_max}."
                )
        return whole

    def _put_later(self, batch: EncodedBatch) -> None:
        """To be written at the end of the turn, in one batch with others if there is room."""
        last = self._unwritten[-1] if self._unwritten else None
        size = batch.size - BATCH_OVERHEAD
        if last is not None and last.size + size <= min(MERGED_BYTES_MAX, self.batch_bytes_max):
            last.records.extend(batch.records)
            last.size += size
            return
        self._unwritten.append(batch)
        self._put_out += 1

    def _write_now(self, batch: EncodedBatch) -> None:
        """Writes a transactional batch, and what was put out before it: only the log knows whether its
        producer may still write, and what it refuses must not be replayed."""
        *before, result = self._append(self, [*self._unwritten, batch])
        self._unwritten = []
        if before:
            self.appended(before)
        if self.phase is not Phase.SERVING:
            return
        if result.error_code in REFUSALS:
            raise KafkaError.for_code(result.error_code)
        self._put_out += 1
        self.appended([result])
        self.next_offset = max(self.next_offset, result.log_end_offset) - len(batch.records)

    # ---- responses

    def _release(self) -> None:
        """Lets go of what waits for nothing any more."""
        waiting = self._waiting
        while waiting and waiting[0][0] <= self._committed:
            _, ticket, what = waiting.popleft()
            if ticket is None:
                self._perform(self, what)
            elif ticket in self._tickets:
                self._tickets.discard(ticket)
                self._answer(ticket, what)


def decoded(topic: str, records: Iterable[Sequence[Any]]) -> list[Stored | StoredBytes]:
    """Records that the log gave back, ready for `Shard.load`; unknown types are left out. ValueError when one
    is damaged."""
    found: list[Stored | StoredBytes] = []
    for row in records:
        record = StoredBytes(*row)
        if record.control >= 0:
            found.append(record)
        elif (pair := decode_record(topic, record.key, record.value)) is not None:
            found.append(
                Stored(record.offset, record.timestamp, record.producer_id, record.producer_epoch, *pair)
            )
    return found
