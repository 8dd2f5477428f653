"""The table: which figure of which case makes a row, and the ratio to Apache Kafka that it must reach."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from bench.brokers import BARNABAS, KAFKA, MEMORY

Medians = Mapping[str, Mapping[str, Mapping[str, float]]]
"""Figures by case, broker and name."""


@dataclass(frozen=True)
class Row:
    """The ratio, ours to theirs, must be at most `target` if `better` is "lower", at least otherwise."""

    name: str
    title: str
    unit: str
    case: str
    figure: str
    better: Literal["lower", "higher"]
    target: float
    ours: str = BARNABAS
    theirs: str = KAFKA
    their_figure: str = ""

    def values(self, medians: Medians) -> tuple[float | None, float | None]:
        """Theirs and ours, where they were measured."""
        case = medians.get(self.case, {})
        theirs = case.get(self.theirs, {}).get(self.their_figure or self.figure)
        return theirs, case.get(self.ours, {}).get(self.figure)

    def holds(self, ratio: float) -> bool:
        return ratio <= self.target if self.better == "lower" else ratio >= self.target


def _lower(
    name: str, title: str, unit: str, case: str, figure: str, target: float, theirs: str = KAFKA
) -> Row:
    return Row(name, title, unit, case, figure, "lower", target, theirs=theirs)


def _higher(name: str, title: str, unit: str, case: str, figure: str, target: float) -> Row:
    return Row(name, title, unit, case, figure, "higher", target)


def _produce(case: str, title: str, rate: str, unit: str, target: float, cpu: float | None) -> list[Row]:
    rows = [_higher(case, f"produce {title}", unit, case, rate, target)]
    if cpu is not None:
        rows.append(_lower(f"{case}-cpu", f"produce {title}: CPU", "s/GiB", case, "cpu_s_per_gib", cpu))
    return rows


def _latency(rate: int, disk: str) -> list[Row]:
    case = f"latency-{rate}-{disk}"
    return [
        _lower(f"{case}-{name}", f"end to end, 1 KiB, {rate:,}/s, {disk} disk: {quantile}", "ms", case,
               f"end_to_end_{name}_ms", target)
        for name, quantile, target in (("p50", "p50", 1 / 2), ("p99", "p99", 1 / 3), ("p999", "p99.9", 1 / 3))
    ]  # fmt: skip


def _requests(kind: str, title: str, connections: int, depth: int, target: float) -> Row:
    case = f"{kind}-{connections}x{depth}"
    who = f"{connections} connection{'s' if connections > 1 else ''} × {depth} in flight"
    return _higher(case, f"{title}, {who}", "/s", case, "requests_per_s", target)


def _group(protocol: str, title: str, target: float) -> list[Row]:
    case = f"group-{protocol}"
    return [
        _lower(f"{case}-{name}", f"group of 50, {title}: {what}", "s", case,
               f"{name.replace('-', '_')}_s", target)
        for name, what in (("join", "all join"), ("one-leaves", "one leaves"), ("one-joins", "one joins"))
    ]  # fmt: skip


def _idle_partitions(name: str, title: str, unit: str, figure: str, bound: str) -> Row:
    title = f"100,000 idle partitions: {title}; beside the bound"
    return Row(f"partitions-100k-{name}", title, unit, "idle-partitions", figure, "lower", 1, theirs=BARNABAS,
               their_figure=bound)  # fmt: skip


def _client(case: str, title: str, target: float, theirs: str = "confluent") -> Row:
    """Our client to another one, both against Apache Kafka."""
    names = {"confluent": "confluent-kafka"}
    return Row(f"client-{case}", f"client: {title}; {names.get(theirs, theirs)} beside it", "/s",
               f"client-{case}", "barnabas_records_per_s", "higher", target, ours=KAFKA, theirs=KAFKA,
               their_figure=f"{theirs}_records_per_s")  # fmt: skip


def _service(
    name: str, title: str, case: str, figures: tuple[str, str], target: float, unit: str = "/s"
) -> Row:
    """A figure of a service of ours, and the one of the same round that stands beside it."""
    ours, theirs = figures
    better: Literal["lower", "higher"] = "higher" if unit == "/s" else "lower"
    return Row(name, title, unit, case, ours, better, target, theirs=BARNABAS, their_figure=theirs)


ROWS: tuple[Row, ...] = (
    _lower("startup", "format and start → first record", "s", "lifecycle", "first_record_s", 1 / 20),
    _lower("restart", "warm restart → first record", "s", "lifecycle", "restart_s", 1 / 20),
    _lower("memory-idle", "resident memory, idle", "MiB", "lifecycle", "idle_mib", 1 / 6),
    _lower("memory-loaded", "resident memory after 1 GiB of load", "MiB", "lifecycle", "loaded_mib", 1 / 6),
    _lower("idle-cpu", "idle CPU, fresh", "%", "lifecycle", "idle_cpu_percent", 1 / 10),
    _lower("idle-cpu-many", "idle CPU with 11,000 partitions", "%", "many-partitions", "idle_cpu_percent",
           1 / 10),
    *_produce("produce-1k", "1 KiB, 256 KiB batches", "mib_per_s", "MiB/s", 3, 1 / 2),
    *_produce("produce-lz4", "100 B, lz4", "records_per_s", "/s", 2, 1 / 3),
    *_produce("produce-zstd", "100 B, zstd", "records_per_s", "/s", 2, 1 / 3),
    *_produce("produce-16k", "1 KiB, 16 KiB batches", "records_per_s", "/s", 4, None),
    Row("produce-memory", "produce 1 KiB with --memory, Kafka on disk", "MiB/s", "produce-1k", "mib_per_s",
        "higher", 4, ours=MEMORY),
    _higher("consume", "consume, hot", "MiB/s", "consume", "mib_per_s", 1),
    _lower("consume-cpu", "consume, hot: CPU", "s/GiB", "consume", "cpu_s_per_gib", 0.8),
    *(row for disk in ("quiet", "busy") for rate in (1000, 10000) for row in _latency(rate, disk)),
    _lower("cold-reader", "end to end, 1 KiB, 1,000/s, while a cold gigabyte is read: p99", "ms",
           "cold-reader", "beside_end_to_end_p99_ms", 1 / 3),
    Row("cold-reader-own", "the same beside our own without that reader", "ms", "cold-reader",
        "beside_end_to_end_p99_ms", "lower", 4, theirs=BARNABAS, their_figure="alone_end_to_end_p99_ms"),
    _requests("produce", "one-record Produce", 1, 1, 2),
    _requests("produce", "one-record Produce", 1, 16, 10),
    _requests("produce", "one-record Produce", 100, 1, 2.5),
    _requests("produce", "one-record Produce", 100, 16, 3),
    _requests("metadata", "Metadata", 1, 16, 10),
    _requests("metadata", "Metadata", 100, 16, 3),
    _lower("topics", "100 topics of 100 partitions, until all have leaders", "s", "many-partitions",
           "create_s", 1 / 10),
    _idle_partitions("start", "start after a clean stop → first record", "s", "start_s", "start_s_max"),
    _idle_partitions("crash", "start after kill -9 → first record", "s", "start_after_kill_s", "start_s_max"),
    _idle_partitions("memory", "resident memory", "MiB", "idle_mib", "mib_max"),
    _lower("crash", "kill -9 after 1 GiB → first record", "s", "crash", "recovery_s", 1 / 10),
    Row("fsync", "durability fsync, 1,000 connections; beside our own without", "/s", "fsync",
        "fsync_requests_per_s", "higher", 0.5, theirs=BARNABAS, their_figure="page_cache_requests_per_s"),
    *(_higher(f"transactions-{producers}x{records}",
              f"transactions, {producers} producer{'s' if producers > 1 else ''} × {records} "
              f"record{'s' if records > 1 else ''}",
              "/s", f"transactions-{producers}x{records}", "transactions_per_s", 3)
      for producers in (1, 8) for records in (1, 100)),
    _lower("first-record", "new broker, new group: start of the join → first record", "s", "first-record",
           "first_record_s", 1 / 10),
    _lower("first-record-own", "the same with our own client", "s", "first-record-own", "first_record_s",
           1 / 10),
    Row("first-record-own-bound", "the same beside the bound", "s", "first-record-own", "first_record_s",
        "lower", 1, theirs=BARNABAS, their_figure="first_record_s_max"),
    *_group("classic", "classic protocol", 1 / 2),
    *_group("consumer", "KIP-848", 1 / 8),
    _requests("offset-commit", "OffsetCommit", 100, 1, 1.5),
    _requests("heartbeat", "Heartbeat", 100, 1, 1.5),
    _lower("members", "10,000 members of 1,000 groups, a heartbeat every 3 s: CPU", "%", "members",
           "cpu_percent", 1 / 2),
    _service("http", "HTTP, 64 connections: a constant reply; bare hyper beside it", "http",
             ("constant_requests_per_s", "bare_requests_per_s"), 0.8),
    _service("schema-by-id", "registry: schema by id; a constant reply beside it", "schema-by-id",
             ("by_id_requests_per_s", "constant_requests_per_s"), 0.6),
    _service("schema-by-id-p99", "registry: schema by id, p99; a constant reply beside it", "schema-by-id",
             ("by_id_request_p99_ms", "constant_request_p99_ms"), 3, "ms"),
    _service("schema-by-id-p99-registering", "the same while 100 schemas/s are registered", "schema-by-id",
             ("beside_request_p99_ms", "constant_request_p99_ms"), 3, "ms"),
    _service("schema-lookup", "registry: look-up of a registered schema; by id beside it", "schema-by-id",
             ("lookup_requests_per_s", "by_id_requests_per_s"), 0.9),
    _service("register", "registry: new schemas; single Produces beside it, each on one connection",
             "register", ("register_requests_per_s", "produce_requests_per_s"), 1 / 3),
    _service("register-many", "registry: new schemas, 64 connections; single Produces of one beside it",
             "register", ("register_many_requests_per_s", "produce_requests_per_s"), 1 / 3),
    _service("avro-check", "registry: Avro of 2 KiB against 10 versions; PyPI's avro beside it", "avro-check",
             ("barnabas_checks_per_s", "avro_checks_per_s"), 20),
    _service("schemas-100k-start", "registry: start with 100,000 schemas of 2 KiB; beside the bound",
             "many-schemas", ("start_s", "start_s_max"), 1, "s"),
    _service("schemas-100k-memory", "the same: resident memory; beside the bound", "many-schemas",
             ("mib", "mib_max"), 1, "MiB"),
    _service("rest-produce", "REST Proxy: one record a request, 64 connections; a constant reply beside it",
             "rest-produce", ("produce_requests_per_s", "constant_requests_per_s"), 0.4),
    _service("rest-stream", "REST Proxy: records on one connection; librdkafka beside it", "rest-stream",
             ("rest_records_per_s", "confluent_records_per_s"), 0.25),
    _client("produce-100", "produce 100 B", 1.3),
    _client("produce-1k", "produce 1 KiB", 1.3),
    _client("callback", "produce 100 B with a callback for each", 1.3),
    _client("asyncio", "produce 100 B, a result awaited for each", 5, "aiokafka"),
    _client("send-batch", "produce 100 B from Arrow", 4),
    _client("consume", "consume 100 B as records", 1.3),
    _client("columns", "consume 100 B as columns", 8),
    Row("client-round-trip", "client: one record and its acknowledgement, p50; confluent-kafka beside it",
        "ms", "client-round-trip", "barnabas_p50_ms", "lower", 0.8, ours=KAFKA, theirs=KAFKA,
        their_figure="confluent_p50_ms"),
    Row("client-round-trip-own", "the same against barnabas; confluent-kafka against Apache Kafka beside it",
        "ms", "client-round-trip", "barnabas_p50_ms", "lower", 1 / 3, ours=BARNABAS, theirs=KAFKA,
        their_figure="confluent_p50_ms"),
    Row("client-memory", "client: memory while producing; buffer.memory + 30 MiB beside it", "MiB",
        "client-memory", "barnabas_peak_mib", "lower", 1, ours=KAFKA, theirs=KAFKA,
        their_figure="barnabas_allowed_mib"),
)  # fmt: skip


def chosen(names: list[str]) -> list[Row]:
    """The rows with these names or beginnings of names; all when there are none."""
    rows = [row for row in ROWS if not names or any(row.name.startswith(name) for name in names)]
    for name in names:
        if not any(row.name.startswith(name) for row in ROWS):
            raise ValueError(f"no row is named {name}: see --list")
    return rows
