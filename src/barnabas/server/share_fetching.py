"""Fetching from share partitions: reads records and gives them to a member, or waits until there are some.

Always true: what a response has in `acquired` is in its records, as far as it exists; a session that has
ended acquires nothing any more.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from barnabas.coordinator.share import scheduling
from barnabas.coordinator.share.partition import Acquired, Limits, ReadBatch
from barnabas.coordinator.share.requests import ShareKey
from barnabas.errors import KafkaError, OffsetOutOfRange, UnknownTopicId
from barnabas.server import share_schedules

if TYPE_CHECKING:
    from barnabas.server.handlers.context import NodeContext
    from barnabas.server.share_partitions import LedPartition, SharePartitions
    from barnabas.server.share_sessions import Place, ShareSession

READ_BYTES_MAX = 1024 * 1024
"""Bytes that are read of one partition for one request, as for consumers by default."""


@dataclass(frozen=True, slots=True)
class Fetch:
    """How much a ShareFetch wants."""

    wait_ms: int
    bytes_max: int
    records_max: int
    strict: bool
    """Whether no more records than that are acquired."""


@dataclass(slots=True)
class Fetched:
    """What became of one partition of a ShareFetch."""

    error: KafkaError | None = None
    records: bytes = b""
    acquired: Sequence[Acquired] = ()


async def fetch(
    node: NodeContext, partitions: SharePartitions, session: ShareSession, how: Fetch
) -> dict[Place, Fetched]:
    """What there is for the member, at the latest when its patience is over: partitions that have something
    to say."""
    if how.records_max <= 0 or how.bytes_max <= 0:
        return {}
    deadline = partitions.now() + max(how.wait_ms, 0)
    await partitions.dead_letters.prepare(session.group_id, partitions.settings())
    while True:
        led, fetched = await _load(node, partitions, session)
        woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        try:
            for one in led:
                one.waiting.add(woken)
                partitions.watch(one)
            await _read_in_all(node, partitions, led, how, fetched)
            if session.is_open:
                _acquire_all(node, partitions, session, led, how, fetched)
            left = deadline - partitions.now()
            if fetched or left <= 0 or not session.is_open:
                return fetched
            await asyncio.wait((woken,), timeout=left / 1000)
        finally:
            for one in led:
                one.waiting.discard(woken)


async def _load(
    node: NodeContext, partitions: SharePartitions, session: ShareSession
) -> tuple[list[LedPartition], dict[Place, Fetched]]:
    """The session's partitions, in turn, and what is wrong with others."""
    led: list[LedPartition] = []
    failed: dict[Place, Fetched] = {}
    for place in session.in_turn():
        if node.image().topic_by_id(place[0]) is None:
            failed[place] = Fetched(UnknownTopicId())
            partitions.drop(ShareKey(session.group_id, *place))
            continue
        try:
            led.append(await partitions.get(ShareKey(session.group_id, *place)))
        except KafkaError as error:
            failed[place] = Fetched(error)
    return [one for one in led if not one.is_gone], failed


async def _read_in_all(
    node: NodeContext,
    partitions: SharePartitions,
    led: Sequence[LedPartition],
    how: Fetch,
    fetched: dict[Place, Fetched],
) -> None:
    """Has schedules know what there is."""
    for one in led:
        try:
            await share_schedules.read_in(node, partitions, one, how.records_max)
        except KafkaError as error:
            fetched[one.place] = Fetched(error)


def _acquire_all(
    node: NodeContext,
    partitions: SharePartitions,
    session: ShareSession,
    led: Sequence[LedPartition],
    how: Fetch,
    fetched: dict[Place, Fetched],
) -> None:
    records_left, bytes_left = how.records_max, how.bytes_max
    limits = partitions.limits(session.group_id)
    committed = partitions.reads_committed(session.group_id)
    for one in led:
        if one.is_gone or one.place in fetched:
            continue
        if records_left <= 0 or bytes_left <= 0:
            return
        some = Fetch(0, min(bytes_left, READ_BYTES_MAX), records_left, how.strict)
        acquire = _acquire if one.partition.schedule is None else _acquire_scheduled
        found = acquire(node, partitions, session, one, some, limits, committed=committed)
        if found is not None:
            fetched[one.place] = found
            bytes_left -= len(found.records)
            records_left -= sum(last - first + 1 for first, last, _ in found.acquired)


def _acquire(
    node: NodeContext,
    partitions: SharePartitions,
    session: ShareSession,
    led: LedPartition,
    how: Fetch,
    limits: Limits,
    *,
    committed: bool,
) -> Fetched | None:
    """Reads from one partition and acquires; None when there is nothing."""
    partition = led.partition
    while (offset := partition.fetch_offset(limits)) is not None:
        code, log_start, _, data, batches = node.native.read_for_share(
            *led.place, offset, how.bytes_max, committed
        )
        if code == OffsetOutOfRange.error_code:
            code, log_start = node.native.share_offset(*led.place, -2, committed)
            if not code and log_start > offset:
                partition.log_begins_at(log_start)
                partitions.changed(led)
                continue
            code = code or OffsetOutOfRange.error_code
        if code:
            return Fetched(KafkaError.for_code(code))
        if not batches:
            return None
        read = [ReadBatch(base, last, aborted) for base, last, _, aborted in batches]
        before = partition.end_offset
        acquired = partition.acquire(
            session.member_id, read, how.records_max, limits, partitions.now(), strict=how.strict
        )
        partitions.changed(led)
        if acquired:
            return Fetched(None, _cut(data, batches, acquired), acquired)
        if partition.end_offset == before and partition.fetch_offset(limits) == offset:
            return None
    return None


def _acquire_scheduled(
    node: NodeContext,
    partitions: SharePartitions,
    session: ShareSession,
    led: LedPartition,
    how: Fetch,
    limits: Limits,
    *,
    committed: bool,
) -> Fetched | None:
    """Acquires what the partition's schedule gives; None when there is nothing."""
    schedule = led.partition.schedule
    assert schedule is not None
    now = partitions.now()
    acquired = scheduling.acquire(
        led.partition, schedule, session.member_id, how.records_max, how.bytes_max, limits, now
    )
    partitions.changed(led, wakes=False)
    if not acquired:
        return None
    records = share_schedules.read_batches(node, led, schedule, acquired, committed=committed)
    return Fetched(None, records, acquired)


def _cut(data: bytes, batches: Sequence[tuple[int, int, int, bool]], acquired: Sequence[Acquired]) -> bytes:
    """Only batches that hold something acquired, and what lies between them."""
    first, last = acquired[0].first_offset, acquired[-1].last_offset
    begin = end = 0
    for base_offset, last_offset, position, _ in batches:
        if last_offset < first:
            begin = position
        if base_offset <= last:
            end = position
    return data[begin:end]
