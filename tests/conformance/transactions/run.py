"""Plays random histories against both clusters: `python -m tests.conformance.transactions --seed 7`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from tests.conformance.differential.clusters import barnabas_node, kafka_node
from tests.conformance.transactions.generate import IDS, Generator
from tests.conformance.transactions.player import Player, Seen, Step


@contextmanager
def both() -> Iterator[tuple[str, str]]:
    """Bootstrap addresses of Apache Kafka and of barnabas."""
    with kafka_node() as apache, barnabas_node() as barnabas:
        yield apache, barnabas


def play(apache: str, barnabas: str, seed: int, count: int) -> tuple[int, Step, Seen, Seen] | None:
    """The first step that shows something else to each player: (index, step, Apache Kafka's, barnabas's)."""
    prefix = f"s{seed}-"
    players = Player(apache, prefix), Player(barnabas, prefix)
    try:
        for player in players:
            player.prepare(IDS)
        for index, step in enumerate(Generator(seed, prefix).steps(count)):
            theirs, ours = (player.do(step) for player in players)
            if theirs != ours:
                return index, step, theirs, ours
            for player in players:
                player.settle(IDS)
        return None
    finally:
        for player in players:
            player.close()
