"""Logs that Apache Kafka 4.3.1 has compacted and logs compacted here from the same bytes are equal."""

import os
import re
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from tests.support import oracle
from tests.support.toolchain import require

ROOT = Path(__file__).parents[3]
WORKLOAD = Path(__file__).with_name("CompactionWorkload.java")
TOPICS = ("none", "gzip", "snappy", "lz4", "zstd", "txn")
CLEANING_SECONDS_MAX = 120


@pytest.mark.oracle
@pytest.mark.slow
@pytest.mark.timeout(900)  # Four starts of Apache Kafka, and the first run compiles the test program.
def test_logs_are_compacted_as_apache_kafka_compacts_them(tmp_path: Path) -> None:
    require("java", "mvn", "cargo")
    settings = {
        "transaction.state.log.num.partitions": "1",
        "log.cleaner.backoff.ms": "100",
        "log.initial.task.delay.ms": "100",
    }
    kafka = oracle.ApacheKafka(tmp_path / "kafka", settings)
    for stage, workload in ((1, []), (2, ["more"])):
        _run(kafka, cleaner=False, workload=workload)
        shutil.copytree(kafka.log_directory, tmp_path / f"before{stage}")
        _run(kafka, cleaner=True)
        shutil.copytree(kafka.log_directory, tmp_path / f"after{stage}")
    done = subprocess.run(
        ["cargo", "test", "--quiet", "--release", "-p", "barnabas-log", "--test", "kafka_compaction",
         "--", "--ignored"],
        cwd=ROOT,
        env={**os.environ, "KAFKA_COMPACTION_DIRECTORY": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-10_000:] + done.stderr[-2_000:]


def _run(kafka: oracle.ApacheKafka, *, cleaner: bool, workload: list[str] | None = None) -> None:
    """Lets the node run until it has done the workload and, with a cleaner, compacted everything."""
    kafka.settings["log.cleaner.enable"] = str(cleaner).lower()
    kafka.start()
    try:
        if workload is not None:
            done = oracle.java(str(WORKLOAD), kafka.bootstrap, *workload)
            assert done.returncode == 0, done.stdout + done.stderr
        deadline = time.monotonic() + CLEANING_SECONDS_MAX
        while cleaner and not _is_compacted(kafka.log_directory):
            assert time.monotonic() < deadline, "Apache Kafka's cleaner is not done"
            time.sleep(0.2)
    finally:
        kafka.stop()


def _is_compacted(directory: Path) -> bool:
    """Whether the cleaner has gone through everything below the active segments."""
    checkpoint = directory / "cleaner-offset-checkpoint"
    text = checkpoint.read_text() if checkpoint.exists() else ""
    done = {topic: int(offset) for topic, offset in re.findall(r"^(\w+) 0 (\d+)$", text, re.MULTILINE)}
    return all(done.get(topic, -1) >= _active_segment(directory / f"{topic}-0") for topic in TOPICS)


def _active_segment(log: Path) -> int:
    return max(int(segment.stem) for segment in log.glob("*.log"))
