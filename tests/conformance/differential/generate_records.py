"""Requests that write and read records."""

from __future__ import annotations

from typing import Any

from barnabas.protocol import Message
from barnabas.protocol.generated import (
    delete_records_request as delete_records_,
)
from barnabas.protocol.generated import (
    describe_producers_request as describe_producers_,
)
from barnabas.protocol.generated import (
    fetch_request as fetch_,
)
from barnabas.protocol.generated import (
    init_producer_id_request as init_producer_id_,
)
from barnabas.protocol.generated import (
    list_offsets_request as list_offsets_,
)
from barnabas.protocol.generated import (
    offset_for_leader_epoch_request as leader_epoch_,
)
from barnabas.protocol.generated import (
    produce_request as produce_,
)
from tests.conformance.differential import batches
from tests.conformance.differential.batches import Batch, Record, Records
from tests.conformance.differential.symbols import PRODUCER, Symbol
from tests.conformance.differential.world import LONGS, World

DAY = 86_400_000


def record(world: World) -> Record:
    key = None if world.often(0.3) else world.chance.randbytes(world.chance.randrange(4))
    value = None if world.often(0.1) else b"v" * world.pick(0, 1, 10, 10, 100)
    headers: tuple[tuple[str, bytes | None], ...] = ()
    if world.often(0.15):
        headers = (("h", world.pick(b"", b"x", None)),) * world.chance.randint(1, 2)
    return Record(key, value, world.pick(0, 0, 0, 1, 5, -3), headers)


def timestamp(world: World) -> int:
    if world.often(0.8):
        return world.now + world.chance.randrange(1000)
    return int(
        world.pick(world.now - 400 * DAY, world.now + 30 * DAY, 0, -1, -2, 2**63 - 1000, world.now - 5000)
    )


def batch(world: World, place: tuple[Any, int]) -> Batch:
    """A batch, most of the time a good one; `place` is its (topic, partition)."""
    attributes = world.pick(0, 0, 0, 0, batches.GZIP, batches.SNAPPY, batches.LZ4, batches.ZSTD)
    if world.often(0.05):
        attributes |= world.pick(
            batches.TRANSACTIONAL, batches.CONTROL, batches.LOG_APPEND_TIME, batches.HAS_DELETE_HORIZON,
            batches.CONTROL | batches.TRANSACTIONAL,
        )  # fmt: skip
    producer: Any = -1
    epoch = sequence = -1
    if world.producers and world.often(0.35):
        chosen = world.chance.choice(world.producers[-4:])
        producer, epoch = chosen.symbol, chosen.epoch
        sequence = chosen.sequences.get(place, 0)
        if world.often(0.25):
            sequence = world.pick(0, 1, sequence - 1, sequence + 1, max(0, sequence - 2), -1, 2**31 - 1)
        if world.often(0.08):
            epoch += world.pick(-1, 1, 5)
    elif world.often(0.03):
        producer, epoch, sequence = (
            world.pick(Symbol(PRODUCER, "nobody"), -2),
            world.pick(0, -1, 3),
            world.pick(0, 4, -1),
        )
    return Batch(
        records=tuple(record(world) for _ in range(world.pick(1, 1, 2, 3, 8) if world.often(0.98) else 0)),
        timestamp=timestamp(world),
        attributes=attributes,
        producer=producer,
        epoch=epoch,
        sequence=sequence,
        magic=2 if world.often(0.96) else world.pick(0, 1, 3, -1),
        mutation=world.chance.choice(batches.MUTATIONS) if world.often(0.12) else "",
    )


def produce(world: World, version: int) -> Message:
    def partition(place: Any, name: str) -> Any:
        index = world.partition(name)
        count = 1 if world.often(0.95) else world.pick(0, 2)
        records = Records(tuple(batch(world, (place, index)) for _ in range(count)))
        return produce_.PartitionProduceData(index, None if world.often(0.02) else records)  # type: ignore[arg-type]

    def topic() -> Any:
        name = world.topic()
        made = produce_.TopicProduceData()
        place: Any = name
        if version >= 13:
            made.topic_id = place = world.topic_id(name)  # type: ignore[assignment]
        else:
            made.name = name
        made.partition_data = world.some(lambda: partition(place, name), most=2)
        return made

    topics = world.some(topic, most=2)
    if world.often(0.97):
        topics = _once(topics)
    return produce_.ProduceRequest(
        transactional_id=None if world.often(0.98) else "t",
        acks=world.pick(1, -1, -1, -1) if world.often(0.95) else world.pick(0, 2, -2),
        timeout_ms=world.pick(1000, 5000, 5000),
        topic_data=topics,
    )


def _once(topics: list[Any]) -> list[Any]:
    """Each partition once."""
    seen = set()
    kept = []
    for topic in topics:
        partitions = []
        for partition in topic.partition_data:
            key = (topic.name, topic.topic_id, partition.index)
            if key not in seen:
                seen.add(key)
                partitions.append(partition)
        if partitions or not topic.partition_data:
            kept.append(produce_.TopicProduceData(topic.name, topic.topic_id, partitions))
    return kept


def fetch(world: World, version: int) -> Message:
    def partition(name: str) -> Any:
        return fetch_.FetchPartition(
            partition=world.partition(name),
            current_leader_epoch=world.epoch() if version >= 9 else -1,
            fetch_offset=world.pick(0, 0, 0, 1, 2, 3, 5, 10, 20) if world.often(0.93) else world.pick(*LONGS),
            last_fetched_epoch=-1 if version < 12 or world.often(0.97) else world.pick(0, 1),
            partition_max_bytes=world.pick(1 << 20, 1 << 20, 1 << 20, 200, 1, 0, 61, -1),
        )

    def name_it(made: Any, name: str) -> Any:
        if version >= 13:
            made.topic_id = world.topic_id(name)
        else:
            made.topic = name
        return made

    def topic() -> Any:
        name = world.topic()
        return name_it(fetch_.FetchTopic(partitions=world.some(lambda: partition(name), most=2)), name)

    def forgotten() -> Any:
        name = world.topic()
        return name_it(fetch_.ForgottenTopic(partitions=[world.partition(name)]), name)

    request = fetch_.FetchRequest(
        max_wait_ms=world.pick(0, 0, 0, 1, 20),
        min_bytes=world.pick(0, 0, 1, 1, 500),
        max_bytes=world.pick(50 << 20, 50 << 20, 1, 300, 0),
        isolation_level=world.pick(0, 0, 1),
        topics=world.some(topic),
    )
    if version >= 11 and world.often(0.1):
        request.rack_id = "rack"
    if version >= 7 and world.often(0.6):
        sessions = [s for s in world.sessions if s.by_id == (version >= 13) or world.often(0.03)]
        if sessions and world.often(0.7):
            session = world.chance.choice(sessions)
            request.session_id = session.symbol  # type: ignore[assignment]
            request.session_epoch = session.next_epoch
            if world.often(0.1):
                request.session_epoch = world.pick(session.next_epoch + 1, session.next_epoch - 1, 0, -1, -5)
            if world.often(0.5):
                request.topics = []
            request.forgotten_topics_data = [forgotten()] if world.often(0.2) else []
        else:
            request.session_epoch = world.pick(0, 0, 0, 0, -1, 1)
    return request


def list_offsets(world: World, version: int) -> Message:
    special = [-1, -1, -2, -2]
    special += [-3] if version >= 7 or world.often(0.1) else []
    special += [-4] if version >= 8 or world.often(0.1) else []
    special += [-5] if version >= 9 or world.often(0.1) else []

    def partition(name: str) -> Any:
        chosen = world.chance.choice(special) if world.often(0.6) else timestamp(world)
        epoch = world.epoch() if version >= 4 else -1
        return list_offsets_.ListOffsetsPartition(world.partition(name), epoch, chosen)

    def topic() -> Any:
        name = world.topic()
        return list_offsets_.ListOffsetsTopic(name, world.some(lambda: partition(name)))

    return list_offsets_.ListOffsetsRequest(
        replica_id=-1 if world.often(0.97) else world.pick(-2, -3),
        isolation_level=world.pick(0, 0, 1) if version >= 2 else 0,
        topics=world.some(topic),
        timeout_ms=1000 if version >= 10 else 0,
    )


def delete_records(world: World, version: int) -> Message:
    def topic() -> Any:
        name = world.topic()
        return delete_records_.DeleteRecordsTopic(
            name,
            world.some(
                lambda: delete_records_.DeleteRecordsPartition(
                    world.partition(name),
                    world.pick(-1, 0, 1, 1, 2, 3, 5) if world.often(0.9) else world.pick(*LONGS),
                )
            ),
        )

    return delete_records_.DeleteRecordsRequest(world.some(topic, most=2), timeout_ms=1000)


def leader_epoch(world: World, version: int) -> Message:
    def partition(name: str) -> Any:
        wanted = world.pick(0, 0, 0, 1, -1, 5, 2**31 - 1)
        return leader_epoch_.OffsetForLeaderPartition(world.partition(name), world.epoch(), wanted)

    def topic() -> Any:
        name = world.topic()
        return leader_epoch_.OffsetForLeaderTopic(name, world.some(lambda: partition(name)))

    replica = -1 if version >= 3 and world.often(0.97) else -2
    return leader_epoch_.OffsetForLeaderEpochRequest(replica, world.some(topic))


def init_producer_id(world: World, version: int) -> Message:
    request = init_producer_id_.InitProducerIdRequest(None, 60_000)
    if world.often(0.1):
        request.transaction_timeout_ms = world.pick(0, -1, 2**31 - 1)
    if version >= 3 and world.often(0.3):
        if world.producers and world.often(0.7):
            chosen = world.chance.choice(world.producers)
            request.producer_id, request.producer_epoch = chosen.symbol, chosen.epoch  # type: ignore[assignment]
            if world.often(0.2):
                request.producer_epoch = world.pick(-1, 5, 32767, 32766)
        else:
            request.producer_id = world.pick(-1, Symbol(PRODUCER, "nobody"), -2)
            request.producer_epoch = world.pick(-1, 0, 3, -2, 32767)
    if world.often(0.03):
        request.transactional_id = ""
    return request


def describe_producers(world: World, version: int) -> Message:
    def topic() -> Any:
        name = world.topic()
        return describe_producers_.TopicRequest(name, world.some(lambda: world.partition(name)))

    return describe_producers_.DescribeProducersRequest(world.some(topic))
