"""Transactions that are committed, aborted or left behind: readers see the committed ones only."""

import itertools
import random
from typing import cast

from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import NewTopic

from tests.soak.load import SECONDS_MAX, Load, good, settings
from tests.soak.streams import CONFIG, PARTITIONS, create

TOPIC = "soak-transactions"
RECORDS = 3
"""In each partition, for each transaction."""
STEPS_PER_PRODUCER = 10
PRODUCERS_PER_ID = 4


class Transactions(Load):
    """Committed records are numbered in their partition; the others say that nobody may see them."""

    pause = 0.5

    def __init__(self, bootstrap: str, chance: random.Random) -> None:
        super().__init__(bootstrap)
        create(bootstrap, NewTopic(TOPIC, PARTITIONS, 1, config=CONFIG))
        self._chance = chance
        self._steps = 0
        self._written = [0] * PARTITIONS
        self._read = [0] * PARTITIONS
        self._producer: Producer | None = None
        self._consumer = Consumer(
            settings(
                bootstrap, group_id="committed", enable_auto_commit=False, isolation_level="read_committed"
            )
        )
        self._consumer.assign([TopicPartition(TOPIC, partition, 0) for partition in range(PARTITIONS)])

    def step(self) -> None:
        if self._steps % STEPS_PER_PRODUCER == 0:
            # The one before has left a transaction open: the new one aborts it, or the coordinator in time.
            number = self._steps // (STEPS_PER_PRODUCER * PRODUCERS_PER_ID)
            self._producer = Producer(
                settings(self.bootstrap, transactional_id=f"writer-{number}", transaction_timeout_ms=5_000)
            )
            self._producer.init_transactions(SECONDS_MAX)
        self._steps += 1
        assert self._producer is not None
        is_last = self._steps % STEPS_PER_PRODUCER == 0
        outcome = "left" if is_last else self._chance.choice(("commit", "commit", "abort"))
        self._transaction(self._producer, outcome)
        self._consume(0)

    def _transaction(self, producer: Producer, outcome: str) -> None:
        producer.begin_transaction()
        for partition, index in itertools.product(range(PARTITIONS), range(RECORDS)):
            said = str(self._written[partition] + index) if outcome == "commit" else "unseen"
            producer.produce(TOPIC, said, partition=partition)
        assert producer.flush(SECONDS_MAX) == 0
        if outcome == "abort":
            producer.abort_transaction(SECONDS_MAX)
        elif outcome == "commit":
            producer.commit_transaction(SECONDS_MAX)
            self._written = [count + RECORDS for count in self._written]

    def _consume(self, timeout: float) -> None:
        for message in self._consumer.consume(500, timeout):
            partition = cast("int", good(message).partition())
            assert message.value() == str(self._read[partition]).encode()
            self._read[partition] += 1
            self.done += 1

    def finish(self) -> None:
        if self._steps % STEPS_PER_PRODUCER == 0:
            self.step()  # aborts what was left behind, which would hold readers up
        self.wait("committed records", lambda: self._read == self._written, lambda: self._consume(0.2))
        self._consumer.close()

    def __str__(self) -> str:
        return "transactions"
