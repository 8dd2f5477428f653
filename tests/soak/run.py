"""One soak: a node, its loads, what is seen of it."""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from barnabas.cli.connection import Connection
from barnabas.cli.top import find_metrics
from tests.soak.groups import Group, ShareGroup
from tests.soak.load import Load, Loads
from tests.soak.requests import Requests
from tests.soak.streams import TOPICS, FromTheStart, Streams, create_streams
from tests.soak.topics import Compacted, ShortLived
from tests.soak.transactions import Transactions
from tests.soak.watch import Growth, Sample, growths
from tests.support.server import BarnabasUp

SECONDS_PER_LINE = 60.0

SETTINGS = {
    "barnabas.metrics.port": "0",
    # Few partitions are all touched soon, and hold no more files open afterwards.
    "offsets.topic.num.partitions": "3",
    "transaction.state.log.num.partitions": "3",
    "share.coordinator.state.topic.num.partitions": "3",
    # What is forgotten after hours and days is forgotten within the soak.
    "log.retention.check.interval.ms": "2000",
    "log.segment.delete.delay.ms": "1000",
    "log.cleaner.backoff.ms": "1000",
    "offsets.retention.minutes": "1",
    "offsets.retention.check.interval.ms": "10000",
    "offsets.topic.segment.bytes": "1048576",
    "transaction.state.log.segment.bytes": "1048576",
    "share.coordinator.state.topic.segment.bytes": "1048576",
    "transactional.id.expiration.ms": "60000",
    "transaction.remove.expired.transaction.cleanup.interval.ms": "10000",
    "transaction.abort.timed.out.transaction.cleanup.interval.ms": "1000",
    "producer.id.expiration.ms": "60000",
    "producer.id.expiration.check.interval.ms": "10000",
    "group.consumer.min.session.timeout.ms": "6000",
    "group.consumer.session.timeout.ms": "10000",
    "group.initial.rebalance.delay.ms": "0",
}


@dataclass
class Outcome:
    """What a soak has shown."""

    failures: list[str]
    done: dict[str, int]
    samples: list[Sample]
    growths: list[Growth] = field(default_factory=list)

    @property
    def is_good(self) -> bool:
        return not self.failures and not any(one.is_growth for one in self.growths)


def loads(bootstrap: str, seed: int) -> list[Load]:
    """All of them. Each has a chance of its own, so that threads don't draw from one."""

    def chance(number: int) -> random.Random:
        return random.Random(seed * 100 + number)

    create_streams(bootstrap)
    return [
        Streams(bootstrap),
        FromTheStart(bootstrap, chance(1)),
        Group(bootstrap, "classic", TOPICS["lz4"], chance(2)),
        Group(bootstrap, "consumer", TOPICS["zstd"], chance(3)),
        ShareGroup(bootstrap, TOPICS["none"], chance(4)),
        Transactions(bootstrap, chance(5)),
        ShortLived(bootstrap),
        Compacted(bootstrap, chance(6)),
        Requests(bootstrap, chance(7), TOPICS["gzip"]),
    ]


def soak(directory: Path, seconds: float, seed: int, say: Callable[[str], None]) -> Outcome:
    """Starts a node in the directory, and stops it at the end, which must go well too."""
    arguments = [word for key, value in SETTINGS.items() for word in ("--set", f"{key}={value}")]
    node = BarnabasUp(directory / "data", arguments).start()
    try:
        url = find_metrics(Connection(node.bootstrap, {}))
        running = Loads(loads(node.bootstrap, seed))
        samples = _watch(url, running, seconds, say)
        running.finish()
        outcome = Outcome(running.failures, running.done(), samples, growths(samples))
        code = node.stop()
        if code != 0:
            outcome.failures.append(f"the node ended with exit code {code}")
    finally:
        node.kill()
    lines = [line for line in node.log.read_text().splitlines() if " ERROR " in line]
    outcome.failures.extend(lines[:10])
    return outcome


def _watch(url: str, running: Loads, seconds: float, say: Callable[[str], None]) -> list[Sample]:
    began = time.monotonic()
    told = Sample.take(url, 0.0)
    samples = [told]
    running.start()
    while (second := time.monotonic() - began) < seconds and not running.failures:
        running.wait(1.0)
        samples.append(Sample.take(url, second))
        if second - told.second >= SECONDS_PER_LINE:
            say(samples[-1].line(told))
            told = samples[-1]
    return samples
