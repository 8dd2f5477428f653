"""Clients for Python side by side, against the same broker: each in its own process, one after the other."""

import json
import os
import subprocess
import sys
from pathlib import Path

from bench.brokers import Broker
from bench.load import Figures, LoadFailed

SECONDS_MAX = 300

KINDS: dict[str, tuple[str, int, int, tuple[str, ...]]] = {
    "produce-100": ("produce", 2_000_000, 100, ("confluent", "barnabas")),
    "produce-1k": ("produce", 400_000, 1024, ("confluent", "barnabas")),
    "callback": ("callback", 1_000_000, 100, ("confluent", "barnabas")),
    "asyncio": ("asyncio", 300_000, 100, ("aiokafka", "barnabas")),
    "send-batch": ("batch", 4_000_000, 100, ("confluent", "barnabas")),
    "memory": ("memory", 2_000_000, 100, ("barnabas",)),
    "consume": ("consume", 2_000_000, 100, ("confluent", "barnabas")),
    "columns": ("columns", 4_000_000, 100, ("barnabas",)),
    "round-trip": ("trip", 2_000, 100, ("confluent", "barnabas")),
}
"""What is done, by the case's name: how many records of which size, by whom."""


def measure(broker: Broker, name: str, mib: int) -> Figures:
    """The figures of all clients of a case, each with the client's name before it."""
    kind, records, size, clients = KINDS[name]
    records = max(1_000, records * mib // 1024)
    reads = kind in ("consume", "columns")
    # A broker that removes a topic is busy: too busy for single records.
    one_topic = reads or kind == "trip"
    topic = broker.topic()
    if reads:
        run("batch", "barnabas", broker.bootstrap, topic, records, size)
    figures: Figures = {}
    for client in clients:
        if not one_topic:
            broker.delete(topic)
            topic = broker.topic()
        found = run(kind, client, broker.bootstrap, topic, records, size)
        figures |= {f"{client}_{figure}": value for figure, value in found.items()}
    if kind == "batch":
        # Its best, whichever call that is.
        found = run("produce", "confluent", broker.bootstrap, topic, records // 2, size)
        best = max(found["records_per_s"], figures["confluent_records_per_s"])
        figures["confluent_records_per_s"] = best
    elif kind == "columns":
        found = run("consume", "confluent", broker.bootstrap, topic, records, size)
        figures["confluent_records_per_s"] = found["records_per_s"]
    broker.delete(topic)
    return figures


def run(kind: str, client: str, bootstrap: str, topic: str, records: int, size: int) -> Figures:
    """One client's figures, without its name."""
    command = [
        sys.executable,
        "-m",
        "bench.client_load",
        kind,
        client,
        bootstrap,
        topic,
        str(records),
        str(size),
    ]
    root = Path(__file__).resolve().parents[1]
    # pyarrow brings numpy, whose threads for linear algebra spin for a while: on few processors that shows.
    environment = os.environ | {"OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run(
        command,
        cwd=root,
        env=environment,
        capture_output=True,
        text=True,
        timeout=SECONDS_MAX,
        check=False,
    )
    if done.returncode:
        raise LoadFailed(f"{client}: {done.stderr.strip().splitlines()[-1:]}")
    figures: Figures = json.loads(done.stdout)
    return figures
