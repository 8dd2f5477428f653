"""What the types of the producers promise."""

import asyncio
from typing import assert_type

import barnabas
from barnabas import aio
from barnabas.clients.delivery import Delivery
from barnabas.clients.interceptors import ProducerRecord


def told(error: Exception | None, metadata: barnabas.RecordMetadata | None) -> None:
    print(error or metadata)


def by_length(key: object, value: object, partitions: int) -> int:
    return len(str(key)) % partitions


def stamped(record: ProducerRecord) -> ProducerRecord:
    record.headers = {"sent-by": b"types"}
    return record


def produce(columns: barnabas.RecordBatch) -> None:
    with barnabas.Producer({"acks": "all"}, bootstrap_servers="localhost:9092") as producer:
        assert_type(producer, barnabas.Producer)
        producer.produce("t", b"value", key="key", on_delivery=told, headers=[("name", None)])
        assert_type(producer.send("t", None), Delivery)
        assert_type(producer.send("t", "value").result(1.0).offset, int)
        assert_type(producer.send_batch("t", columns), int)
        producer.send_batch("t", {"key": ["a"], "value": [b"b"], "headers": None})
        producer.send_batch("t", ["a", b"b", None])
        assert_type(producer.partitions_for("t"), list[int])
    barnabas.Producer(partitioner=by_length, on_send=stamped, on_acknowledgement=told)


def transact(producer: barnabas.Producer) -> None:
    with producer.transaction():
        producer.produce("t", b"value")
        producer.send_offsets("group", {("t", 0): 1, barnabas.TopicPartition("t", 1): 2})


def read(consumer: barnabas.Consumer) -> None:
    for batch in consumer.batches(max_records=10):
        assert_type(batch, barnabas.RecordBatch)
        assert_type(batch.offsets[0], int)
        assert_type(len(batch), int)


async def from_asyncio() -> None:
    async with aio.Producer(bootstrap_servers="localhost:9092") as producer:
        assert_type(await producer.send("t", b"value"), barnabas.RecordMetadata)
        assert_type(await producer.produce("t", b"value"), asyncio.Future[barnabas.RecordMetadata])
        async with producer.transaction():
            await producer.produce("t", b"value")
