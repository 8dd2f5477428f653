"""The programs in examples/ do what they say."""

import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

from barnabas.testing import Kafka, ProducerRecord

EXAMPLES = Path(__file__).resolve().parents[3] / "examples"
PAYMENTS = 3_000
KILLS = 3


def booked(path: Path) -> int:
    """How many payments are in the database, by how far they are read; 0 before it is made."""
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as database:
        try:
            (count,) = database.execute("select coalesce(sum(next_offset), 0) from read_up_to").fetchone()
        except sqlite3.OperationalError:
            return 0
        finally:
            database.rollback()
    database.close()
    return int(count)


def start(kafka: Kafka, path: Path) -> subprocess.Popen[bytes]:
    program = [sys.executable, EXAMPLES / "sqlite" / "balances.py", kafka.bootstrap, path]
    return subprocess.Popen(program, env={**os.environ, "PYTHONUNBUFFERED": "1"})


def wait_for(path: Path, count: int, program: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + 120
    while booked(path) < count:
        assert program.poll() is None, "the program has ended"
        assert time.monotonic() < end, f"{booked(path)} of {count} payments after two minutes"
        time.sleep(0.005)


def test_each_payment_counts_once_however_often_the_program_is_killed(kafka: Kafka, tmp_path: Path) -> None:
    path = tmp_path / "balances.db"
    sqlite3.connect(path).close()
    payments = [
        ProducerRecord({"account": f"a{n % 7}", "amount": n}, partition=n % 3) for n in range(PAYMENTS)
    ]
    kafka.topic("payments", partitions=3)
    for kill in range(KILLS):
        part = payments[kill::KILLS]
        program = start(kafka, path)
        try:
            before = booked(path)
            kafka.produce("payments", *part[: len(part) // 2])
            wait_for(path, before + 1, program)
            kafka.produce("payments", *part[len(part) // 2 :])
        finally:
            program.send_signal(signal.SIGKILL)
            program.wait()
    program = start(kafka, path)
    try:
        wait_for(path, PAYMENTS, program)
    finally:
        program.kill()
        program.wait()
    wanted: Counter[str] = Counter()
    for number in range(PAYMENTS):
        wanted[f"a{number % 7}"] += number
    database = sqlite3.connect(path)
    found = dict(database.execute("select account, amount from balance").fetchall())
    database.close()
    assert found == wanted
