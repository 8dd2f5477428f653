"""`barnabas.stored_offsets`: each record takes effect exactly once, though its consumer is killed."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

import barnabas
from barnabas.stored_offsets import StoredOffsets
from tests.integration.clients.topics import create

COUNT = 60
CONSUMER = """
import os, signal, sqlite3, sys
import barnabas
from barnabas.stored_offsets import StoredOffsets

bootstrap, topic, path, dies_at, where, count = sys.argv[1:]
database = sqlite3.connect(path)
offsets = StoredOffsets(database, topic)

def step(name):
    if name == where and seen == int(dies_at):
        os.kill(os.getpid(), signal.SIGKILL)

seen = 0
with barnabas.Consumer(
    bootstrap_servers=bootstrap,
    group_id=topic,
    group_instance_id="one",
    auto_offset_reset="earliest",
    enable_auto_commit=False,
) as consumer:
    offsets.subscribe(consumer, topic)
    for record in consumer:
        seen += 1
        with database:
            step("before")
            if offsets.save(record):
                step("between")
                database.execute("insert into effects values (?)", (int(record.value),))
            step("inside")
        step("after")
        if database.execute("select count(*) from effects").fetchone()[0] == int(count):
            break
"""


def test_what_is_read_takes_effect_once_across_kill_9(bootstrap: str, topic: str, tmp_path: Path) -> None:
    create(bootstrap, topic, partitions=2)
    with barnabas.Producer(bootstrap_servers=bootstrap) as producer:
        for n in range(COUNT):
            producer.produce(topic, str(n), partition=n % 2)
    path = tmp_path / "effects.db"
    with sqlite3.connect(path) as database:
        database.execute("create table effects (number integer)")
    deaths = [(7, "between"), (11, "inside"), (5, "after"), (0, "never")]
    for at, where in deaths:
        command = [sys.executable, "-c", CONSUMER, bootstrap, topic, str(path), str(at), where, str(COUNT)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=240)
        assert done.returncode == (0 if where == "never" else -signal.SIGKILL), done.stderr
    effects = [number for (number,) in database.execute("select number from effects order by number")]
    assert effects == list(range(COUNT))
    database.close()


def test_a_record_that_another_has_saved_is_told(bootstrap: str, topic: str, tmp_path: Path) -> None:
    create(bootstrap, topic, partitions=1)
    with barnabas.Producer(bootstrap_servers=bootstrap) as producer:
        producer.produce(topic, "0")
        producer.produce(topic, "1")
    database = sqlite3.connect(tmp_path / "offsets.db")
    offsets = StoredOffsets(database, "g", table="mine")
    with barnabas.Consumer(bootstrap_servers=bootstrap, auto_offset_reset="earliest") as consumer:
        assert offsets.position(topic, 0) is None
        offsets.assign(consumer, [(topic, 0)])
        records: list[barnabas.Record] = []
        while len(records) < 2:
            records += consumer.poll(30)
        with database:
            assert offsets.save(records[0])
        assert offsets.save(records[1])
        database.rollback()
        assert offsets.position(topic, 0) == 1
        with database:
            assert not offsets.save(records[0])
            assert offsets.save(records[1])
        offsets.assign(consumer, [(topic, 0)])
        assert consumer.position(topic, 0) == 2
    database.close()


def test_a_table_is_a_name() -> None:
    with pytest.raises(ValueError, match="no name of a table"):
        StoredOffsets(sqlite3.connect(":memory:"), "g", table="x; drop table y")
