"""What a node serves at /metrics, read and made into the figures that `barnabas top` shows."""

import re
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

SECONDS_MAX = 10.0
BYTES_MAX = 256 << 20

Labels = frozenset[tuple[str, str]]

_SAMPLE = re.compile(r"(?P<name>[a-zA-Z_:][\w:]*)(?:\{(?P<labels>.*)\})? (?P<value>\S+)")
_LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')
_ESCAPED = {"\\\\": "\\", '\\"': '"', "\\n": "\n"}


class ScrapeFailed(Exception):
    """The page can't be read."""


class Scrape:
    """All samples of one reading."""

    def __init__(self, text: str, at: float) -> None:
        self.at = at
        """Seconds on a clock that never goes back."""
        self._samples: dict[str, dict[Labels, float]] = {}
        for line in text.splitlines():
            if line and not line.startswith("#"):
                name, labels, value = parse_sample(line)
                self._samples.setdefault(name, {})[labels] = value

    def value(self, family: str, **labels: str) -> float:
        """One sample; 0 when there is none."""
        return self._samples.get(family, {}).get(frozenset(labels.items()), 0.0)

    def each(self, family: str) -> Iterator[tuple[dict[str, str], float]]:
        """The samples of a family with their labels."""
        return ((dict(labels), value) for labels, value in self._samples.get(family, {}).items())

    def total(self, family: str, **labels: str) -> float:
        """Sum of the samples that have these labels, among others."""
        wanted = labels.items()
        return sum(value for found, value in self.each(family) if wanted <= found.items())


def parse_sample(line: str) -> tuple[str, Labels, float]:
    """Name, labels and value of a line. Raises ScrapeFailed for anything else."""
    match = _SAMPLE.fullmatch(line)
    try:
        if match is None:
            raise ValueError
        labels = _LABEL.findall(match["labels"] or "")
        texts = (
            (name, re.sub(r"\\.", lambda one: _ESCAPED.get(one[0], one[0]), text)) for name, text in labels
        )
        return match["name"], frozenset(texts), float(match["value"])
    except ValueError:
        raise ScrapeFailed(f"not a metric: {line[:80]}") from None


def scrape(url: str) -> Scrape:
    """Reads a page. Raises ScrapeFailed."""
    from http.client import HTTPException
    from urllib.request import urlopen

    try:
        with urlopen(url, timeout=SECONDS_MAX) as response:
            text = response.read(BYTES_MAX).decode()
    except (OSError, HTTPException, ValueError) as error:
        raise ScrapeFailed(f"{url} can't be read: {error}") from error
    return Scrape(text, time.monotonic())


@dataclass(frozen=True)
class RequestFigures:
    """Requests of one API. Times are milliseconds of the last minutes."""

    name: str
    per_s: float
    p50_ms: float
    p99_ms: float
    p999_ms: float


@dataclass(frozen=True)
class TopicFigures:
    """Traffic of one topic, per second."""

    name: str
    messages_in_per_s: float
    bytes_in_per_s: float
    bytes_out_per_s: float


@dataclass(frozen=True)
class Figures:
    """A node between two readings of its metrics."""

    messages_in_per_s: float
    bytes_in_per_s: float
    bytes_out_per_s: float
    requests_per_s: float
    connections: int
    waiting_for_python: int
    idle_percent: float
    cpu_percent: float
    memory_bytes: int
    open_files: int
    threads: int
    topics: int
    partitions: int
    under_replicated: int
    offline_replicas: int
    log_bytes: int
    slow_requests: int
    requests: list[RequestFigures] = field(default_factory=list)
    """Busiest first."""
    busiest_topics: list[TopicFigures] = field(default_factory=list)
    """Those with any traffic, busiest first."""

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


_TRAFFIC = "kafka_server_BrokerTopicMetrics_Count"
_REQUESTS = "kafka_network_RequestMetrics"
_REPLICAS = "kafka_server_ReplicaManager_Value"


def figures(before: Scrape, now: Scrape) -> Figures:
    """What has happened from one reading to the next, and how things stand."""
    elapsed = max(now.at - before.at, 1e-3)

    def rate(family: str, **labels: str) -> float:
        return max(0.0, now.value(family, **labels) - before.value(family, **labels)) / elapsed

    def sum_rate(family: str) -> float:
        return max(0.0, now.total(family) - before.total(family)) / elapsed

    requests = [
        RequestFigures(
            name,
            per_s,
            *(
                now.value(f"{_REQUESTS}_{quantile}Percentile", name="TotalTimeMs", request=name)
                for quantile in ("50th", "99th", "999th")
            ),
        )
        for name, per_s in sorted(_request_rates(before, now, elapsed).items(), key=lambda one: -one[1])
    ]
    topics = {labels["topic"] for labels, _ in now.each(_TRAFFIC) if "topic" in labels}
    traffic = [
        TopicFigures(
            name,
            *(
                rate(_TRAFFIC, name=meter, topic=name)
                for meter in ("MessagesInPerSec", "BytesInPerSec", "BytesOutPerSec")
            ),
        )
        for name in sorted(topics)
    ]
    busiest = [one for one in traffic if one.bytes_in_per_s or one.bytes_out_per_s]
    return Figures(
        messages_in_per_s=rate(_TRAFFIC, name="MessagesInPerSec"),
        bytes_in_per_s=rate(_TRAFFIC, name="BytesInPerSec"),
        bytes_out_per_s=rate(_TRAFFIC, name="BytesOutPerSec"),
        requests_per_s=sum_rate("kafka_server_socket_server_metrics_request_total"),
        connections=int(now.total("kafka_server_socket_server_metrics_connection_count")),
        waiting_for_python=int(now.value("kafka_network_RequestChannel_Value", name="RequestQueueSize")),
        idle_percent=100
        * now.value("kafka_network_SocketServer_Value", name="NetworkProcessorAvgIdlePercent"),
        cpu_percent=100 * sum_rate("process_cpu_seconds_total"),
        memory_bytes=int(now.value("process_resident_memory_bytes")),
        open_files=int(now.value("process_open_fds")),
        threads=int(now.value("process_threads")),
        topics=int(now.value("kafka_controller_KafkaController_Value", name="GlobalTopicCount")),
        partitions=int(now.value(_REPLICAS, name="PartitionCount")),
        under_replicated=int(now.value(_REPLICAS, name="UnderReplicatedPartitions")),
        offline_replicas=int(now.value(_REPLICAS, name="OfflineReplicaCount")),
        log_bytes=int(now.total("kafka_log_Log_Value", name="Size")),
        slow_requests=int(now.total("barnabas_slow_requests_total")),
        requests=requests,
        busiest_topics=sorted(busiest, key=lambda one: -(one.bytes_in_per_s + one.bytes_out_per_s)),
    )


def _request_rates(before: Scrape, now: Scrape, elapsed: float) -> Mapping[str, float]:
    """Requests per second of each API that has any; FetchConsumer is Fetch once more."""
    rates: dict[str, float] = {}
    for sign, found in ((1, now), (-1, before)):
        for labels, count in found.each(f"{_REQUESTS}_Count"):
            if labels["name"] == "RequestsPerSec" and labels["request"] != "FetchConsumer":
                rates[labels["request"]] = rates.get(labels["request"], 0.0) + sign * count / elapsed
    return {name: rate for name, rate in rates.items() if rate > 0}
