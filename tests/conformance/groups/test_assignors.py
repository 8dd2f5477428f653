"""What Apache Kafka's assignors of classic groups give is what the client's own are compared with."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.oracle import java

PROGRAM = Path(__file__).with_name("Assignors.java")
STORED = Path(__file__).resolve().parents[3] / "crates/client/src/group/assignors/java.txt"
SEED, GROUPS = 7, 150


@pytest.mark.oracle
def test_stored_groups_are_what_java_gives() -> None:
    done = java(str(PROGRAM), str(SEED), str(GROUPS))
    assert done.returncode == 0, done.stderr
    assert done.stdout == STORED.read_text()
