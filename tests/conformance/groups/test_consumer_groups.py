"""Consumer groups (KIP-848) beside Apache Kafka 4.3.1: the same answers, the same records, and each goes on
where the other has stopped."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path

import pytest

from tests.conformance.groups.generate import Step
from tests.conformance.groups.mixed import MixedPlayer
from tests.conformance.groups.run import SETTINGS, both, differences, play
from tests.support import apache_tools, oracle
from tests.support.server import BarnabasUp

pytestmark = [pytest.mark.oracle, pytest.mark.timeout(300)]

SEED = int(os.environ.get("SEED", "7"))
STEPS = 250

EVERY_RECORD: Sequence[Step] = (
    ("topic", "a", 4),
    ("coordinator", "g"),
    ("join", "m1", "g", (("a",), None, "range")),
    ("join", "s1", "g", (("a",), None, "range"), "instance"),
    ("beat", "m1"),
    ("beat", "m1"),
    ("beat", "s1"),
    ("join", "m3", "g", ((), "a.*", "range")),
    ("settled", "g", 4),
    ("beat", "m3"),
    ("beat", "m1"),
    ("beat", "m1"),
    ("beat", "s1"),
    ("beat", "s1"),
    ("beat", "m3"),
    ("leave", "s1", -2),
    ("join", "s2", "g", (("a",), None, "range"), "instance"),
    ("leave", "m3"),
    ("beat", "m1"),
    ("classic_join", "c1", "g", ("a",), "classic"),
    ("beat", "m1"),
    ("beat", "m1"),
    ("leave", "s2"),
    ("beat", "m1"),
    ("classic_beat", "c1"),
    ("describe", "g"),
)
"""Writes every kind of record of consumer groups."""


@pytest.fixture(scope="module")
def clusters() -> Iterator[tuple[str, str]]:
    with both() as addresses:
        yield addresses


@pytest.mark.parametrize("members", ["consumer", "migration"])
def test_random_histories_show_the_same(clusters: tuple[str, str], members: str) -> None:
    found = [play(*clusters, members, seed, STEPS) for seed in range(SEED, SEED + 3)]
    assert not any(found), found


def test_patterns_stand_for_the_same_topics(clusters: tuple[str, str]) -> None:
    history: list[Step] = [
        ("topic", "a1", 1),
        ("topic", "a2", 2),
        ("topic", "b1", 1),
        ("coordinator", "g"),
        ("join", "m1", "g", ((), "a[0-9]+", "range")),
        ("settled", "g", 2),
        ("beat", "m1"),
        ("describe", "g"),
        ("join", "m2", "g", (("b1",), "a(1|2)", "range")),
        ("describe", "g"),
        ("subscribe", "m1", ((), "(unclosed", None)),
        ("subscribe", "m1", (("b1",), "", None)),
        ("beat", "m1"),
        ("beat", "m2"),
        ("leave", "m1"),
        ("describe", "g"),
        ("leave", "m2"),
        ("describe", "g"),
    ]
    assert not differences(*clusters, "patterns", history)


# ---- records


def nodes(tmp_path: Path, settings: Mapping[str, str] = SETTINGS) -> tuple[oracle.ApacheKafka, BarnabasUp]:
    """Both, on the same directory and port: one of them at a time."""
    tmp_path.mkdir(exist_ok=True)
    kafka = oracle.ApacheKafka(tmp_path, settings)
    listeners = f"listeners={kafka.settings['listeners']}"
    told = [f"{key}={value}" for key, value in settings.items()]
    arguments = [part for setting in (listeners, *told) for part in ("--set", setting)]
    return kafka, BarnabasUp(kafka.log_directory, arguments, kafka.port)


def records(directory: Path) -> list[str]:
    """The records of the coordinator's partition without what differs from run to run."""
    log = directory / "__consumer_offsets-0" / "00000000000000000000.log"
    dump = oracle.java(apache_tools.DUMP_LOG, "--offsets-decoder", "--files", str(log))
    found = [line[line.index("key: ") :] for line in dump.stdout.splitlines() if "key: " in line]
    ids: dict[str, str] = {}

    def named(match: re.Match[str]) -> str:
        return ids.setdefault(match[0], f'"topicId":"topic {len(ids)}"')

    changing = r'"(assignmentTimestamp|timestamp|version|metadataHash)":-?\d+'
    return [re.sub(r'"topicId":"[^"]+"', named, re.sub(changing, r'"\1":0', line)) for line in found]


def kind(record: str) -> str:
    """The type of a record. Those of one decision that have the same type come in any order."""
    return record[: record.index(",")]


@pytest.mark.slow
def test_the_same_history_writes_the_same_records(tmp_path: Path) -> None:
    written = []
    for name in ("kafka", "barnabas"):
        kafka, barnabas = nodes(tmp_path / name)
        node = kafka if name == "kafka" else barnabas
        node.start()
        try:
            with MixedPlayer(kafka.bootstrap, "same") as player:
                for step in EVERY_RECORD:
                    player.do(step)
        finally:
            node.stop()
        text = "\n".join(records(kafka.log_directory))
        for member_id, who in player.ids.items():
            text = text.replace(member_id, who)
        lines = [line for line in text.splitlines() if "same-probe" not in line]
        written.append([line for _, run in groupby(lines, kind) for line in sorted(run)])
    assert len(written[0]) > 50
    assert written[1] == written[0]


@pytest.mark.slow
@pytest.mark.parametrize("first", ["kafka", "barnabas"])
def test_each_carries_on_with_the_groups_of_the_other(tmp_path: Path, first: str) -> None:
    kafka, barnabas = nodes(tmp_path)
    order: list[oracle.ApacheKafka | BarnabasUp] = [kafka, barnabas]
    one, other = order if first == "kafka" else reversed(order)
    commit: Step = ("commit", "m1", "a", 0)
    looks: list[Step] = [commit, ("beat", "m1"), ("describe", "g"), ("fetch", "m1"), ("list",)]
    one.start()
    try:
        with MixedPlayer(kafka.bootstrap, "moved") as before:
            for step in EVERY_RECORD:
                before.do(step)
            seen = [before.do(step) for step in looks]
    finally:
        one.stop()
    other.start()
    try:
        with MixedPlayer(kafka.bootstrap, "moved") as after:
            for known in ("members", "ids", "topic_ids", "topic_names"):
                setattr(after, known, getattr(before, known))
            after.do(("coordinator", "g"))
            # The hash of the topics is the same, so nobody is moved.
            assert [after.do(step) for step in looks] == seen
    finally:
        other.stop()
