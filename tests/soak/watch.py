"""What a process takes over time, and whether it grows."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from barnabas.cli.scrape import Scrape, scrape

MIB = 1 << 20
MEMORY_GROWTH_MAX = 0.05
"""Share of the memory that may come on top: the allocator does not give every page back."""
MEMORY_SLACK_MIB = 4.0
FILES_SLACK = 8.0
"""Files that come and go with connections."""
THREADS_SLACK = 0.0


@dataclass(frozen=True)
class Sample:
    """A node at one moment."""

    second: float
    memory_mib: float
    threads: float
    files: float
    """Without those that logs keep open."""
    cpu_seconds: float
    partitions: float
    producers: float
    log_files: float
    """Files that logs keep open: more and more of them as segments are used, up to a bound."""

    @staticmethod
    def take(url: str, second: float) -> Sample:
        """What the node says of itself at /metrics."""
        page: Scrape = scrape(url)
        replicas = "kafka_server_ReplicaManager_Value"
        log_files = page.value("barnabas_log_open_files")
        return Sample(
            second,
            page.value("process_resident_memory_bytes") / MIB,
            page.value("process_threads"),
            page.value("process_open_fds") - log_files,
            page.value("process_cpu_seconds_total"),
            page.value(replicas, name="PartitionCount"),
            page.value(replicas, name="ProducerIdCount"),
            log_files,
        )

    def line(self, before: Sample) -> str:
        """For people, with the processor's share since the sample before."""
        seconds = max(self.second - before.second, 1e-9)
        share = (self.cpu_seconds - before.cpu_seconds) / seconds
        return (
            f"{self.second / 60:5.1f} min  {self.memory_mib:6.1f} MiB  {self.threads:.0f} threads  "
            f"{self.files:.0f} files and {self.log_files:.0f} of logs  {share:6.1%} cpu  "
            f"{self.partitions:.0f} partitions  {self.producers:.0f} producers"
        )


@dataclass(frozen=True)
class Growth:
    """One figure early and late."""

    name: str
    early: float
    late: float
    allowed: float

    @property
    def is_growth(self) -> bool:
        return self.late > self.early + self.allowed

    def __str__(self) -> str:
        word = "HAS GROWN" if self.is_growth else "stays"
        return (
            f"{self.name}: {self.early:.1f} early, {self.late:.1f} late (allowed +{self.allowed:.1f}): {word}"
        )


def growths(samples: Sequence[Sample]) -> list[Growth]:
    """Medians of the second and the last quarter: in the first one caches and segments fill."""
    quarter = len(samples) // 4
    assert quarter > 0, "too short to say"
    early, late = samples[quarter : 2 * quarter], samples[-quarter:]

    def growth(name: str, figure: str, allowed: float, share: float = 0.0) -> Growth:
        before, after = (
            statistics.median(getattr(sample, figure) for sample in part) for part in (early, late)
        )
        return Growth(name, before, after, allowed + share * before)

    return [
        growth("memory, MiB", "memory_mib", MEMORY_SLACK_MIB, MEMORY_GROWTH_MAX),
        growth("threads", "threads", THREADS_SLACK),
        growth("open files", "files", FILES_SLACK),
    ]
