"""One client under load, in a process of its own: prints its figures as one JSON object.

    python -m bench.client_load KIND CLIENT BOOTSTRAP TOPIC RECORDS SIZE

The values are the same for all clients; all wait for acks=all, and are otherwise as their defaults have them,
but for what their own documentation says of bulk: linger.ms=5, a queue that holds a second's records, and
fetches of 4 MiB for columns, which librdkafka is no faster with."""

import asyncio
import json
import random
import statistics
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

WARM_UP = 200
"""Round trips that are not counted."""
PER_BATCH = 10_000
BUFFER_MIB = 32
"""`buffer.memory` where memory is measured."""


def values(size: int, count: int = 64) -> list[bytes]:
    """Random letters, which no codec or cache finds too easy."""
    letters = random.Random(1)
    return [bytes(letters.choices(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ", k=size)) for _ in range(count)]


def rate(records: int, begun: float) -> dict[str, float]:
    return {"records_per_s": records / (time.perf_counter() - begun)}


# ---- producing


def confluent_producer(bootstrap: str, topic: str, **configs: object) -> Any:
    from confluent_kafka import Producer

    configs = {"acks": "all", "linger.ms": 5, "queue.buffering.max.messages": 1_000_000} | configs
    producer = Producer({"bootstrap.servers": bootstrap, **configs})
    producer.list_topics(topic, timeout=30)
    return producer


def barnabas_producer(bootstrap: str, topic: str, **configs: object) -> Any:
    import barnabas

    producer = barnabas.Producer(bootstrap_servers=bootstrap, **configs)
    producer.partitions_for(topic)
    return producer


def hand_in(
    producer: Any, produce: Callable[[bytes], None], payload: list[bytes], records: int, every: int
) -> None:
    """Hands records to confluent-kafka; polls when its queue is full, and after `every` records."""
    for number in range(records):
        while True:
            try:
                produce(payload[number & 63])
                break
            except BufferError:
                producer.poll(0.01)
        if not number % every:
            producer.poll(0)
    producer.flush()


def produce_confluent(bootstrap: str, topic: str, records: int, size: int) -> dict[str, float]:
    producer, payload = confluent_producer(bootstrap, topic), values(size)
    begun = time.perf_counter()
    hand_in(producer, partial(producer.produce, topic), payload, records, 1024)
    return rate(records, begun)


def produce_barnabas(bootstrap: str, topic: str, records: int, size: int) -> dict[str, float]:
    producer, payload = barnabas_producer(bootstrap, topic), values(size)
    begun = time.perf_counter()
    for number in range(records):
        producer.produce(topic, payload[number & 63])
    producer.flush()
    return rate(records, begun)


def callback_confluent(bootstrap: str, topic: str, records: int, size: int) -> dict[str, float]:
    producer, payload, told = confluent_producer(bootstrap, topic), values(size), [0, 0]

    def on_delivery(error: object, _message: object) -> None:
        told[error is not None] += 1

    begun = time.perf_counter()
    hand_in(producer, partial(producer.produce, topic, on_delivery=on_delivery), payload, records, 256)
    assert told == [records, 0], told
    return rate(records, begun)


def callback_barnabas(bootstrap: str, topic: str, records: int, size: int) -> dict[str, float]:
    producer, payload, told = barnabas_producer(bootstrap, topic), values(size), [0, 0]

    def on_delivery(error: object, _metadata: object) -> None:
        told[error is not None] += 1

    begun = time.perf_counter()
    for number in range(records):
        producer.produce(topic, payload[number & 63], on_delivery=on_delivery)
        if not number & 255:
            producer.poll(0)
    producer.flush()
    assert told == [records, 0], told
    return rate(records, begun)


def asyncio_aiokafka(bootstrap: str, topic: str, records: int, size: int) -> dict[str, float]:
    from aiokafka import AIOKafkaProducer

    async def run() -> dict[str, float]:
        producer = AIOKafkaProducer(
            bootstrap_servers=bootstrap, acks="all", linger_ms=5, max_batch_size=65536
        )
        await producer.start()
        await producer.partitions_for(topic)
        payload = values(size)
        begun = time.perf_counter()
        for start in range(0, records, PER_BATCH):
            sent = [
                await producer.send(topic, payload[n & 63])
                for n in range(start, min(records, start + PER_BATCH))
            ]
            for future in sent:
                await future
        figures = rate(records, begun)
        await producer.stop()
        return figures

    return asyncio.run(run())


def asyncio_barnabas(bootstrap: str, topic: str, records: int, size: int) -> dict[str, float]:
    from barnabas import aio

    async def run() -> dict[str, float]:
        async with aio.Producer(bootstrap_servers=bootstrap) as producer:
            await producer.partitions_for(topic)
            payload = values(size)
            begun = time.perf_counter()
            for start in range(0, records, PER_BATCH):
                sent = [
                    await producer.produce(topic, payload[n & 63])
                    for n in range(start, min(records, start + PER_BATCH))
                ]
                for future in sent:
                    await future
            return rate(records, begun)

    return asyncio.run(run())


def batch_confluent(bootstrap: str, topic: str, records: int, size: int) -> dict[str, float]:
    """`produce_batch`, the fastest it has: without idempotence, as that is its default."""
    configs = {"batch.size": 1_000_000, "queue.buffering.max.kbytes": 1 << 20}
    producer, payload = confluent_producer(bootstrap, topic, **configs), values(size)
    begun = time.perf_counter()
    for start in range(0, records, PER_BATCH):
        batch = [{"value": payload[n & 63]} for n in range(min(PER_BATCH, records - start))]
        while producer.produce_batch(topic, batch, 0) < len(batch):
            batch = [{"value": message["value"]} for message in batch if "_error" in message]
            producer.poll(0.01)
        producer.poll(0)
    producer.flush()
    return rate(records, begun)


def batch_barnabas(bootstrap: str, topic: str, records: int, size: int) -> dict[str, float]:
    import pyarrow as pa

    producer, payload = barnabas_producer(bootstrap, topic), values(size)
    batch = pa.array([payload[n & 63] for n in range(PER_BATCH)], pa.binary())
    begun = time.perf_counter()
    for start in range(0, records, PER_BATCH):
        producer.send_batch(topic, batch[: records - start])
    producer.flush()
    return rate(records, begun)


def memory_barnabas(bootstrap: str, topic: str, records: int, size: int) -> dict[str, float]:
    figures = produce_barnabas(bootstrap, topic, records, size)
    # Not `ru_maxrss`: that remembers the process which this one was forked from.
    status = Path("/proc/self/status").read_text()
    peak_mib = int(status.partition("VmHWM:")[2].split()[0]) / 1024
    return figures | {"peak_mib": peak_mib, "allowed_mib": BUFFER_MIB + 30}


# ---- consuming


def consume_confluent(bootstrap: str, topic: str, records: int, _size: int) -> dict[str, float]:
    from confluent_kafka import Consumer, TopicPartition

    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": "bench",
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
            "queued.min.messages": 1_000_000,
        }
    )
    consumer.list_topics(topic, timeout=30)
    begun = time.perf_counter()
    consumer.assign([TopicPartition(topic, 0, 0)])
    got = size = 0
    while got < records:
        for message in consumer.consume(PER_BATCH, 1.0):
            if not message.error():
                size += len(message.value())
                got += 1
    figures = rate(got, begun)
    consumer.close()
    return figures


def consume_barnabas(bootstrap: str, topic: str, records: int, _size: int) -> dict[str, float]:
    import barnabas

    with barnabas.Consumer(bootstrap_servers=bootstrap, auto_offset_reset="earliest") as consumer:
        consumer.partitions_for(topic)
        begun = time.perf_counter()
        consumer.assign([(topic, 0)])
        got = size = 0
        while got < records:
            for record in consumer.poll(1.0, PER_BATCH):
                size += len(record.value or b"")
                got += 1
        return rate(got, begun)


def columns_barnabas(bootstrap: str, topic: str, records: int, _size: int) -> dict[str, float]:
    import pyarrow as pa

    import barnabas

    configs = {"auto.offset.reset": "earliest", "max.partition.fetch.bytes": 4 << 20}
    with barnabas.Consumer({"bootstrap.servers": bootstrap, **configs}) as consumer:
        consumer.partitions_for(topic)
        begun = time.perf_counter()
        consumer.assign([(topic, 0)])
        got = size = 0
        for batch in consumer.batches():
            size += pa.record_batch(batch)["value"].nbytes
            got += len(batch)
            if got >= records:
                break
        return rate(got, begun)


# ---- one record at a time


def trips(records: int, trip: Callable[[], object]) -> dict[str, float]:
    took = []
    for _ in range(WARM_UP + records):
        begun = time.perf_counter()
        trip()
        took.append((time.perf_counter() - begun) * 1_000)
    return {"p50_ms": statistics.median(took[WARM_UP:])}


def trip_confluent(bootstrap: str, topic: str, records: int, size: int) -> dict[str, float]:
    producer, (value,) = confluent_producer(bootstrap, topic, **{"linger.ms": 0}), values(size, 1)
    told: list[object] = []

    def trip() -> None:
        told.clear()
        producer.produce(topic, value, on_delivery=lambda *result: told.append(result))
        while not told:
            producer.poll(1)

    return trips(records, trip)


def trip_barnabas(bootstrap: str, topic: str, records: int, size: int) -> dict[str, float]:
    producer, (value,) = barnabas_producer(bootstrap, topic, linger_ms=0), values(size, 1)
    return trips(records, lambda: producer.send(topic, value).result(30))


KINDS = {
    name: function
    for name, function in globals().items()
    if name.endswith(("_confluent", "_barnabas", "_aiokafka")) and callable(function)
}


if __name__ == "__main__":
    kind, client, bootstrap, topic, records, size = sys.argv[1:]
    print(json.dumps(KINDS[f"{kind}_{client}"](bootstrap, topic, int(records), int(size))))
