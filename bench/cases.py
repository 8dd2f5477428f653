"""What is measured: each case takes one broker and gives its figures.

A case that is `alone` gets a stopped broker on an empty directory and is the only one on the machine; all
others share brokers that are up, and warm, from the first such case to the last.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

from bench import clients, cold, groups, partitions, services
from bench.brokers import BARNABAS, FIRST_TOPIC, KAFKA, MEMORY, Broker
from bench.load import Figures, LoadFailed

GIB_OF_MIB = 1024


@dataclass(frozen=True)
class Effort:
    """How much is done in one measurement."""

    mib: int = 1024
    latency_seconds: float = 20
    latency_warm_up: float = 5
    request_seconds: float = 4
    transaction_seconds: float = 8
    idle_seconds: float = 15
    settle_seconds: float = 3
    topics: int = 100
    more_topics: int = 10
    large_topics: int = 100
    members: int = 50
    member_seconds: float = 20
    schemas: int = 100_000
    stream_records: int = 40_000


QUICK = Effort(
    mib=32,
    latency_seconds=2,
    latency_warm_up=0.5,
    request_seconds=0.5,
    transaction_seconds=0.5,
    idle_seconds=1,
    settle_seconds=0.5,
    topics=5,
    more_topics=1,
    large_topics=1,
    members=5,
    member_seconds=1,
    schemas=1_000,
    stream_records=2_000,
)
"""Enough to see that everything works; the figures say nothing."""


@dataclass(frozen=True)
class Case:
    name: str
    measure: Callable[[Broker, Effort], Figures]
    brokers: tuple[str, ...] = (KAFKA, BARNABAS)
    alone: bool = False


# ---- brokers that are up


def warm_up(broker: Broker, effort: Effort) -> None:
    """What a broker has done for a while runs at its own speed: a virtual machine compiles as it goes."""
    topic = broker.topic()
    broker.load.run("produce", broker.bootstrap, topic, mib=effort.mib // 4, batch_bytes=65536)
    broker.load.run("consume", broker.bootstrap, topic)
    for kind in ("metadata", "produce"):
        asked = {"kind": kind, "connections": 8, "depth": 4, "seconds": effort.request_seconds}
        broker.load.run("requests", broker.bootstrap, topic, **asked)
    broker.delete(topic)


def produce(*, brokers: tuple[str, ...] = (KAFKA, BARNABAS), name: str, **arguments: object) -> Case:
    def measure(broker: Broker, effort: Effort) -> Figures:
        topic, cpu = broker.topic(), broker.cpu_seconds()
        figures = broker.load.run("produce", broker.bootstrap, topic, mib=effort.mib, **arguments)
        figures["cpu_s_per_gib"] = (broker.cpu_seconds() - cpu) * GIB_OF_MIB / figures["mib"]
        broker.delete(topic)
        return figures

    return Case(name, measure, brokers)


def consume(broker: Broker, effort: Effort) -> Figures:
    topic = broker.topic()
    # Batches as a Java producer makes them.
    broker.load.run("produce", broker.bootstrap, topic, mib=effort.mib, acks=1, batch_bytes=65536)
    cpu = broker.cpu_seconds()
    figures = broker.load.run("consume", broker.bootstrap, topic, loops=2)
    figures["cpu_s_per_gib"] = (broker.cpu_seconds() - cpu) * GIB_OF_MIB / figures["mib"]
    broker.delete(topic)
    return figures


def latency(rate: int, *, busy: bool) -> Case:
    def measure(broker: Broker, effort: Effort) -> Figures:
        topic = broker.topic()
        seconds = effort.latency_seconds + effort.latency_warm_up
        neighbour = None
        if busy:
            file = broker.directory.parent / "neighbour"
            neighbour = broker.load.begin("neighbour", file=file, seconds=seconds + 60)
        try:
            figures = broker.load.run(
                "latency",
                broker.bootstrap,
                topic,
                rate=rate,
                seconds=effort.latency_seconds,
                warm_up=effort.latency_warm_up,
            )
        finally:
            if neighbour:
                neighbour.kill()
                neighbour.communicate()
                file.unlink()
        broker.delete(topic)
        return figures

    return Case(f"latency-{rate}-{'busy' if busy else 'quiet'}", measure)


def cold_reader(broker: Broker, effort: Effort) -> Figures:
    """Latency while others read what the page cache has forgotten."""
    return cold.measure(broker, effort.mib, effort.latency_seconds, effort.latency_warm_up)


def requests(kind: str, connections: int, depth: int) -> Case:
    def measure(broker: Broker, effort: Effort) -> Figures:
        topic = broker.topic(6)
        figures = broker.load.run(
            "requests",
            broker.bootstrap,
            topic,
            kind=kind,
            connections=connections,
            depth=depth,
            seconds=effort.request_seconds,
        )
        broker.delete(topic)
        return figures

    return Case(f"{kind}-{connections}x{depth}", measure)


def fsync(broker: Broker, effort: Effort) -> Figures:
    """Small produces of 1,000 connections, with durability `fsync` and without."""
    figures: Figures = {}
    for name, configs in (("fsync", {"barnabas.durability": "fsync"}), ("page_cache", {})):
        topic = broker.topic(6, **configs)
        found = broker.load.run(
            "requests",
            broker.bootstrap,
            topic,
            kind="produce",
            connections=1000,
            depth=1,
            seconds=effort.request_seconds,
        )
        figures |= {f"{name}_{figure}": value for figure, value in found.items()}
        broker.delete(topic)
    return figures


def transactions(producers: int, records: int) -> Case:
    def measure(broker: Broker, effort: Effort) -> Figures:
        topic = broker.topic()
        seconds = effort.transaction_seconds
        figures = broker.load.run(
            "transactions", broker.bootstrap, topic, producers=producers, records=records, seconds=seconds
        )
        broker.delete(topic)
        return figures

    return Case(f"transactions-{producers}x{records}", measure)


def group(protocol: str) -> Case:
    def measure(broker: Broker, effort: Effort) -> Figures:
        topic = broker.topic(2 * effort.members)
        figures = groups.measure(broker.bootstrap, topic, effort.members, 2 * effort.members, protocol)
        broker.delete(topic)
        return figures

    return Case(f"group-{protocol}", measure)


# ---- brokers that are started for the case


def lifecycle(broker: Broker, effort: Effort) -> Figures:
    """From nothing to the first record, idle, loaded, stopped, back again."""
    format_s = broker.format()
    start_s = broker.start()
    time.sleep(effort.idle_seconds)
    figures = {
        "format_s": format_s,
        "start_s": start_s,
        "first_record_s": format_s + start_s,
        "idle_mib": broker.memory_mib(),
        "idle_cpu_percent": broker.idle_percent(effort.idle_seconds),
    }
    topic = broker.topic(6)
    broker.load.run("produce", broker.bootstrap, topic, mib=effort.mib, batch_bytes=65536)
    broker.load.run("consume", broker.bootstrap, topic)
    figures["loaded_mib"] = broker.memory_mib()
    figures["stop_s"] = broker.stop()
    figures["restart_s"] = broker.start(create=False)
    broker.stop()
    return figures


def crash(broker: Broker, effort: Effort) -> Figures:
    """kill -9 right after a gigabyte was written; everything acknowledged must be there."""
    broker.format()
    broker.start()
    topic = broker.topic()
    written = broker.load.run("produce", broker.bootstrap, topic, mib=effort.mib, batch_bytes=65536)
    broker.kill()
    figures = {"recovery_s": broker.start(create=False)}
    found = broker.load.run("consume", broker.bootstrap, topic, check=1)
    if found["records"] < written["records"] or found["damaged"]:
        lost = written["records"] - found["records"]
        raise LoadFailed(f"{lost:.0f} records lost, {found['damaged']:.0f} batches damaged")
    broker.stop()
    return figures


def many_partitions(broker: Broker, effort: Effort) -> Figures:
    """100 topics of 100 partitions until all have leaders, and idle with 11,000 partitions."""
    broker.format()
    broker.start()
    cpu, begun = broker.cpu_seconds(), time.monotonic()
    names = [f"many-{number}" for number in range(effort.topics)]
    for start in range(0, len(names), 10):
        broker.create(names[start : start + 10], 100)
    while not _all_led(broker, names):
        time.sleep(0.1)
    figures = {"create_s": time.monotonic() - begun, "create_cpu_s": broker.cpu_seconds() - cpu}
    broker.create([f"more-{number}" for number in range(effort.more_topics)], 100)
    time.sleep(effort.idle_seconds)
    figures["idle_cpu_percent"] = broker.idle_percent(effort.idle_seconds)
    figures["idle_mib"] = broker.memory_mib()
    broker.stop()
    return figures


def idle_partitions(broker: Broker, effort: Effort) -> Figures:
    """100,000 partitions that nobody uses."""
    return partitions.measure(broker, effort.large_topics, effort.idle_seconds)


def client(name: str, *brokers: str) -> Case:
    def measure(broker: Broker, effort: Effort) -> Figures:
        return clients.measure(broker, name, effort.mib)

    return Case(f"client-{name}", measure, brokers or (KAFKA,))


def service(name: str, measure: Callable[[Broker, float], Figures]) -> Case:
    """A case of a service beside our broker."""
    return Case(name, lambda broker, effort: measure(broker, effort.request_seconds), (BARNABAS,))


def many_schemas(broker: Broker, effort: Effort) -> Figures:
    """A registry that starts with 100,000 schemas."""
    return services.many_schemas(broker, effort.schemas)


def rest_stream(broker: Broker, effort: Effort) -> Figures:
    """Records on one connection of the proxy."""
    return services.rest_stream(broker, effort.stream_records)


def avro_check(_broker: Broker, _effort: Effort) -> Figures:
    """Compatibility; no broker has a part in it."""
    return services.avro_check()


def _all_led(broker: Broker, names: list[str]) -> bool:
    topics = broker.admin().list_topics(timeout=60).topics
    return all(
        name in topics
        and len(topics[name].partitions) == 100
        and all(one.leader >= 0 for one in topics[name].partitions.values())
        for name in names
    )


def first_record(measure: Callable[[str, str], Figures]) -> Callable[[Broker, Effort], Figures]:
    """The first member of the first group, for which the broker has to make its topic of offsets."""

    def case(broker: Broker, effort: Effort) -> Figures:
        broker.format()
        broker.start()
        time.sleep(effort.settle_seconds)
        figures = measure(broker.bootstrap, FIRST_TOPIC)
        broker.stop()
        return figures

    return case


def members(broker: Broker, effort: Effort) -> Figures:
    """Members that do nothing but stay members."""
    return broker.load.run(
        "members",
        broker.bootstrap,
        "",
        members=200 * effort.members,
        groups=20 * effort.members,
        seconds=effort.member_seconds,
        pid=broker.pid,
    )


ALL = {
    case.name: case
    for case in (
        # Before those whose files are deleted by the hundred thousand: for minutes afterwards, ext4 without a
        # journal goes past each of them whenever it makes a new file, and these make 200 in their time.
        Case("first-record", first_record(groups.first_record), alone=True),
        Case("first-record-own", first_record(groups.own_first_record), alone=True),
        Case("lifecycle", lifecycle, alone=True),
        Case("crash", crash, alone=True),
        Case("many-partitions", many_partitions, alone=True),
        Case("idle-partitions", idle_partitions, (BARNABAS,), alone=True),
        Case("many-schemas", many_schemas, (BARNABAS,), alone=True),
        Case("avro-check", avro_check, (BARNABAS,), alone=True),
        produce(name="produce-1k", brokers=(KAFKA, BARNABAS, MEMORY)),
        produce(name="produce-lz4", record_bytes=100, compression="lz4", payload="orders", seconds=8),
        produce(name="produce-zstd", record_bytes=100, compression="zstd", payload="orders", seconds=8),
        produce(name="produce-16k", batch_bytes=16384, seconds=8),
        Case("consume", consume),
        *(requests("produce", connections, depth) for connections in (1, 100) for depth in (1, 16)),
        *(requests("metadata", connections, 16) for connections in (1, 100)),
        Case("fsync", fsync, (BARNABAS,)),
        *(latency(rate, busy=busy) for busy in (False, True) for rate in (1000, 10000)),
        Case("cold-reader", cold_reader),
        *(transactions(producers, records) for producers in (1, 8) for records in (1, 100)),
        *(group(protocol) for protocol in ("classic", "consumer")),
        *(requests(kind, 100, 1) for kind in ("offset-commit", "heartbeat")),
        Case("members", members),
        service("http", services.constant),
        service("schema-by-id", services.schema_by_id),
        service("register", services.registering),
        service("rest-produce", services.rest_produce),
        Case("rest-stream", rest_stream, (BARNABAS,)),
        *(client(name) for name in clients.KINDS if name != "round-trip"),
        client("round-trip", KAFKA, BARNABAS),
    )
}
"""In the order in which they run: brokers that are up follow those that are started for one case."""
