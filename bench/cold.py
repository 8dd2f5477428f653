"""A reader of old records beside those at the end: what the disk costs the one must not cost the others."""

import contextlib
import os
import threading
from collections.abc import Iterator
from pathlib import Path

from bench.brokers import Broker
from bench.load import Figures

RATE = 1000
"""Records per second that the readers at the end get."""


def measure(broker: Broker, mib: int, seconds: float, warm_up: float) -> Figures:
    """Latency of records at the end: alone, and while others are read that have left the page cache."""
    cold, hot = broker.topic(), broker.topic()
    broker.load.run("produce", broker.bootstrap, cold, mib=mib, batch_bytes=65536)
    latency = {"rate": RATE, "seconds": seconds, "warm_up": warm_up}
    alone = broker.load.run("latency", broker.bootstrap, hot, **latency)
    with _reading(broker, cold) as done:
        beside = broker.load.run("latency", broker.bootstrap, hot, **latency)
    figures = {f"alone_{name}": value for name, value in alone.items() if name.startswith("end_to_end")}
    figures |= {f"beside_{name}": value for name, value in beside.items() if name.startswith("end_to_end")}
    figures["cold_mib_per_s"] = sum(done) / len(done)
    broker.delete(cold)
    broker.delete(hot)
    return figures


@contextlib.contextmanager
def _reading(broker: Broker, topic: str) -> Iterator[list[float]]:
    """Reads the topic over and over, each time from the disk; MiB/s of each time."""
    done: list[float] = []
    end = threading.Event()

    def read() -> None:
        while not end.is_set():
            drop_cache(broker.directory, topic)
            done.append(broker.load.run("consume", broker.bootstrap, topic)["mib_per_s"])

    reader = threading.Thread(target=read)
    reader.start()
    try:
        yield done
    finally:
        end.set()
        reader.join()


def drop_cache(directory: Path, topic: str) -> None:
    """Lets the page cache forget all files of a topic."""
    for path in directory.rglob(f"{topic}-*/*"):
        with path.open("rb") as file:
            os.fsync(file.fileno())
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
