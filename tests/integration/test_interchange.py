"""One directory, by turns under Apache Kafka 4.3.1 and barnabas: what one has written the other has, and goes
on with: records, offsets, configs, topic ids, producers, transactions, leader epochs, log start offsets.
"""

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import pytest
from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, ConfigResource, NewTopic, OffsetSpec, ResourceType

from barnabas.protocol import ErrorCode
from barnabas.protocol.generated.describe_producers_request import DescribeProducersRequest, TopicRequest
from barnabas.protocol.generated.init_producer_id_request import InitProducerIdRequest
from barnabas.protocol.generated.produce_request import (
    PartitionProduceData,
    ProduceRequest,
    TopicProduceData,
)
from tests.conformance.differential.batches import Batch, Record
from tests.support import oracle
from tests.support.server import BarnabasUp
from tests.support.wire import Connection

pytestmark = [pytest.mark.oracle, pytest.mark.slow]

CODECS = ("none", "gzip", "snappy", "lz4", "zstd")
TOPICS: dict[str, dict[str, str]] = {
    "compressed": {"retention.ms": "-1", "max.message.bytes": "777777"},
    "sequences": {"segment.ms": "600000"},
    "transactions": {},
    "trimmed": {"retention.bytes": "1000000"},
}
COMPACTED = {
    "cleanup.policy": "compact",
    "segment.ms": "100",
    "min.cleanable.dirty.ratio": "0.01",
    "delete.retention.ms": "100",
}
ALL_TOPICS = {**TOPICS, "compacted": COMPACTED}
ENDS: dict[str, OffsetSpec] = {
    "earliest": OffsetSpec.earliest(),  # type: ignore[no-untyped-call]
    "latest": OffsetSpec.latest(),  # type: ignore[no-untyped-call]
}
SECONDS_MAX = 60

NOT_YET = (
    "UNKNOWN_LEADER_EPOCH",
    "NOT_COORDINATOR",
    "COORDINATOR_NOT_AVAILABLE",
    "COORDINATOR_LOAD_IN_PROGRESS",
)
R = TypeVar("R")
Seen = dict[str, Any]


def settings(bootstrap: str, **more: object) -> dict[str, Any]:
    return {
        "bootstrap.servers": bootstrap,
        "log_level": 0,
        **{k.replace("_", "."): v for k, v in more.items()},
    }


def read(bootstrap: str, topic: str, isolation: str) -> list[tuple[Any, ...]]:
    """Offset, leader epoch, timestamp, key and value of each record."""
    consumer = Consumer(
        settings(bootstrap, group_id="nobody", enable_auto_commit=False, isolation_level=isolation,
                 enable_partition_eof=True, auto_offset_reset="earliest")
    )  # fmt: skip
    found: list[tuple[Any, ...]] = []
    try:
        start, _ = consumer.get_watermark_offsets(TopicPartition(topic, 0), SECONDS_MAX)
        consumer.assign([TopicPartition(topic, 0, start)])
        deadline = time.monotonic() + SECONDS_MAX
        while True:
            message = consumer.poll(1)
            assert time.monotonic() < deadline, f"{topic} has no end"
            if message is None:
                continue
            if (error := message.error()) is not None:
                assert error.name() == "_PARTITION_EOF", error
                return found
            found.append(
                (
                    message.offset(),
                    message.leader_epoch(),
                    message.timestamp(),
                    message.key(),
                    message.value(),
                )
            )
    finally:
        consumer.close()


def patiently(ask: Callable[[], R]) -> R:
    """What a node answers once it is up: it tells of leader epochs and coordinators before it serves them."""
    deadline = time.monotonic() + SECONDS_MAX
    while True:
        try:
            return ask()
        except KafkaException as error:
            if error.args[0].name() not in NOT_YET or time.monotonic() > deadline:
                raise
            time.sleep(0.05)


def offset(admin: AdminClient, topic: str, spec: OffsetSpec) -> int:
    """An end of a partition."""

    def ask() -> int:
        [future] = admin.list_offsets({TopicPartition(topic, 0): spec}).values()
        return int(future.result(SECONDS_MAX).offset)

    return patiently(ask)


def seen(bootstrap: str) -> Seen:
    """All that a client can tell of the topics."""
    admin = AdminClient(settings(bootstrap))
    told: Seen = {}
    for topic in ALL_TOPICS:
        offsets = {}
        for name, spec in ENDS.items():
            offsets[name] = offset(admin, topic, spec)
        resource = ConfigResource(ResourceType.TOPIC, topic)
        [configs] = admin.describe_configs([resource]).values()
        set_here = {
            name: entry.value for name, entry in configs.result(SECONDS_MAX).items() if entry.source == 1
        }
        told[topic] = {"offsets": offsets, "configs": set_here, "producers": producers(bootstrap, topic)}
    for topic in TOPICS:
        told[topic]["all"] = read(bootstrap, topic, "read_uncommitted")
        told[topic]["committed"] = read(bootstrap, topic, "read_committed")
    # Compaction goes on at its own pace; what it must keep is the newest record of each key, as it was.
    newest = {record[3]: record for record in read(bootstrap, "compacted", "read_committed")}
    told["newest"] = {key: record for key, record in newest.items() if record[4] is not None}
    told["group"] = committed(bootstrap)
    return told


def producers(bootstrap: str, topic: str) -> list[tuple[int, ...]]:
    """What the partition knows of its producers."""
    asked = DescribeProducersRequest([TopicRequest(topic, [0])])
    with Connection(bootstrap) as connection:
        [told] = connection.request(asked, 0).topics[0].partitions
    assert told.error_code == ErrorCode.NONE
    return sorted(
        (
            one.producer_id,
            one.producer_epoch,
            one.last_sequence,
            one.last_timestamp,
            one.coordinator_epoch,
            one.current_txn_start_offset,
        )
        for one in told.active_producers
    )


def committed(bootstrap: str) -> list[tuple[int, str | None]]:
    """The offsets of the group, with what was said of them."""
    consumer = Consumer(settings(bootstrap, group_id="group"))
    try:
        places = [TopicPartition(topic, 0) for topic in ALL_TOPICS]
        told = patiently(lambda: consumer.committed(places, SECONDS_MAX))
        return [(one.offset, one.metadata) for one in told]
    finally:
        consumer.close()


def create(bootstrap: str) -> None:
    topics = [NewTopic(name, 1, 1, config=config) for name, config in ALL_TOPICS.items()]
    admin = AdminClient(settings(bootstrap))
    for future in admin.create_topics(topics).values():
        future.result(SECONDS_MAX)


def produce(
    bootstrap: str, topic: str, records: Sequence[tuple[bytes, bytes | None]], **more: object
) -> None:
    producer = Producer(settings(bootstrap, enable_idempotence=True, **more))
    for key, value in records:
        producer.produce(topic, value, key)
    assert producer.flush(SECONDS_MAX) == 0


def transactions(bootstrap: str, turn: int) -> None:
    """One that is committed, one that is aborted, and one more that is committed."""
    producer = Producer(settings(bootstrap, transactional_id="writer"))
    producer.init_transactions(SECONDS_MAX)
    for number in range(3):
        producer.begin_transaction()
        for record in range(4):
            producer.produce("transactions", f"{turn}-{number}-{record}", "key")
        producer.flush(SECONDS_MAX)
        if number == 1:
            producer.abort_transaction(SECONDS_MAX)
        else:
            producer.commit_transaction(SECONDS_MAX)


class Sequenced:
    """An idempotent producer that outlives the nodes it writes to."""

    def __init__(self) -> None:
        self.producer = (-1, -1)
        self.sequence = 0

    def start(self, bootstrap: str) -> None:
        deadline = time.monotonic() + SECONDS_MAX
        with Connection(bootstrap) as connection:
            while True:
                given = connection.request(InitProducerIdRequest(None, 60_000, -1, -1), 5)
                if given.error_code != ErrorCode.COORDINATOR_LOAD_IN_PROGRESS:
                    break
                assert time.monotonic() < deadline
                time.sleep(0.05)
        assert given.error_code == ErrorCode.NONE
        self.producer = given.producer_id, given.producer_epoch

    def send(self, bootstrap: str, sequence: int) -> tuple[int, int]:
        """Error code and offset of a batch of three."""
        records = Batch(
            records=tuple(Record(b"key", f"{sequence + index}".encode()) for index in range(3)),
            timestamp=int(time.time() * 1000),
            attributes=0,
            producer=self.producer[0],
            epoch=self.producer[1],
            sequence=sequence,
        ).encode(lambda number: number)
        data = PartitionProduceData(index=0, records=records)
        asked = ProduceRequest(None, -1, 30_000, [TopicProduceData("sequences", partition_data=[data])])
        with Connection(bootstrap) as connection:
            answer = connection.request(asked, 9).responses[0].partition_responses[0]
        return answer.error_code, answer.base_offset

    def go_on(self, bootstrap: str) -> None:
        """What was written last is known, what skips is refused, what follows is taken."""
        if self.sequence:
            assert self.send(bootstrap, self.sequence - 3) == (ErrorCode.NONE, self.sequence - 3)
            code, _ = self.send(bootstrap, self.sequence + 3)
            assert code == ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER
        for _ in range(2):
            assert self.send(bootstrap, self.sequence) == (ErrorCode.NONE, self.sequence)
            self.sequence += 3


def write(bootstrap: str, turn: int, sequenced: Sequenced) -> None:
    for codec in CODECS:
        values = [(f"{turn}".encode(), f"{codec}-{number}".encode() * 20) for number in range(20)]
        produce(bootstrap, "compressed", values, compression_type=codec)
    sequenced.go_on(bootstrap)
    transactions(bootstrap, turn)
    produce(bootstrap, "trimmed", [(b"key", f"{turn}-{number}".encode()) for number in range(10)])
    admin = AdminClient(settings(bootstrap))
    [trimmed] = admin.delete_records([TopicPartition("trimmed", 0, 10 * turn + 4)]).values()
    trimmed.result(SECONDS_MAX)
    commit(bootstrap, turn)
    for part in range(4):
        records = [(f"{key}".encode(), f"{turn}-{part}-{key}".encode()) for key in range(part, 10)]
        produce(bootstrap, "compacted", [*records, (f"gone-{part}".encode(), None)])


def commit(bootstrap: str, turn: int) -> None:
    """The group's offsets of all topics but one."""
    consumer = Consumer(settings(bootstrap, group_id="group", enable_auto_commit=False))
    offsets = [
        TopicPartition(topic, 0, 10 * turn + index, metadata=f"{turn}")
        for index, topic in enumerate(ALL_TOPICS)
        if topic != "sequences"
    ]
    try:
        patiently(lambda: consumer.commit(offsets=offsets, asynchronous=False))
    finally:
        consumer.close()


@pytest.mark.timeout(600)
def test_apache_kafka_and_barnabas_go_on_with_what_the_other_has_written(tmp_path: Path) -> None:
    kafka = oracle.ApacheKafka(tmp_path, {"log.cleaner.backoff.ms": "200"})
    # The voter record of the metadata log names the controller listener under which Kafka looks for itself.
    arguments = ["--set", f"listeners={kafka.settings['listeners']}", "--set", "log.cleaner.backoff.ms=200"]
    ours = BarnabasUp(kafka.log_directory, arguments, kafka.port)
    sequenced = Sequenced()
    before: Seen | None = None
    topic_ids: list[list[str]] = []
    nodes: list[oracle.ApacheKafka | BarnabasUp] = [kafka, ours, kafka, ours]
    try:
        for turn, node in enumerate(nodes):
            node.start()
            if before is None:
                create(kafka.bootstrap)
                sequenced.start(kafka.bootstrap)
            else:
                assert seen(kafka.bootstrap) == before, f"turn {turn}"
            write(kafka.bootstrap, turn, sequenced)
            before = seen(kafka.bootstrap)
            node.stop()
            logs = [kafka.log_directory / f"{topic}-0" for topic in ALL_TOPICS]
            topic_ids.append([(log / "partition.metadata").read_text() for log in logs])
        assert topic_ids == [topic_ids[0]] * len(nodes)
    finally:
        ours.kill()
        kafka.stop()
