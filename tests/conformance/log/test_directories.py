"""Directories that Apache Kafka 4.3.1 has written open here, and the same batches give the same files."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support import oracle
from tests.support.toolchain import require

ROOT = Path(__file__).parents[3]
WORKLOAD = Path(__file__).with_name("LogWorkload.java")


@pytest.mark.oracle
@pytest.mark.slow
@pytest.mark.timeout(900)  # The first run compiles the test program.
def test_logs_of_apache_kafka_open_and_are_written_alike(tmp_path: Path) -> None:
    require("java", "mvn", "cargo")
    running = tmp_path / "running"
    with oracle.apache_kafka({"transaction.state.log.num.partitions": "1"}) as kafka:
        done = oracle.java(str(WORKLOAD), kafka.bootstrap)
        assert done.returncode == 0, done.stdout + done.stderr
        for log in kafka.log_directory.glob("*-0"):
            shutil.copytree(log, running / log.name)
        kafka.stop()
        stopped = shutil.copytree(kafka.log_directory, tmp_path / "stopped")
    done = subprocess.run(
        ["cargo", "test", "--quiet", "--release", "-p", "barnabas-log", "--test", "kafka_directory",
         "--", "--ignored"],
        cwd=ROOT,
        env={
            **os.environ,
            "KAFKA_LOG_DIRECTORY": str(stopped),
            "KAFKA_LOG_DIRECTORY_RUNNING": str(running),
        },
        capture_output=True,
        text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-10_000:] + done.stderr[-2_000:]
