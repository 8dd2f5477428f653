"""Plays random histories against both clusters: `python -m tests.conformance.groups --seed 7`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.conformance.groups.generate import Step, migrations, steps
from tests.conformance.groups.mixed import MixedPlayer
from tests.conformance.groups.player import Seen
from tests.support.oracle import apache_kafka
from tests.support.server import BarnabasUp

SETTINGS = {
    "group.consumer.assignment.interval.ms": "0",
    "group.consumer.assignor.offload.enable": "false",
    "group.consumer.max.session.timeout.ms": "600000",
    "group.consumer.session.timeout.ms": "600000",
    "group.initial.rebalance.delay.ms": "0",
    "offsets.topic.num.partitions": "1",
}
"""Both assign at once and nobody's session ends: when they do otherwise depends on the moment. There is one
coordinator for all groups: what one group sees of the metadata the others see."""


@contextmanager
def both() -> Iterator[tuple[str, str]]:
    """Bootstrap addresses of Apache Kafka and of barnabas."""
    arguments = ["--memory", *(f"--set={key}={value}" for key, value in SETTINGS.items())]
    with TemporaryDirectory(prefix="barnabas-") as directory, apache_kafka(SETTINGS) as apache:
        barnabas = BarnabasUp(Path(directory) / "node", arguments).start()
        try:
            yield apache.bootstrap, barnabas.bootstrap
        finally:
            barnabas.kill()


def differences(
    apache: str, barnabas: str, prefix: str, history: Iterable[Step]
) -> list[tuple[int, Step, Seen, Seen]]:
    """Steps that showed something else to each player: (index, step, Apache Kafka's, barnabas's). Ends with
    the first, for what comes after it means little."""
    with MixedPlayer(apache, prefix) as kafka, MixedPlayer(barnabas, prefix) as ours:
        for index, step in enumerate(history):
            expected, found = kafka.do(step), ours.do(step)
            if expected != found:
                return [(index, step, expected, found)]
    return []


HISTORIES = {"consumer": steps, "migration": migrations}


def play(apache: str, barnabas: str, kind: str, seed: int, count: int) -> list[tuple[int, Step, Seen, Seen]]:
    """Plays the history of a seed."""
    return differences(apache, barnabas, f"{kind[0]}{seed}", HISTORIES[kind](seed, count))
