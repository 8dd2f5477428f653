"""What a generator knows of the clusters: enough to make most requests meaningful."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Any

from barnabas.protocol import ApiKey, Message
from tests.conformance.differential.batches import Records
from tests.conformance.differential.symbols import PRODUCER, SESSION, TOPIC, Symbol

NAMES = ("alpha", "beta", "gamma", "delta", "a.b", "a_b", "compacted", "x" * 249)
BAD_NAMES = ("", ".", "..", "bad name", "é", "x" * 250, "no/slash", "__cluster_metadata")
MISSING = ("missing", "never-made")
INTS = (-(2**31), -2, -1, 0, 1, 2, 3, 5, 100, 2**31 - 1)
LONGS = (-(2**63), -6, -5, -4, -3, -2, -1, 0, 1, 2, 3, 10, 1000, 2**63 - 1)


@dataclass
class Step:
    """One request of a sequence: to be sent to both clusters."""

    message: Message
    version: int
    damage: str = ""
    """Empty, `cut` (the body lacks its last byte), `trailing` (bytes follow it) or `version` (unknown)."""

    @property
    def api_key(self) -> ApiKey:
        return ApiKey(self.message.API_KEY)

    def __str__(self) -> str:
        damage = f" ({self.damage})" if self.damage else ""
        return f"{self.api_key.name} v{self.version}{damage} {self.message}"


@dataclass
class Session:
    """A fetch session as its client sees it."""

    symbol: Symbol
    next_epoch: int
    by_id: bool


@dataclass
class Producer:
    """An idempotent producer: its next sequence for each partition."""

    symbol: Symbol
    epoch: int = 0
    sequences: dict[tuple[Any, int], int] = field(default_factory=dict)


@dataclass
class World:
    """What both clusters hold, as far as answers have told."""

    chance: random.Random
    versions: dict[int, tuple[int, int]]
    now: int
    """Unix time in milliseconds when the sequence began; all timestamps are made from it."""
    topics: dict[str, int] = field(default_factory=dict)
    """Partitions of each topic."""
    producers: list[Producer] = field(default_factory=list)
    sessions: list[Session] = field(default_factory=list)
    session_count: int = 0
    """Sessions that were ever given out."""

    # ---- choices --------------------------------------------------------------------------------------

    def often(self, probability: float) -> bool:
        return self.chance.random() < probability

    def pick(self, *values: Any) -> Any:
        return self.chance.choice(values)

    def some(self, make: Any, *, most: int = 3, none_in: float = 0.05) -> list[Any]:
        """One to `most` things, sometimes none at all, sometimes one twice."""
        if self.often(none_in):
            return []
        made = [make() for _ in range(1 if self.often(0.6) else self.chance.randint(1, most))]
        if self.often(0.04):
            made.append(made[0])
        return made

    def topic(self, *, new: bool = False) -> str:
        """A topic's name; most of the time one that exists (with `new`, one that may not)."""
        choice = self.chance.random()
        if choice < (0.1 if new else 0.85) and self.topics:
            return self.chance.choice(sorted(self.topics))
        if choice < 0.9 if new else choice < 0.93:
            return self.chance.choice(NAMES)
        return self.chance.choice(MISSING if self.often(0.4) else BAD_NAMES)

    def topic_id(self, name: str) -> Symbol:
        """The id of a topic, sometimes that of an earlier topic of the name, or one that nobody has."""
        if self.often(0.04):
            return Symbol(TOPIC, "nobody")
        return Symbol(TOPIC, name, 0 if self.often(0.05) else -1)

    def partition(self, name: str) -> int:
        count = self.topics.get(name, 1)
        if self.often(0.93):
            return self.chance.randrange(count)
        return int(self.pick(-1, count, 1000, 2**31 - 1, -(2**31)))

    def epoch(self) -> int:
        """A leader epoch as a client believes it."""
        return int(self.pick(-1, -1, -1, -1, 0, 0, 0, 1, 2, -2, 2**31 - 1))

    # ---- what answers tell ----------------------------------------------------------------------------

    def observe(self, step: Step, response: Any) -> None:
        """Notes what a response says, both clusters having given the same."""
        match step.api_key:
            case ApiKey.INIT_PRODUCER_ID if response.error_code == 0:
                self._observe_producer(response.producer_epoch, step.message)
            case ApiKey.PRODUCE:
                self._observe_produce(step.message, response)
            case ApiKey.FETCH:
                self._observe_fetch(step, response)

    def _observe_producer(self, epoch: int, request: Any) -> None:
        for producer in self.producers:
            if producer.symbol == request.producer_id:
                producer.epoch = epoch
                producer.sequences.clear()
                return
        self.producers.append(Producer(Symbol(PRODUCER, "", len(self.producers)), epoch))

    def _observe_produce(self, request: Any, response: Any) -> None:
        accepted = {
            (topic.name, partition.index) for topic in response.responses
            for partition in topic.partition_responses if partition.error_code == 0
        }  # fmt: skip
        for topic in request.topic_data:
            for partition in topic.partition_data:
                records = partition.records
                if not isinstance(records, Records) or not records.batches:
                    continue
                batch = records.batches[0]
                key = (topic.name, partition.index)
                if topic.name and key not in accepted:
                    continue
                for producer in self.producers:
                    if producer.symbol == batch.producer and batch.sequence >= 0:
                        next_sequence = batch.sequence + len(batch.records)
                        producer.sequences[topic.name or topic.topic_id, partition.index] = next_sequence

    def _observe_fetch(self, step: Step, response: Any) -> None:
        request: Any = step.message
        if response.error_code:
            self.sessions = [s for s in self.sessions if s.symbol != request.session_id or self.often(0.7)]
            return
        for session in self.sessions:
            if session.symbol == request.session_id:
                session.next_epoch = request.session_epoch + 1
                return
        if request.session_epoch == 0 and response.session_id > 0:
            symbol = Symbol(SESSION, "", self.session_count)
            self.session_count += 1
            self.sessions = [*self.sessions[-4:], Session(symbol, 1, step.version >= 13)]
