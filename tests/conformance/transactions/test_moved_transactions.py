"""Transactions on a directory that moves between Apache Kafka and barnabas: each ends what the other has
begun, whether the producer had decided the outcome or not."""

from __future__ import annotations

import random
import struct
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from barnabas.coordinator.records import TRANSACTIONS
from barnabas.protocol.generated.create_topics_request import CreatableTopic, CreateTopicsRequest
from barnabas.protocol.generated.describe_transactions_request import DescribeTransactionsRequest
from barnabas.server.coordinators import java_hash
from tests.conformance.groups.test_consumer_groups import nodes
from tests.integration.test_interchange import producers, read
from tests.support import oracle
from tests.support.server import BarnabasUp
from tests.support.transactional_client import TransactionalClient
from tests.support.wire import Connection

pytestmark = [pytest.mark.oracle, pytest.mark.slow, pytest.mark.timeout(300)]

PARTITIONS = 8
SETTINGS = {"transaction.state.log.num.partitions": str(PARTITIONS)}
VERSIONS = {"open-0": 0, "open-2": 2, "commit-0": 0, "commit-2": 2, "abort-0": 0, "abort-2": 2}
"""Transactional ids by name, and the transaction version of the client. Each has a topic of its own."""
PREPARED = {name: name.startswith("commit") for name in VERSIONS if not name.startswith("open")}
"""Those whose outcome is decided when the node goes down, and whether that is a commit."""
SECONDS_MAX = 60


class Calm(random.Random):
    """No request gets lost."""

    def random(self) -> float:
        return 1.0


class World:
    """The producers, and what each of their topics has to hold for those who read what is committed."""

    def __init__(self, bootstrap: str) -> None:
        self.bootstrap = bootstrap
        self.clients = {
            name: TransactionalClient(bootstrap, name, version, Calm()) for name, version in VERSIONS.items()
        }
        self.committed: dict[str, list[bytes]] = {name: [] for name in VERSIONS}
        self._sent: dict[str, list[bytes]] = {name: [] for name in VERSIONS}
        self._count = 0

    def close(self) -> None:
        for client in self.clients.values():
            client.close()

    def create(self) -> None:
        topics = [CreatableTopic(name, 1, 1) for name in VERSIONS]
        with Connection(self.bootstrap) as connection:
            assert not any(
                one.error_code for one in connection.request(CreateTopicsRequest(topics), 7).topics
            )
        for client in self.clients.values():
            client.start()

    def send(self, name: str) -> None:
        self._count += 1
        values = [f"{self._count} {name} {part}".encode() for part in range(2)]
        self.clients[name].send(name, 0, values)
        self._sent[name] += values

    def end(self, name: str, *, commit: bool) -> None:
        self.clients[name].end(commit)
        self.committed[name] += self._sent[name] if commit else []
        self._sent[name] = []

    def transact(self) -> None:
        """A whole transaction of each producer."""
        for name in VERSIONS:
            self.send(name)
            self.end(name, commit=True)

    def state(self, name: str) -> Any:
        """What the coordinator says of the id."""
        with Connection(self.bootstrap) as connection:
            return connection.request(DescribeTransactionsRequest([name]), 0).transaction_states[0]

    def await_states(self, expected: dict[str, str]) -> None:
        wait_for(lambda: {name: self.state(name).transaction_state for name in expected} == expected)

    def check(self) -> None:
        """Everybody reads exactly what is committed, in order."""
        for name, values in self.committed.items():
            assert [row[-1] for row in read(self.bootstrap, name, "read_committed")] == values, name


def wait_for(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + SECONDS_MAX
    while not holds():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


def take_back(directory: Path, names: list[str]) -> None:
    """Makes the node have gone down when the outcomes were written, and no marker yet: the last batch of each
    id's partition says that it is complete, and that of its topic is the marker."""
    for name in names:
        for partition in (f"{TRANSACTIONS}-{java_hash(name) % PARTITIONS}", f"{name}-0"):
            path = directory / partition / "00000000000000000000.log"
            data = path.read_bytes()
            start = end = 0
            while end < len(data):
                start = end
                end += 12 + struct.unpack_from(">i", data, start + 8)[0]
            path.write_bytes(data[:start])


Node = oracle.ApacheKafka | BarnabasUp


DONE = {name: "CompleteCommit" if commit else "CompleteAbort" for name, commit in PREPARED.items()}


def leave_behind(node: Node, world: World, directory: Path, *, prepared: bool) -> None:
    """On a node that is up: transactions that are open when it ends, and others that have ended; with
    `prepared`, whose outcome is decided and nothing more."""
    for name in VERSIONS:
        world.send(name)
    for name, commit in PREPARED.items():
        world.end(name, commit=commit)
    world.await_states(DONE)
    node.kill()
    if prepared:
        take_back(directory, list(PREPARED))


def carry_on(world: World) -> None:
    """On the node that comes after: what was decided is done, what was open goes on and ends."""
    world.await_states({**DONE, "open-0": "Ongoing", "open-2": "Ongoing"})
    for name, client in world.clients.items():
        told = world.state(name)
        assert (told.producer_id, told.producer_epoch) == client.producer
        [known] = producers(world.bootstrap, name)
        assert (known[-1] >= 0) == name.startswith("open"), "which transactions are open in the partition"
    world.send("open-0")
    world.end("open-0", commit=True)
    world.end("open-2", commit=False)
    world.check()
    world.transact()
    world.check()


def test_each_ends_the_transactions_of_the_other(tmp_path: Path) -> None:
    assert len({java_hash(name) % PARTITIONS for name in PREPARED}) == len(PREPARED)
    kafka, barnabas = nodes(tmp_path, SETTINGS)
    order: list[Node] = [kafka, barnabas, kafka]
    world = World(kafka.bootstrap)
    try:
        order[0].start()
        world.create()
        world.transact()
        for before, after in pairwise(order):
            # Apache Kafka completes what is prepared without a marker, and leaves the partition blocked, when
            # its coordinator is faster than its metadata, which knows no leader of the partition yet.
            leave_behind(before, world, kafka.log_directory, prepared=after is barnabas)
            after.start()
            carry_on(world)
    finally:
        world.close()
        for node in order:
            node.kill()
