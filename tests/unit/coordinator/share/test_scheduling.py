"""Share groups that ask for more than Kafka: order by key, times, priority, pauses; and that those that don't
get what Kafka gives."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from barnabas.coordinator.share import scheduling
from barnabas.coordinator.share.acknowledge import ACCEPT, REJECT, RELEASE, RENEW
from barnabas.coordinator.share.batches import ACQUIRED, DONE, StateBatches, combine
from barnabas.coordinator.share.partition import Acquired, Limits, ReadBatch, SharePartition
from barnabas.coordinator.share.schedule import STALE_MAX, Place, Policy, RecordFacts

LIMITS = Limits(lock_ms=1000, delivery_count_max=4, in_flight_max=20)
BY_KEY = Policy(by_key=True, waiting_max=100)
ALL = 1 << 30


@dataclass
class Log:
    """Records in batches of 100 bytes each. Offsets may be missing, behind the records of a batch or all."""

    batches: list[tuple[ReadBatch, list[RecordFacts]]] = field(default_factory=list)
    end: int = 0

    def append(self, *records: RecordFacts, holes: int = 0) -> None:
        placed = [record._replace(offset=self.end + at) for at, record in enumerate(records)]
        last = self.end + len(placed) + holes - 1
        self.batches.append((ReadBatch(self.end, last), placed))
        self.end = last + 1

    def read_in(self, partition: SharePartition, limits: Limits, *, batch_count: int = 2) -> None:
        """As the edge does: some batches at a time, until there is no room or nothing more."""
        schedule = partition.schedule
        assert schedule is not None
        while (offset := scheduling.load_offset(partition, schedule, limits)) is not None:
            found = [one for one in self.batches if one[0].last_offset >= offset][:batch_count]
            if not found:
                return
            records = [record for _, records in found for record in records]
            scheduling.load(partition, schedule, [(batch, 100) for batch, _ in found], records, limits)


def record(
    key: int = 0, deliver_at: int = -1, expires_at: int = -1, priority: int = 0, timestamp: int = 0
) -> RecordFacts:
    return RecordFacts(0, timestamp, key, deliver_at, expires_at, priority)


def scheduled(policy: Policy, *records: RecordFacts) -> tuple[SharePartition, Log]:
    partition, log = SharePartition(0), Log()
    scheduling.follow(partition, policy, 0)
    for one in records:
        log.append(one)
    log.read_in(partition, LIMITS)
    return partition, log


def take(
    partition: SharePartition, member: str = "m", count: int = 100, now: int = 0, size: int = ALL
) -> list[int]:
    assert partition.schedule is not None
    acquired = scheduling.acquire(partition, partition.schedule, member, count, size, LIMITS, now)
    return [offset for first, last, _ in acquired for offset in range(first, last + 1)]


def test_a_key_waits_until_its_earlier_record_is_done_with() -> None:
    partition, _ = scheduled(BY_KEY, record(1), record(2), record(1), record(), record(), record(1))
    assert take(partition, "a") == [0, 1, 3, 4], "records without a key wait for none"
    partition.acknowledge("a", [(1, 1, [ACCEPT])], LIMITS, 0)
    assert take(partition, "b") == []
    partition.acknowledge("a", [(0, 0, [RELEASE])], LIMITS, 0)
    assert take(partition, "b") == [0], "a record that was given back goes before its followers"
    partition.acknowledge("b", [(0, 0, [REJECT])], LIMITS, 0)
    assert take(partition, "c") == [2]
    partition.expire(LIMITS, 1000)
    assert take(partition, "d", now=1000) == [2, 3, 4]


def test_a_record_is_not_delivered_before_its_time() -> None:
    policy = Policy(deliver_at=True, delay_ms=50, waiting_max=100)
    partition, _ = scheduled(policy, record(deliver_at=500), record(timestamp=10), record(deliver_at=0))
    assert take(partition, now=59) == [2]
    assert partition.next_deadline() == 60
    assert take(partition, now=60) == [1]
    assert take(partition, now=499) == []
    assert take(partition, now=500) == [0]


def test_a_record_is_not_delivered_from_its_end_on() -> None:
    policy = Policy(expires_at=True, ttl_ms=100, waiting_max=100)
    partition, _ = scheduled(policy, record(expires_at=50), record(timestamp=10), record(expires_at=900))
    assert take(partition, "a", count=1, now=49) == [0], "what a member has stays with it"
    assert take(partition, "b", now=110) == [2]
    partition.acknowledge("a", [(0, 0, [RENEW])], LIMITS, 120)
    partition.advance()
    assert partition.start_offset == 0
    partition.acknowledge("a", [(0, 0, [RELEASE])], LIMITS, 200)
    assert take(partition, "b", now=200) == []
    partition.acknowledge("b", [(2, 2, [ACCEPT])], LIMITS, 200)
    write = partition.take_write()
    assert write is not None
    assert write.start_offset == 3


def test_what_is_due_behind_an_expired_record_of_its_key_is_given_at_once() -> None:
    policy = Policy(by_key=True, expires_at=True, delay_ms=50, waiting_max=100)
    partition, _ = scheduled(policy, record(1, expires_at=60), record(1), record(1, expires_at=70), record(1))
    assert take(partition, now=80) == [1]
    partition.acknowledge("m", [(1, 1, [ACCEPT])], LIMITS, 80)
    assert take(partition, now=80) == [3]


def test_the_headers_of_a_group_that_has_not_asked_for_them_say_nothing() -> None:
    partition, _ = scheduled(BY_KEY, record(1, deliver_at=10**15, expires_at=1, priority=3), record(2))
    assert take(partition, now=5) == [0, 1]


def test_a_higher_priority_comes_first_and_alone() -> None:
    policy = Policy(priority=True, waiting_max=100)
    partition, log = scheduled(policy, *(record(priority=p) for p in (0, 5, 1, 5, -1)))
    assert take(partition) == [1, 3]
    assert take(partition) == [2]
    log.append(record(priority=9))
    log.read_in(partition, LIMITS)
    assert [take(partition), take(partition), take(partition)] == [[5], [0], [4]]


def test_a_record_that_failed_is_tried_again_after_a_pause_that_grows() -> None:
    policy = Policy(backoff_ms=100, backoff_ms_max=150, waiting_max=100)
    partition, _ = scheduled(policy, record())
    now = 0
    for pause in (100, 150, 150):
        assert take(partition, now=now) == [0]
        partition.acknowledge("m", [(0, 0, [RELEASE])], LIMITS, now)
        assert take(partition, now=now + pause - 1) == []
        assert partition.next_deadline() == now + pause
        now += pause
    assert take(partition, now=now) == [0]


def test_a_response_is_no_larger_than_asked_but_has_one_record() -> None:
    partition, _ = scheduled(BY_KEY, *(record() for _ in range(5)))
    assert take(partition, size=250) == [0, 1]
    assert take(partition, size=1) == [2]


def test_no_more_is_kept_than_may_be() -> None:
    policy = BY_KEY._replace(waiting_max=30)
    partition, log = scheduled(policy, *(record(1) for _ in range(200)))
    schedule = partition.schedule
    assert schedule is not None
    assert len(schedule.entries) == LIMITS.in_flight_max + 30
    for offset in range(200):
        assert take(partition) == [offset], "what is done with makes room"
        partition.acknowledge("m", [(offset, offset, [ACCEPT])], LIMITS, 0)
        log.read_in(partition, LIMITS)


def test_one_record_that_waits_holds_up_no_others() -> None:
    partition, log = scheduled(Policy(deliver_at=True, waiting_max=5), record(deliver_at=10**6))
    state: StateBatches = ()
    for offset in range(1, 500):
        log.append(record())
        log.read_in(partition, LIMITS)
        assert take(partition) == [offset]
        partition.acknowledge("m", [(offset, offset, [(ACCEPT, REJECT)[offset % 2]])], LIMITS, 0)
        write = partition.take_write()
        assert write is not None
        state = combine(state, write.batches, write.start_offset)
    assert len(partition.spans) == 2
    assert len(state) == 1, "nor does what is written down of them grow"
    assert take(partition, now=10**6) == [0]


def test_a_clock_that_was_set_or_another_policy_has_times_worked_out_anew() -> None:
    partition, log = scheduled(Policy(deliver_at=True, waiting_max=9), record(deliver_at=5000), record())
    assert take(partition) == [1]
    schedule = scheduling.follow(partition, Policy(deliver_at=True, waiting_max=9), 500)
    assert schedule is not None
    assert schedule.entries, "a small drift is let be"
    scheduling.follow(partition, Policy(deliver_at=True, waiting_max=9), 4000)
    log.read_in(partition, LIMITS)
    assert take(partition, now=999) == []
    assert take(partition, now=1000) == [0]
    assert scheduling.follow(partition, None, 4000) is None
    assert partition.acquire("m", [], 1, LIMITS, 0) == []
    partition.acknowledge("m", [(0, 1, [ACCEPT])], LIMITS, 1000)
    write = partition.take_write()
    assert write is not None
    assert write.start_offset == 2


def test_offsets_without_records_keep_nobody_waiting() -> None:
    """Compaction takes records away, also from under a member that has them."""
    partition = SharePartition(0)
    partition.acquire("m", [ReadBatch(0, 4)], 10, LIMITS, 0)
    log = Log()
    scheduling.follow(partition, BY_KEY, 0)
    log.batches = [
        (ReadBatch(2, 3), [record()._replace(offset=2)]),
        (ReadBatch(6, 9), [record()._replace(offset=7)]),
    ]
    log.read_in(partition, LIMITS)
    partition.acknowledge("m", [(0, 4, [RELEASE])], LIMITS, 0)
    assert take(partition) == [2, 7]
    partition.acknowledge("m", [(2, 2, [ACCEPT]), (7, 7, [ACCEPT])], LIMITS, 0)
    write = partition.take_write()
    assert write is not None
    assert write.start_offset == 10


def test_a_record_on_its_last_attempt_is_alone() -> None:
    partition, _ = scheduled(BY_KEY, *(record() for _ in range(4)))
    assert take(partition, "a", count=1) == [0]
    for _ in range(LIMITS.delivery_count_max - 1):
        assert take(partition, count=2) == [1, 2]
        partition.acknowledge("m", [(1, 2, [RELEASE])], LIMITS, 0)
    partition.acknowledge("a", [(0, 0, [RELEASE])], LIMITS, 0)
    assert [take(partition) for _ in range(4)] == [[0], [1], [2], [3]]


def test_what_has_expired_takes_no_room_behind_what_is_not_taken() -> None:
    policy = Policy(priority=True, expires_at=True, waiting_max=9)
    partition, log = scheduled(policy, record(priority=9))
    schedule = partition.schedule
    assert schedule is not None
    for now in range(1000):
        log.append(record(expires_at=now + 1))
        log.read_in(partition, LIMITS)
        partition.expire(LIMITS, now + 1)
    assert len(schedule.entries) == 1
    assert len(schedule._ready) <= 2 + STALE_MAX


class History:
    """What must hold of a scheduled share partition, beside the partition and what was written of it."""

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self.log = Log()
        self.now = 0
        self.held: dict[int, tuple[str, int]] = {}
        self.counts: dict[int, int] = {}
        self.not_before: dict[int, int] = {}
        """When the pause after the last attempt is over."""
        self.done: set[int] = set()
        self.start = 0
        self.batches: StateBatches = ()
        self.partition = SharePartition(0)
        scheduling.follow(self.partition, policy, 0)

    @property
    def records(self) -> dict[int, RecordFacts]:
        return {record.offset: record for _, records in self.log.batches for record in records}

    def due(self, record: RecordFacts) -> int:
        at = record.timestamp + self.policy.delay_ms if self.policy.delay_ms else 0
        at = record.deliver_at if self.policy.deliver_at and record.deliver_at >= 0 else at
        return max(at, self.not_before.get(record.offset, 0))

    def end(self, record: RecordFacts) -> int:
        if self.policy.expires_at and record.expires_at >= 0:
            return record.expires_at
        return record.timestamp + self.policy.ttl_ms if self.policy.ttl_ms is not None else 10**9

    def expire(self) -> None:
        gone = [one.offset for one in self.records.values() if self.end(one) <= self.now]
        self.done.update(offset for offset in gone if offset not in self.held)

    def append(self, records: list[RecordFacts], holes: int) -> None:
        self.log.append(*(one._replace(timestamp=self.now) for one in records), holes=holes)

    def fetch(self, member: str, records_max: int) -> None:
        self.log.read_in(self.partition, LIMITS)
        schedule = self.partition.schedule
        assert schedule is not None
        acquired = scheduling.acquire(self.partition, schedule, member, records_max, ALL, LIMITS, self.now)
        self.expire()
        records = self.records
        ready = [one for one in records.values() if self.is_ready(one, records)]
        taken = [offset for first, last, _ in acquired for offset in range(first, last + 1)]
        assert len(taken) <= records_max
        assert {records[offset] for offset in taken} <= set(ready)
        assert bool(taken) == bool(ready), "what is ready is given"
        if self.policy.priority and taken:
            best = max(one.priority for one in ready)
            assert {records[offset].priority for offset in taken} == {best}
        for first, last, count in acquired:
            for offset in range(first, last + 1):
                self.counts[offset] = self.counts.get(offset, 0) + 1
                assert count == self.counts[offset] <= LIMITS.delivery_count_max
                self.held[offset] = (member, self.now + LIMITS.lock_ms)

    def is_ready(self, record: RecordFacts, records: dict[int, RecordFacts]) -> bool:
        offset = record.offset
        if offset in self.done or offset in self.held or self.due(record) > self.now:
            return False
        return not self.policy.by_key or not any(
            record.lane and other.lane == record.lane and other.offset < offset
            for other in records.values()
            if other.offset not in self.done
        )

    def acknowledge(self, which: int, kind: int) -> None:
        offset = sorted(self.held)[which % len(self.held)]
        member, _ = self.held[offset]
        self.partition.acknowledge(member, [(offset, offset, [kind])], LIMITS, self.now)
        if kind == RENEW:
            self.held[offset] = (member, self.now + LIMITS.lock_ms)
        else:
            self.let_go(offset, released=kind == RELEASE)

    def let_go(self, offset: int, *, released: bool) -> None:
        del self.held[offset]
        count = self.counts[offset]
        self.not_before[offset] = self.now + self.policy.backoff(count)
        if not released or count == LIMITS.delivery_count_max:
            self.done.add(offset)

    def leave(self, member: str) -> None:
        self.partition.release(member, LIMITS, self.now)
        for offset, (owner, _) in list(self.held.items()):
            if owner == member:
                self.let_go(offset, released=True)

    def wait(self, ms: int) -> None:
        self.now += ms
        self.partition.expire(LIMITS, self.now)
        for offset, (_, deadline) in list(self.held.items()):
            if deadline <= self.now:
                self.let_go(offset, released=True)

    def write(self) -> None:
        write = self.partition.take_write()
        if write is not None:
            self.start = write.start_offset
            self.batches = combine(self.batches, write.batches, write.start_offset)

    def fail_over(self) -> None:
        """Another leader: what was acquired is available, pauses are forgotten."""
        self.partition = SharePartition(self.start, self.batches)
        scheduling.follow(self.partition, self.policy, 0)
        self.held.clear()
        self.not_before.clear()
        known = {
            offset: batch
            for batch in self.batches
            for offset in range(batch.first_offset, batch.last_offset + 1)
        }
        self.counts = {offset: batch.delivery_count for offset, batch in known.items()}

    def check(self) -> None:
        partition, schedule = self.partition, self.partition.schedule
        assert schedule is not None
        assert all(one.last + 1 == two.first for one, two in itertools.pairwise(partition.spans))
        states = {at: span.state for span in partition.spans for at in range(span.first, span.last + 1)}
        assert {offset for offset, state in states.items() if state == ACQUIRED} == self.held.keys()
        assert len(schedule.entries) <= LIMITS.in_flight_max + self.policy.waiting_max
        taken = {offset for offset, entry in schedule.entries.items() if entry.place is Place.TAKEN}
        assert len(taken) == schedule.taken
        assert taken <= self.held.keys()
        for heap in (schedule._ready, schedule._later, schedule._ends):
            assert len(heap) <= 2 * len(schedule.entries) + STALE_MAX + 1

    def drain(self) -> None:
        """Nothing is lost: in the end all of it is done with."""
        for _ in range(20 * len(self.records) + 20):
            self.wait(10_000)
            self.fetch("drain", 100)
            for _ in range(len(self.held)):
                self.acknowledge(0, ACCEPT)
            self.write()
        assert self.records.keys() <= self.done
        assert self.start == self.log.end


POLICIES = st.builds(
    Policy,
    by_key=st.booleans(),
    deliver_at=st.booleans(),
    expires_at=st.booleans(),
    priority=st.booleans(),
    delay_ms=st.sampled_from((0, 0, 700)),
    ttl_ms=st.sampled_from((None, None, 3000)),
    backoff_ms=st.sampled_from((0, 0, 300)),
    backoff_ms_max=st.just(1000),
    waiting_max=st.just(1000),
)
TIMES = st.one_of(st.just(-1), st.integers(0, 9000))
RECORDS = st.builds(
    RecordFacts,
    offset=st.just(0),
    timestamp=st.just(0),
    lane=st.integers(0, 3),
    deliver_at=TIMES,
    expires_at=TIMES,
    priority=st.integers(-1, 1),
)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("append"), st.lists(RECORDS, max_size=4), st.integers(1, 2)),
        st.tuples(st.just("append"), st.lists(RECORDS, min_size=1, max_size=4), st.just(0)),
        st.tuples(st.just("fetch"), st.sampled_from("ab"), st.integers(1, 8)),
        st.tuples(
            st.just("acknowledge"),
            st.integers(0, 50),
            st.sampled_from((ACCEPT, ACCEPT, RELEASE, REJECT, RENEW)),
        ),
        st.tuples(st.just("leave"), st.sampled_from("ab")),
        st.tuples(st.just("wait"), st.integers(1, 1500)),
        st.tuples(st.just("fail over")),
    ),
    max_size=30,
)


@settings(deadline=None, max_examples=300)
@given(policy=POLICIES, steps=STEPS)
def test_histories(policy: Policy, steps: list[tuple]) -> None:  # type: ignore[type-arg]
    history = History(policy)
    for what, *how in steps:
        match what:
            case "acknowledge" if not history.held:
                continue
            case "fail over":
                history.fail_over()
            case _:
                getattr(history, what)(*how)
        history.write()
        history.check()
    history.drain()


ROOM = LIMITS._replace(in_flight_max=1000)
"""What is in flight is bounded otherwise where records are delivered out of order."""
PLAIN_STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("append"), st.integers(1, 5)),
        st.tuples(st.just("fetch"), st.sampled_from("ab"), st.integers(1, 8)),
        st.tuples(st.just("acknowledge"), st.integers(0, 50), st.sampled_from((ACCEPT, RELEASE, REJECT))),
        st.tuples(st.just("wait"), st.integers(1, 1500)),
    ),
    max_size=30,
)


@settings(deadline=None)
@given(steps=PLAIN_STEPS)
def test_a_schedule_that_asks_for_nothing_gives_what_kafka_gives(steps: list[tuple]) -> None:  # type: ignore[type-arg]
    plain, with_schedule, log, now = SharePartition(0), SharePartition(0), Log(), 0
    schedule = scheduling.follow(with_schedule, Policy(), 0)
    assert schedule is not None
    held: dict[int, str] = {}
    for what, *how in steps:
        if what == "append":
            log.append(*(record() for _ in range(how[0])))
        elif what == "fetch":
            member, count = how
            acquired = fetch_plainly(plain, log, member, count, now)
            log.read_in(with_schedule, ROOM)
            assert scheduling.acquire(with_schedule, schedule, member, count, ALL, ROOM, now) == acquired
            held |= {at: member for first, last, _ in acquired for at in range(first, last + 1)}
        elif what == "acknowledge" and held:
            offset = sorted(held)[how[0] % len(held)]
            for one in (plain, with_schedule):
                one.acknowledge(held[offset], [(offset, offset, [how[1]])], ROOM, now)
            del held[offset]
        elif what == "wait":
            now += how[0]
            for one in (plain, with_schedule):
                one.expire(ROOM, now)
            held = {at: owner for at, owner in held.items() if state_of(plain, at) == ACQUIRED}
        writes = [one.take_write() for one in (plain, with_schedule)]
        assert [write and write[:2] for write in writes[:1]] == [write and write[:2] for write in writes[1:]]


def fetch_plainly(partition: SharePartition, log: Log, member: str, count: int, now: int) -> list[Acquired]:
    offset = partition.fetch_offset(ROOM)
    read = [one for one, _ in log.batches if offset is not None and one.last_offset >= offset]
    return partition.acquire(member, read, count, ROOM, now, strict=True)


def state_of(partition: SharePartition, offset: int) -> int:
    found = [span.state for span in partition.spans if span.first <= offset <= span.last]
    return found[0] if found else DONE[0]


@pytest.mark.parametrize(("count", "pause"), [(1, 100), (2, 200), (3, 400), (4, 500), (1000, 500)])
def test_pauses_double_up_to_the_longest(count: int, pause: int) -> None:
    assert Policy(backoff_ms=100, backoff_ms_max=500).backoff(count) == pause
