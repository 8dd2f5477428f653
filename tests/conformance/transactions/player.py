"""Plays steps of transactional clients against one cluster, and says what was seen.

Steps name producers, not ids: `Who("a", back=1)` is the (id, epoch) that transactional id `a` was given
before its latest. What is seen has names in place of producer ids as well, so that two clusters can be
compared.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

from barnabas.protocol import Message, Struct
from barnabas.protocol.generated.create_topics_request import CreatableTopic, CreateTopicsRequest
from barnabas.protocol.generated.describe_groups_request import DescribeGroupsRequest
from barnabas.protocol.generated.describe_transactions_request import DescribeTransactionsRequest
from barnabas.protocol.generated.find_coordinator_request import FindCoordinatorRequest
from barnabas.protocol.generated.init_producer_id_request import InitProducerIdRequest
from barnabas.protocol.generated.list_offsets_request import (
    ListOffsetsPartition,
    ListOffsetsRequest,
    ListOffsetsTopic,
)
from tests.support.wire import Connection

TOPIC, PARTITIONS, GROUP = "t", 2, "g"
SECONDS_MAX = 30
WITHOUT = frozenset(
    {"throttle_time_ms", "transaction_start_time_ms", "last_timestamp", "log_append_time_ms", "error_message"}
)
"""What differs between clusters for no reason that matters."""
UNKNOWN_ID = 105
"""TRANSACTIONAL_ID_NOT_FOUND: the coordinator is there, and the id is new."""
UNREADY = frozenset({14, 15, 16})
"""Coordinators that are loading, missing, elsewhere."""
ENDING = frozenset({"PrepareCommit", "PrepareAbort"})
Producer = tuple[int, int]
"""(id, epoch)"""


class Who(NamedTuple):
    """What a transactional id was given by its n-th answer, with another epoch or a strange id at will."""

    transactional_id: str
    back: int = 0
    """0 for the latest answer, 1 for the one before, …"""
    epoch_more: int = 0
    stranger: bool = False


@dataclass(frozen=True)
class Step:
    """A request in one version, made for the producers that the cluster has given out."""

    message: Callable[[Producer, int], Message]
    """Of the producer and its next sequence in the partition that is written to."""
    version: int
    who: Who | None = None
    given: bool = False
    """Whether the response gives a producer to `who`'s id."""
    text: str = ""
    written: tuple[int, int] | None = None
    """Partition and count of records."""

    def __repr__(self) -> str:
        return f"{self.text} v{self.version} {self.who}"


Seen = Any


class Player:
    """One cluster."""

    def __init__(self, bootstrap: str, prefix: str) -> None:
        self.connection = Connection(bootstrap)
        self.prefix = prefix
        self._given: dict[str, list[Producer]] = {}
        self._names: dict[int, str] = {}
        self._sequences: dict[tuple[Producer, int], int] = {}

    def close(self) -> None:
        self.connection.socket.close()

    def prepare(self, transactional_ids: tuple[str, ...]) -> None:
        """Makes the topic, and waits for the coordinators."""
        topic = CreatableTopic(name=self.prefix + TOPIC, num_partitions=PARTITIONS, replication_factor=1)
        created = self.connection.request(CreateTopicsRequest(topics=[topic]), 7)
        assert created.topics[0].error_code == 0, created
        names = [self.prefix + transactional_id for transactional_id in transactional_ids]
        for key_type, keys in ((1, names), (0, [self.prefix + GROUP])):
            self._until(lambda: self._coordinated(key_type, keys))  # noqa: B023
        self._until(lambda: all(one.error_code == UNKNOWN_ID for one in self._described(names)))
        self._until(lambda: self.connection.request(InitProducerIdRequest(None), 4).error_code == 0)
        self._until(self._led)
        described = DescribeGroupsRequest(groups=[self.prefix + GROUP])
        self._until(lambda: self.connection.request(described, 5).groups[0].error_code not in UNREADY)

    def _led(self) -> bool:
        partitions = [
            ListOffsetsPartition(partition_index=index, timestamp=-1) for index in range(PARTITIONS)
        ]
        topic = ListOffsetsTopic(name=self.prefix + TOPIC, partitions=partitions)
        found = self.connection.request(ListOffsetsRequest(-1, topics=[topic]), 7).topics[0]
        return not any(one.error_code for one in found.partitions)

    def _coordinated(self, key_type: int, keys: list[str]) -> bool:
        asked = FindCoordinatorRequest(key_type=key_type, coordinator_keys=keys)
        found = self.connection.request(asked, 4)
        return all(one.error_code == 0 for one in found.coordinators)

    def _described(self, names: list[str]) -> list[Any]:
        asked = DescribeTransactionsRequest(transactional_ids=names)
        return list(self.connection.request(asked, 0).transaction_states)

    def _until(self, holds: Callable[[], bool]) -> None:
        deadline = time.monotonic() + SECONDS_MAX
        while not holds():
            assert time.monotonic() < deadline, "waited in vain"

    def settle(self, transactional_ids: tuple[str, ...]) -> None:
        """Waits until no marker is on its way: how long that takes is no difference."""
        names = [self.prefix + transactional_id for transactional_id in transactional_ids]
        self._until(lambda: not any(one.transaction_state in ENDING for one in self._described(names)))

    def do(self, step: Step) -> Seen:
        """What the cluster answers."""
        producer = self._producer(step.who)
        place = (producer, step.written[0] if step.written else -1)
        message = step.message(producer, self._sequences.get(place, 0))
        response = self.connection.request(message, step.version)
        if step.written and not response.responses[0].partition_responses[0].error_code:
            self._sequences[place] = self._sequences.get(place, 0) + step.written[1]
        if step.given and step.who is not None and response.error_code == 0 and response.producer_id >= 0:
            self._give(step.who.transactional_id, (response.producer_id, response.producer_epoch))
        return self._shown(response)

    def _give(self, transactional_id: str, producer: Producer) -> None:
        given = self._given.setdefault(transactional_id, [])
        if not given or given[-1] != producer:
            given.append(producer)
        self._names.setdefault(producer[0], f"producer {len(self._names) + 1}")

    def _producer(self, who: Who | None) -> Producer:
        if who is None:
            return -1, -1
        given = self._given.get(who.transactional_id) or [(1 << 40, 0)]
        producer_id, epoch = given[-1 - min(who.back, len(given) - 1)]
        return (1 << 41 if who.stranger else producer_id), max(epoch + who.epoch_more, -1)

    def _shown(self, value: Any, slot: str = "") -> Any:
        if isinstance(value, Struct):
            return {
                name: self._shown(getattr(value, name), name)
                for name in value.__slots__
                if name not in WITHOUT
            }
        if isinstance(value, list):
            return sorted((self._shown(item, slot) for item in value), key=repr)
        if slot == "producer_id":
            return self._names.get(value, value)
        if isinstance(value, str):
            return value.removeprefix(self.prefix)
        return int(value) if isinstance(value, int) else value
