"""One round: a broker is started, loaded through librdkafka, and looked at from outside."""

import statistics
import time
from pathlib import Path
from typing import Protocol

from confluent_kafka import OFFSET_BEGINNING, Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

Figures = dict[str, float]

TOPIC = "bench"
VALUE = bytes(range(256)) * 4
MIB = 1 << 20
ROUND_TRIPS = 500
SECONDS_MAX = 300


class Server(Protocol):
    """Something that can be started, found and stopped."""

    bootstrap: str

    def start(self) -> object: ...
    def stop(self) -> object: ...
    @property
    def pid(self) -> int: ...


def measure(server: Server, mib: int) -> Figures:
    """All figures of one broker on an empty directory."""
    begun = time.perf_counter()
    server.start()
    try:
        _one_record(server.bootstrap)
        figures: Figures = {"start": time.perf_counter() - begun, "memory idle": _memory(server.pid)}
        admin = AdminClient({"bootstrap.servers": server.bootstrap})
        admin.create_topics([NewTopic(TOPIC, 1, 1)])[TOPIC].result(SECONDS_MAX)
        cpu = _cpu(server.pid)
        figures["produce"] = mib / _produce(server.bootstrap, mib)
        figures["produce CPU"] = (_cpu(server.pid) - cpu) * 1024 / mib
        figures["consume"] = mib / _consume(server.bootstrap, mib)
        figures["round trip"] = _round_trip(server.bootstrap)
        figures["memory loaded"] = _memory(server.pid)
        return figures
    finally:
        server.stop()


def _one_record(bootstrap: str) -> None:
    producer = Producer({"bootstrap.servers": bootstrap, "acks": "all", "linger.ms": 0})
    producer.produce("first", b"x")
    assert producer.flush(SECONDS_MAX) == 0


def _produce(bootstrap: str, mib: int) -> float:
    producer = Producer(
        {
            "bootstrap.servers": bootstrap,
            "acks": "all",
            "linger.ms": 5,
            "batch.size": 256 << 10,
            "batch.num.messages": 1000,
            "queue.buffering.max.messages": 100_000,
        }
    )
    begun = time.perf_counter()
    for _ in range(mib * MIB // len(VALUE)):
        while True:
            try:
                producer.produce(TOPIC, VALUE)
                break
            except BufferError:
                producer.poll(0.05)
        producer.poll(0)
    assert producer.flush(SECONDS_MAX) == 0
    return time.perf_counter() - begun


def _consume(bootstrap: str, mib: int) -> float:
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": "unused",
            "enable.auto.commit": False,
            "check.crcs": False,
        }
    )
    consumer.assign([TopicPartition(TOPIC, 0, OFFSET_BEGINNING)])
    wanted, found = mib * MIB // len(VALUE), 0
    begun = time.perf_counter()
    while found < wanted:
        messages = consumer.consume(min(10_000, wanted - found), SECONDS_MAX)
        assert messages, "nothing to read"
        found += len(messages)
    elapsed = time.perf_counter() - begun
    consumer.close()
    return elapsed


def _round_trip(bootstrap: str) -> float:
    producer = Producer({"bootstrap.servers": bootstrap, "acks": "all", "linger.ms": 0})
    times = []
    for _ in range(ROUND_TRIPS):
        begun = time.perf_counter()
        producer.produce(TOPIC, b"x" * 100)
        assert producer.flush(SECONDS_MAX) == 0
        times.append((time.perf_counter() - begun) * 1000)
    return statistics.median(times)


def _memory(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    return next(int(line.split()[1]) / 1024 for line in status.splitlines() if line.startswith("VmRSS"))


def _cpu(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100
