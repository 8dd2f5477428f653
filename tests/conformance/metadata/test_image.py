"""The metadata image against Apache Kafka's own: the same records give the same snapshot."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import pytest

from barnabas._core import MetadataImage
from tests.conformance.metadata.records import Cluster, frame, unframe
from tests.support import oracle
from tests.support.toolchain import require

RECORDS = 1500
SNAPSHOT_EACH = 50


class Apache:
    """Kafka's image in a Java process."""

    def __init__(self, stdin: IO[str], stdout: IO[str]) -> None:
        self.stdin, self.stdout = stdin, stdout

    def ask(self, line: str) -> str:
        self.stdin.write(line + "\n")
        self.stdin.flush()
        return self.answer()

    def answer(self) -> str:
        line = self.stdout.readline()
        assert line, "Kafka's image has failed"
        return line.strip()

    def snapshot(self) -> list[bytes]:
        lines = [self.ask("S")]
        while lines[-1] != ".":
            lines.append(self.answer())
        return [bytes.fromhex(line) for line in lines[:-1]]


@pytest.fixture(scope="module")
def apache() -> Iterator[Apache]:
    require("java", "mvn")
    program = str(Path(__file__).with_name("ImageOracle.java"))
    command = ["java", "-Xmx512M", "-XX:TieredStopAtLevel=1", "-cp", f"{oracle.libs()}/*", program]
    with contextlib.ExitStack() as stack:
        process = stack.enter_context(
            subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        )
        stack.callback(process.kill)
        assert process.stdin is not None
        assert process.stdout is not None
        yield Apache(process.stdin, process.stdout)


def comparable(value: bytes) -> tuple[str, int, str]:
    """A record without the order of what Kafka keeps in hash maps, or sorted."""
    version, record = unframe(value)
    fields = {name: getattr(record, name) for name in type(record).__slots__}
    for name in ("end_points", "features", "entity", "log_dirs", "cordoned_log_dirs"):
        if fields.get(name):
            fields[name] = sorted(map(repr, fields[name]))
    return type(record).__name__, version, repr(fields)


def order_of_types(records: list[bytes]) -> list[int]:
    """The types of the records, in the order in which they first come."""
    return list(dict.fromkeys(value[1] for value in records))


@pytest.mark.oracle
@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize(("seed", "elr"), [(1, True), (2, True), (3, False), (4, False)])
def test_the_same_records_give_the_same_snapshot(apache: Apache, seed: int, elr: bool) -> None:
    assert apache.ask("X") == "ok"
    cluster, image, applied = Cluster(seed, elr=elr), MetadataImage(), 0
    beginning = cluster.beginning()
    for number in range(RECORDS):
        value = frame(*(beginning[number] if number < len(beginning) else cluster.record()))
        verdict = apache.ask(f"R {value.hex()}")
        try:
            image = image.with_records([value])
            ours_is = "ok"
        except ValueError as error:
            ours_is = str(error)
        both = (ours_is == "ok") == (verdict == "ok")
        assert both, f"record {number}: {unframe(value)}: ours {ours_is}, theirs {verdict}"
        applied += verdict == "ok"
        if number % SNAPSHOT_EACH == 0:
            theirs, ours = apache.snapshot(), image.to_records()
            assert order_of_types(ours) == order_of_types(theirs)
            assert len(ours) == len(theirs)
            only_ours = set(map(comparable, ours)) - set(map(comparable, theirs))
            only_theirs = set(map(comparable, theirs)) - set(map(comparable, ours))
            assert (only_ours, only_theirs) == (set(), set()), f"after record {number}"
    assert applied > RECORDS * 0.8
