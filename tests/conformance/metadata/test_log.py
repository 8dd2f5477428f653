"""The files of the metadata log: Apache Kafka reads and carries on ours, and we read Apache's."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from barnabas._core import load_metadata
from tests.support import oracle
from tests.support.toolchain import require

ROOT = Path(__file__).parents[3]
DUMP = "org.apache.kafka.tools.DumpLogSegments"
TOPICS = "org.apache.kafka.tools.TopicCommand"
CONFIGS = "kafka.admin.ConfigCommand"

pytestmark = [pytest.mark.oracle, pytest.mark.slow, pytest.mark.timeout(900)]  # The first run compiles.


@pytest.fixture(scope="module", autouse=True)
def _toolchain() -> None:
    require("java", "mvn", "cargo")


def write_ours(directory: Path, controller_port: int) -> Path:
    """A log directory that barnabas has formatted and written; gives the metadata log's directory."""
    subprocess.run(
        ["cargo", "run", "--quiet", "--release", "-p", "barnabas-raft", "--example", "write_metadata", "--",
         str(directory), str(controller_port), "30"],
        cwd=ROOT,
        check=True,
    )  # fmt: skip
    return directory / "__cluster_metadata-0"


def dump(file: Path) -> list[str]:
    """What Kafka's DumpLogSegments says of a file: batches and records."""
    done = oracle.java(DUMP, "--cluster-metadata-decoder", "--files", str(file))
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def types(lines: list[str]) -> list[str]:
    """The types of the records in a dump."""
    found = (re.search(r'headerKeys: \[\] (?:payload: {"type":"(\w+)"|(\w+))', line) for line in lines)
    return [match[1] or match[2] for match in found if match]


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_ours(tmp_path_factory.mktemp("ours"), 9093)


def test_dump_log_reads_our_log(ours: Path) -> None:
    lines = dump(ours / "00000000000000000000.log")
    assert all("isvalid: true" in line for line in lines if line.startswith("baseOffset"))
    assert types(lines) == [
        "LeaderChange", "KRaftVersion", "KRaftVoters", "BEGIN_TRANSACTION_RECORD", "FEATURE_LEVEL_RECORD",
        "FEATURE_LEVEL_RECORD", "CONFIG_RECORD", "END_TRANSACTION_RECORD", "TOPIC_RECORD", "PARTITION_RECORD",
        "CONFIG_RECORD", "PARTITION_RECORD", "ACCESS_CONTROL_ENTRY_RECORD", "PRODUCER_IDS_RECORD",
        "LeaderChange",
    ]  # fmt: skip


def test_dump_log_reads_our_snapshots(ours: Path) -> None:
    newest = max(ours.glob("*.checkpoint"))
    lines = dump(newest)
    assert "Snapshot end offset: 11, epoch: 1" in lines
    assert types(lines) == [
        "SnapshotHeader", "KRaftVersion", "KRaftVoters", "FEATURE_LEVEL_RECORD", "FEATURE_LEVEL_RECORD",
        "TOPIC_RECORD", "PARTITION_RECORD", "CONFIG_RECORD", "CONFIG_RECORD", "SnapshotFooter",
    ]  # fmt: skip
    assert types(dump(ours.parent / "bootstrap.checkpoint")) == [
        "SnapshotHeader", "FEATURE_LEVEL_RECORD", "FEATURE_LEVEL_RECORD", "SnapshotFooter",
    ]  # fmt: skip


def test_the_metadata_shell_reads_our_snapshot(ours: Path) -> None:
    newest = max(ours.glob("*.checkpoint"))
    shell = "org.apache.kafka.shell.MetadataShell"
    done = oracle.java(shell, "--snapshot", str(newest), "ls", "/image/topics/byName")
    assert done.stdout.split() == ["orders"], done.stdout + done.stderr
    done = oracle.java(shell, "--snapshot", str(newest), "cat", "/image/topics/byName/orders/0")
    assert "isr=[1]" in done.stdout, done.stdout + done.stderr


def test_apache_kafka_carries_on_our_directory(tmp_path: Path) -> None:
    kafka = oracle.ApacheKafka(tmp_path)
    write_ours(kafka.log_directory, kafka.controller_port)
    before = load_metadata(str(kafka.log_directory))
    try:
        kafka.start()
        server = ("--bootstrap-server", kafka.bootstrap)
        listed = oracle.java(TOPICS, *server, "--list")
        assert listed.stdout.split() == ["orders"], listed.stdout + listed.stderr
        made = oracle.java(TOPICS, *server, "--create", "--topic", "theirs", "--partitions", "3")
        assert made.returncode == 0, made.stdout + made.stderr
    finally:
        kafka.stop()
    after = load_metadata(str(kafka.log_directory))
    assert after.epoch > before.epoch
    assert [topic.name for topic in after.topics()] == ["orders", "theirs"]
    assert after.next_producer_id() == 1000
    assert after.config(2, "orders") == {"retention.ms": "1000"}
    assert [broker.id for broker in after.brokers()] == [1]


def test_we_read_what_apache_kafka_has_written(tmp_path: Path) -> None:
    settings = {"metadata.log.max.record.bytes.between.snapshots": "2048"}
    kafka = oracle.ApacheKafka(tmp_path, settings)
    try:
        kafka.start()
        server = ("--bootstrap-server", kafka.bootstrap)
        alter = (CONFIGS, *server, "--alter")
        scram = "SCRAM-SHA-256=[password=secret]"
        for command in (
            (TOPICS, *server, "--create", "--topic", "orders", "--partitions", "30"),
            (TOPICS, *server, "--create", "--topic", "gone"),
            (*alter, "--topic", "orders", "--add-config", "retention.ms=1000"),
            (*alter, "--broker-defaults", "--add-config", "log.retention.ms=9999"),
            (*alter, "--user", "alice", "--add-config", scram),
            (*alter, "--user", "alice", "--add-config", "producer_byte_rate=1000"),
            (TOPICS, *server, "--delete", "--topic", "gone"),
        ):
            done = oracle.java(*command)
            assert done.returncode == 0, done.stdout + done.stderr
    finally:
        kafka.stop()
    log = kafka.log_directory / "__cluster_metadata-0"
    snapshots = sorted(log.glob("*.checkpoint"))
    assert len(snapshots) > 1, "Kafka has taken a snapshot"

    without = tmp_path / "without-snapshots"
    shutil.copytree(kafka.log_directory, without)
    for snapshot in snapshots[1:]:
        (without / log.name / snapshot.name).unlink()

    image = load_metadata(str(kafka.log_directory))
    assert image.to_records() == load_metadata(str(without)).to_records()
    assert [topic.name for topic in image.topics()] == ["orders"]
    assert image.partition_count() == 30
    assert image.features()["metadata.version"] == 30
    assert image.config(2, "orders") == {"retention.ms": "1000"}
    assert image.config(4, "") == {"log.retention.ms": "9999", "min.insync.replicas": "1"}
    assert image.quotas() == [([("user", "alice")], {"producer_byte_rate": 1000.0})]
    assert [(entry[0], entry[1], entry[5]) for entry in image.scram()] == [(1, "alice", 4096)]
    broker = image.broker(1)
    assert broker is not None
    assert broker.listeners == [("PLAINTEXT", "127.0.0.1", kafka.port, 0)]
    assert image.controllers()[0][0] == 1
