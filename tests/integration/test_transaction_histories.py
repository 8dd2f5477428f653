"""Producers of old and new clients under kill -9: no committed record is lost, none of an aborted transaction
is read, and no transaction is torn, though requests are given up and come late."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka import Consumer, KafkaError, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from barnabas.errors import KafkaError as RefusedError
from tests.support.histories import Done, Outcome, Place, anomalies, by_place
from tests.support.server import BarnabasUp
from tests.support.transactional_client import TransactionalClient

SECONDS_MAX = 60
TOPICS = ("left", "right")
PLACES = [(topic, partition) for topic in TOPICS for partition in range(2)]
PRODUCERS = {"old-1": 0, "old-2": 0, "new-1": 2, "new-2": 2}
"""Transactional ids and what version their clients are of."""
TRANSACTIONS_PER_LIFE = 60
KILLS = 2


class Workload:
    """Producers in threads, and what they have done."""

    def __init__(self, bootstrap: str, seed: int) -> None:
        self.bootstrap, self.seed = bootstrap, seed
        self.history: list[Done] = []
        self.failures: list[BaseException] = []
        self._changed = threading.Condition()
        self._stopping = False

    def run(self) -> list[threading.Thread]:
        threads = [
            threading.Thread(target=self._produce, args=(name, version), daemon=True)
            for name, version in PRODUCERS.items()
        ]
        for thread in threads:
            thread.start()
        return threads

    def wait_for(self, count: int) -> None:
        """Until so many transactions have ended."""
        with self._changed:
            done = self._changed.wait_for(
                lambda: len(self.history) >= count or bool(self.failures), SECONDS_MAX
            )
        assert done, f"{len(self.history)} transactions instead of {count}"
        assert not self.failures, self.failures

    def stop(self) -> None:
        self._stopping = True

    def _produce(self, name: str, version: int) -> None:
        chance = random.Random(f"{self.seed} {name}")
        client = TransactionalClient(self.bootstrap, name, version, chance)
        try:
            client.start()
            number = 0
            while not self._stopping:
                number += 1
                done = self._transaction(client, name, number, chance)
                with self._changed:
                    self.history.append(done)
                    self._changed.notify_all()
                if done.outcome is Outcome.UNKNOWN:
                    client.start()
            client.start()  # Whatever is open is aborted, so that all can be read.
        except BaseException as error:
            with self._changed:
                self.failures.append(error)
                self._changed.notify_all()
        finally:
            client.close()

    def _transaction(
        self, client: TransactionalClient, name: str, number: int, chance: random.Random
    ) -> Done:
        done = Done(name, number)
        try:
            for index, place in enumerate(chance.sample(PLACES, chance.randint(1, 3))):
                value = f"{name} {number} {index}".encode()
                done.appended.append((place, value))
                client.send(*place, [value])
            commit = chance.random() < 0.8
            client.end(commit)
            done.outcome = Outcome.COMMITTED if commit else Outcome.ABORTED
        except RefusedError:
            done.outcome = Outcome.UNKNOWN
        return done


def read_committed(bootstrap: str) -> list[tuple[Place, int, bytes]]:
    """All committed records, as they come."""
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": "checker",
            "isolation.level": "read_committed",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
        }
    )
    consumer.assign([TopicPartition(topic, partition, 0) for topic, partition in PLACES])
    rows: list[tuple[Place, int, bytes]] = []
    ends: set[Place] = set()
    while len(ends) < len(PLACES):
        message = consumer.poll(SECONDS_MAX)
        assert message is not None, "no end comes"
        place = message.topic(), message.partition()
        if message.error() is None:
            rows.append((place, message.offset(), message.value()))
        else:
            assert message.error().code() == KafkaError._PARTITION_EOF, message.error()
            ends.add(place)
    consumer.close()
    return rows


@pytest.fixture
def node(tmp_path: Path) -> Iterator[BarnabasUp]:
    node = BarnabasUp(tmp_path / "node").start()
    yield node
    node.kill()


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_no_anomaly_under_kill_9(node: BarnabasUp) -> None:
    admin = AdminClient({"bootstrap.servers": node.bootstrap})
    for future in admin.create_topics([NewTopic(topic, 2, 1) for topic in TOPICS]).values():
        future.result(SECONDS_MAX)
    workload = Workload(node.bootstrap, seed=1)
    threads = workload.run()
    for kill in range(1, KILLS + 1):
        workload.wait_for(kill * TRANSACTIONS_PER_LIFE)
        node.kill()
        node.start()
    workload.wait_for((KILLS + 1) * TRANSACTIONS_PER_LIFE)
    workload.stop()
    for thread in threads:
        thread.join(SECONDS_MAX)
    assert not workload.failures, workload.failures
    seen, out_of_order = by_place(read_committed(node.bootstrap))
    assert not out_of_order
    assert not anomalies(workload.history, seen)
    outcomes = {done.outcome for done in workload.history}
    assert {Outcome.COMMITTED, Outcome.ABORTED} <= outcomes
