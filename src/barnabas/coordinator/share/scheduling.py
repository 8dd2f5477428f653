"""Delivery by a schedule: records are read into flight first, then given to members in the order that the
group asks for.

Always true: records are read in the order of offsets, and what was not read is given to nobody.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from itertools import groupby
from operator import attrgetter
from typing import TYPE_CHECKING

from barnabas.coordinator.share.batches import ACQUIRED, DONE
from barnabas.coordinator.share.schedule import BatchFacts, Policy, RecordFacts, Schedule

if TYPE_CHECKING:
    from barnabas.coordinator.share.partition import Acquired, Limits, ReadBatch, SharePartition

CLOCK_DRIFT_MS_MAX = 1000
"""How far two clocks may have moved against each other before times are worked out anew."""
_offset = attrgetter("offset")


def follow(partition: SharePartition, policy: Policy | None, clock_ahead: int) -> Schedule | None:
    """The schedule by which a policy is followed from now on; none, and delivery as in Kafka, without one.

    What is in flight is read again when the policy has changed, or when the clock of the records, which is so
    far ahead of the caller's, was set.
    """
    schedule = partition.schedule
    if policy is None:
        partition.schedule = None
    elif schedule is None or schedule.policy != policy or _was_set(schedule.clock_ahead, clock_ahead):
        partition.schedule = Schedule(policy, clock_ahead, partition.start_offset)
    return partition.schedule


def _was_set(before: int, clock_ahead: int) -> bool:
    return abs(clock_ahead - before) > CLOCK_DRIFT_MS_MAX


def load_offset(partition: SharePartition, schedule: Schedule, limits: Limits) -> int | None:
    """From where on records are to be read; None while there is no room for more."""
    schedule.next_offset = partition.skip_done(max(schedule.next_offset, partition.start_offset))
    return schedule.next_offset if _room(schedule, limits) > 0 else None


def _room(schedule: Schedule, limits: Limits) -> int:
    return limits.in_flight_max + schedule.policy.waiting_max - len(schedule.entries)


def load(
    partition: SharePartition,
    schedule: Schedule,
    batches: Sequence[tuple[ReadBatch, int]],
    records: Sequence[RecordFacts],
    limits: Limits,
) -> None:
    """Takes in batches, each with its size, that were read from `load_offset` on, as far as there is room."""
    room = _room(schedule, limits)
    for batch, size in batches:
        if batch.last_offset < schedule.next_offset:
            continue
        facts = BatchFacts(batch.base_offset, size)
        begin = bisect_left(records, max(batch.base_offset, schedule.next_offset), key=_offset)
        end = begin if batch.aborted else bisect_right(records, batch.last_offset, key=_offset)
        for record in records[begin:end]:
            if room <= 0:
                return
            room -= _load_one(partition, schedule, record, facts)
        partition.pass_over(schedule.next_offset, batch.last_offset)
        schedule.next_offset = batch.last_offset + 1


def _load_one(partition: SharePartition, schedule: Schedule, record: RecordFacts, batch: BatchFacts) -> int:
    """How many records were added to the schedule."""
    partition.pass_over(schedule.next_offset, record.offset - 1)  # Compaction has left nothing there.
    schedule.next_offset = record.offset + 1
    state = partition.bring_in(record.offset)
    if state in DONE:
        return 0
    schedule.add(record, batch, taken=state == ACQUIRED)
    return 1


def acquire(
    partition: SharePartition,
    schedule: Schedule,
    member: str,
    records_max: int,
    bytes_max: int,
    limits: Limits,
    now: int,
) -> list[Acquired]:
    """Gives a member records that were loaded, those of one priority only, and at most so many whose batches
    have so many bytes together, but one at least. In the order of offsets."""
    partition.archive_gone(now)
    room = min(records_max, limits.in_flight_max - schedule.taken)
    picked = sorted(_pick(partition, schedule, room, bytes_max, limits))
    acquired: list[Acquired] = []
    for _, run in groupby(enumerate(picked), lambda one: one[1] - one[0]):
        offsets = [offset for _, offset in run]
        partition.give(offsets[0], offsets[-1], member, now + limits.lock_ms, acquired)
    partition.advance()
    return acquired


def _pick(
    partition: SharePartition, schedule: Schedule, room: int, bytes_max: int, limits: Limits
) -> list[int]:
    picked: list[int] = []
    batches: set[BatchFacts] = set()
    rank, size = None, 0
    while len(picked) < room and (first := schedule.first()) is not None:
        offset, entry = first
        if entry.batch not in batches:
            size += entry.batch.size
            batches.add(entry.batch)
        is_last_attempt = 0 < partition.delivery_count(offset) == limits.delivery_count_max - 1
        # As in Kafka a record on its last attempt is alone: if it is a poisonous one, it is to harm no other.
        if picked and (is_last_attempt or entry.rank != rank or size > bytes_max):
            break
        rank = entry.rank
        schedule.take_first()
        picked.append(offset)
        if is_last_attempt:
            break
    return picked


def batch_offsets(schedule: Schedule, acquired: Sequence[Acquired]) -> list[int]:
    """The base offsets of the batches that hold what was acquired, in order."""
    bases = {
        schedule.entries[offset].batch.base_offset
        for first, last, _ in acquired
        for offset in range(first, last + 1)
    }
    return sorted(bases)
