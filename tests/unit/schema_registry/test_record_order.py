"""The order in which records of the topic are handed on, whether read first or acknowledged first."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from barnabas.errors import BarnabasError
from barnabas.schema_registry.order import Order, Stored, Write, Written


@dataclass
class Logged:
    """A record in the log."""

    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None


class Topic(RuleBasedStateMachine):
    """A log, an instance that writes to it, others that do, and the reader, each at a pace of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.taken: list[tuple[int, bytes | None]] = []
        self.order = Order(self.take)
        self.log: list[Logged | None] = []
        """None: an offset without a record, as that of a marker, or of what compaction took."""
        self.sent: list[Written] = []
        self.unacknowledged: list[tuple[int, Written]] = []
        self.position = 0
        self.writes: list[tuple[Write, list[Written], list[Exception | None]]] = []
        self.gone: set[bytes] = set()
        """Values of records that will not come, as far as the writer knows."""
        self.foreign = 0
        self.number = 0

    def take(self, record: Stored) -> Exception | None:
        self.taken.append((record.offset, record.value))
        return None

    def value(self) -> bytes:
        self.number += 1
        return b"%d" % self.number

    @rule(count=st.integers(1, 3))
    def write(self, count: int) -> None:
        landed: list[Exception | None] = []
        write = Write(count, landed.append)
        records = [Written(b"key", self.value(), 1, write) for _ in range(count)]
        self.writes.append((write, records, landed))
        for record in records:
            self.order.sent(record)
            self.sent.append(record)

    @precondition(lambda self: self.sent)
    @rule()
    def append(self) -> None:
        written = self.sent.pop(0)
        self.unacknowledged.append((len(self.log), written))
        self.log.append(Logged(len(self.log), 1, written.key, written.value))

    @precondition(lambda self: self.sent)
    @rule()
    def lose(self) -> None:
        self.fail(self.sent.pop(0))

    @precondition(lambda self: self.unacknowledged)
    @rule()
    def lose_the_answer(self) -> None:
        offset, written = self.unacknowledged.pop(0)
        if offset >= self.position:
            self.foreign += 1  # Nobody knows it when it comes.
        self.fail(written)

    def fail(self, written: Written) -> None:
        assert written.value is not None
        self.gone.add(written.value)
        self.order.failed(written, BarnabasError("lost"))

    @precondition(lambda self: self.unacknowledged)
    @rule(is_told=st.booleans())
    def acknowledge(self, is_told: bool) -> None:
        offset, written = self.unacknowledged.pop(0)
        wanted = self.order.acknowledged(written, offset if is_told else -1)
        assert wanted is None or self.position <= wanted < len(self.log)

    @rule()
    def another_writes(self) -> None:
        self.foreign += 1
        self.log.append(Logged(len(self.log), 1, b"key", self.value()))

    @rule()
    def mark(self) -> None:
        self.log.append(None)

    @rule(offset=st.integers(0, 30))
    def compact(self, offset: int) -> None:
        """Takes a record away that the reader has not come to, and that is known."""
        record = self.log[offset] if offset < len(self.log) else None
        if record is not None and (offset, record.value) in self.taken:
            self.log[offset] = None

    @precondition(lambda self: self.position < len(self.log))
    @rule()
    def read(self) -> None:
        record = self.log[self.position]
        self.position += 1
        if record is not None:
            self.order.read(record)

    @invariant()
    def everything_is_handed_on_once_and_in_order(self) -> None:
        offsets = [offset for offset, _ in self.taken]
        assert offsets == sorted(set(offsets))
        for record in self.log[: offsets[-1] if offsets else 0]:
            assert record is None or (record.offset, record.value) in self.taken

    @invariant()
    def a_write_is_done_when_its_records_are_handed_on(self) -> None:
        known = {value for _, value in self.taken}
        for _, records, landed in self.writes:
            is_done = all(record.value in known or record.value in self.gone for record in records)
            assert len(landed) == is_done

    def teardown(self) -> None:
        self.another_writes()  # Compaction leaves the last record where it is.
        while self.sent:
            self.append()
        while self.unacknowledged:
            self.acknowledge(is_told=True)
        while self.position < len(self.log):
            self.read()
        self.a_write_is_done_when_its_records_are_handed_on()
        assert all(landed for _, _, landed in self.writes)
        assert not self.order.is_ahead
        assert self.order.foreign == self.foreign


TestTopic = Topic.TestCase
TestTopic.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
