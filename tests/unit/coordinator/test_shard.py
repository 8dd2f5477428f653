"""One partition: what is answered when, and what becomes of records that can't be written."""

from __future__ import annotations

from dataclasses import dataclass

from barnabas.coordinator.machine import Call, Context, Outputs, Record, Stored, TimerKey
from barnabas.coordinator.records import GROUPS
from barnabas.coordinator.shard import Phase
from barnabas.errors import GroupIdNotFound, KafkaError
from barnabas.protocol import ErrorCode
from barnabas.protocol.generated.offset_commit_key import OffsetCommitKey
from barnabas.protocol.generated.offset_commit_value import OffsetCommitValue
from tests.support.coordinator import CoordinatorSim, FakeLog


@dataclass(frozen=True)
class Put:
    """Writes numbers and answers with how many there are."""

    numbers: tuple[int, ...]
    producer_id: int = -1
    divisible: bool = False
    metadata: str = ""


class Ask:
    """Answers with all numbers."""


class Numbers:
    """A machine that knows which numbers were written."""

    def __init__(self) -> None:
        self.numbers: list[int] = []
        self.ended: list[tuple[int, bool]] = []
        self.undone = 0

    def replay(self, stored: Stored) -> None:
        assert isinstance(stored.value, OffsetCommitValue)
        self.numbers.append(stored.value.offset)

    def replay_transaction_end(self, producer_id: int, producer_epoch: int, committed: bool) -> None:
        self.ended.append((producer_id, committed))

    def loaded(self, context: Context, out: Outputs) -> None:
        out.effect("loaded")

    def handle(self, call: Call, context: Context, out: Outputs) -> None:
        asked = call.request
        if isinstance(asked, Ask):
            out.respond(call.ticket, tuple(self.numbers))
            return
        assert isinstance(asked, Put)
        if not asked.numbers:
            raise GroupIdNotFound()
        records = [
            Record(
                OffsetCommitKey("g", "t", number),
                OffsetCommitValue(offset=number, metadata=asked.metadata),
                4,
            )
            for number in asked.numbers
        ]
        if asked.producer_id >= 0:
            out.append_transactional(asked.producer_id, 0, records)
        elif asked.divisible:
            out.append_each(records)
        else:
            out.append(*records)
        out.refused = self.undo
        out.effect(asked.numbers)
        out.respond(call.ticket, len(self.numbers))

    def undo(self, error: KafkaError, context: Context, out: Outputs) -> None:
        self.undone += 1

    def expire(self, key: TimerKey, context: Context, out: Outputs) -> None:
        raise AssertionError(key)

    def metadata_changed(self, context: Context, out: Outputs) -> None:
        out.append(Record(OffsetCommitKey("g", "t", 99), OffsetCommitValue(offset=99), 4))


def numbers() -> CoordinatorSim:
    return CoordinatorSim(Numbers, GROUPS)


def test_calls_of_one_turn_share_a_batch_and_see_each_other() -> None:
    sim = numbers()
    with sim.held():
        first, second, asked = sim.call(Put((1,))), sim.call(Put((2, 3))), sim.call(Ask())
        assert first.waits
        assert asked.waits
    assert (first.response, second.response, asked.response) == (0, 1, (1, 2, 3))
    assert (sim.log.batches, sim.log.end) == (1, 3)


def test_responses_wait_until_everything_before_them_is_committed() -> None:
    sim = numbers()
    sim.log.commits_at_once = False
    put, asked = sim.call(Put((1,))), sim.call(Ask())
    assert put.waits
    assert asked.waits
    assert sim.effects == ["loaded"]
    sim.commit()
    assert (put.response, asked.response) == (0, (1,))
    assert sim.effects == ["loaded", (1,)]


def test_a_batch_that_is_too_large_fails_its_own_call_only() -> None:
    sim = numbers()
    sim.shard.batch_bytes_max = 500
    with sim.held():
        small, large, asked = sim.call(Put((1,))), sim.call(Put((2,), metadata="x" * 500)), sim.call(Ask())
    assert large.error.error_code == ErrorCode.UNKNOWN_SERVER_ERROR
    assert (small.response, asked.response, sim.machine.undone) == (0, (1,), 1)
    assert sim.effects == ["loaded", (1,)]


def test_records_that_need_not_stay_together_are_divided() -> None:
    sim = numbers()
    sim.shard.batch_bytes_max = 500
    assert sim.call(Put(tuple(range(50)), divisible=True)).response == 0
    assert sim.log.batches > 1
    sim.restart()
    assert sim.call(Ask()).response == tuple(range(50))


def test_an_append_that_fails_closes_the_shard_and_nothing_was_written() -> None:
    for code, told in (
        (ErrorCode.NOT_LEADER_OR_FOLLOWER, ErrorCode.NOT_COORDINATOR),
        (ErrorCode.KAFKA_STORAGE_ERROR, ErrorCode.NOT_COORDINATOR),
        (ErrorCode.NOT_ENOUGH_REPLICAS, ErrorCode.COORDINATOR_NOT_AVAILABLE),
    ):
        sim = numbers()
        sim.call(Put((1,)))
        sim.log.error_code = code
        with sim.held():
            put, asked = sim.call(Put((2,))), sim.call(Ask())
        assert (put.error.error_code, asked.error.error_code) == (told, told)
        assert sim.shard.phase is Phase.CLOSED
        assert sim.call(Ask()).error.error_code == ErrorCode.NOT_COORDINATOR
        sim.log.error_code = 0
        sim.load()
        assert sim.call(Ask()).response == (1,)


def test_a_refused_transactional_batch_leaves_what_was_put_out_before_it() -> None:
    sim = numbers()

    class Fencing(FakeLog):
        def _append(self, batch):  # type: ignore[no-untyped-def]
            self.error_code = ErrorCode.INVALID_PRODUCER_EPOCH if batch.producer_id >= 0 else 0
            return super()._append(batch)

    sim.log = Fencing()
    with sim.held():
        put, fenced, asked = sim.call(Put((1,))), sim.call(Put((2,), producer_id=7)), sim.call(Ask())
    assert fenced.error.error_code == ErrorCode.INVALID_PRODUCER_EPOCH
    assert (put.response, asked.response) == (0, (1,))
    assert sim.call(Put((3,))).response == 1
    sim.restart()
    assert sim.call(Ask()).response == (1, 3)


def test_ends_of_transactions_are_heard_once() -> None:
    sim = numbers()
    sim.call(Put((1,), producer_id=7))
    offset = sim.log.end_transaction(7, 0, committed=True)
    sim.restart()
    sim.shard.transaction_ended(offset, 7, 0, committed=True)  # told late: the log had it already
    assert sim.machine.ended == [(7, True)]
    sim.end_transaction(7, committed=False)
    assert sim.machine.ended == [(7, True), (7, False)]


def test_who_waits_is_told_when_the_partition_goes() -> None:
    sim = numbers()
    sim.log.commits_at_once = False
    put = sim.call(Put((1,)))
    sim.restart()
    assert put.error.error_code == ErrorCode.NOT_COORDINATOR


def test_an_error_counts_for_nothing_but_its_call() -> None:
    sim = numbers()
    assert sim.call(Put(())).error.error_code == ErrorCode.GROUP_ID_NOT_FOUND
    assert sim.log.end == 0


def test_other_events_write_too() -> None:
    sim = numbers()
    sim.metadata_changed()
    assert sim.call(Ask()).response == (99,)
