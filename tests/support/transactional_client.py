"""A transactional producer over raw requests, in the manner of old clients (one epoch for many transactions)
and of new ones (transaction version 2), that loses connections and gives requests up as real ones do.

A request that was given up may still arrive: the client asks again on another connection.
"""

from __future__ import annotations

import contextlib
import random
import struct
import time
from collections.abc import Callable, Sequence
from typing import Any

from barnabas import _core
from barnabas.errors import KafkaError
from barnabas.protocol import ErrorCode, Message
from barnabas.protocol.generated.add_partitions_to_txn_request import (
    AddPartitionsToTxnRequest,
    AddPartitionsToTxnTopic,
)
from barnabas.protocol.generated.end_txn_request import EndTxnRequest
from barnabas.protocol.generated.find_coordinator_request import FindCoordinatorRequest
from barnabas.protocol.generated.init_producer_id_request import InitProducerIdRequest
from barnabas.protocol.generated.produce_request import (
    PartitionProduceData,
    ProduceRequest,
    TopicProduceData,
)
from tests.conformance.differential.batches import TRANSACTIONAL, Batch, Record
from tests.support.wire import Connection

SECONDS_MAX = 60.0
RETRIABLE = frozenset(
    {
        ErrorCode.COORDINATOR_LOAD_IN_PROGRESS,
        ErrorCode.COORDINATOR_NOT_AVAILABLE,
        ErrorCode.NOT_COORDINATOR,
        ErrorCode.CONCURRENT_TRANSACTIONS,
        ErrorCode.NOT_LEADER_OR_FOLLOWER,
        ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
        ErrorCode.NOT_ENOUGH_REPLICAS,
        ErrorCode.REQUEST_TIMED_OUT,
        ErrorCode.NETWORK_EXCEPTION,
    }
)
PAUSE_SECONDS = 0.005


class TransactionalClient:
    """One producer; `start` makes it the only one of its transactional id."""

    def __init__(self, bootstrap: str, transactional_id: str, version: int, chance: random.Random) -> None:
        """`version`: 0 for an old client, 2 for a new one."""
        self.bootstrap, self.transactional_id, self.version = bootstrap, transactional_id, version
        self.chance = chance
        self.producer = (-1, -1)
        self._connection: Connection | None = None
        self._late: list[tuple[Connection, bytes]] = []
        """Requests that were given up, on their connections: still somewhere in the network."""
        self._sequences: dict[tuple[str, int], int] = {}
        self._added: set[tuple[str, int]] = set()

    def close(self) -> None:
        for connection, _ in self._late:
            connection.socket.close()
        self._drop()

    # ---- requests

    def _ask(self, message: Message, version: int, code: Callable[[Any], int], lossy: bool = False) -> Any:
        """The response, asked for until there is one that says neither 'later' nor nothing at all."""
        if self._late and self.chance.random() < 0.3:
            self._arrive_late()
        deadline = time.monotonic() + SECONDS_MAX
        while True:
            response = None
            with contextlib.suppress(OSError, struct.error):
                if self._connection is None:
                    self._connection = Connection(self.bootstrap)
                if lossy and self.chance.random() < 0.1:
                    self._give_up(message, version)
                    continue
                response = self._connection.request(message, version)
            if response is None:
                self._drop()
            elif (found := code(response)) not in RETRIABLE:
                if found:
                    raise KafkaError.for_code(found)
                return response
            assert time.monotonic() < deadline, f"{message} was never answered"
            time.sleep(PAUSE_SECONDS)

    def _give_up(self, message: Message, version: int) -> None:
        """Waits in vain for the answer to a request that arrives late, if at all."""
        connection = self._connection
        assert connection is not None
        frame = connection.header(message.API_KEY, version) + _core.encode(message, version)
        self._late.append((connection, frame))
        self._connection = None

    def _arrive_late(self) -> None:
        """Some request that was given up arrives; nobody reads the answer."""
        connection, frame = self._late.pop(self.chance.randrange(len(self._late)))
        with contextlib.suppress(OSError):
            connection.send_frame(frame)
            connection.receive_frame()
        connection.socket.close()

    def _drop(self) -> None:
        if self._connection is not None:
            self._connection.socket.close()
            self._connection = None

    # ---- a producer's calls

    def start(self) -> None:
        """Finds the coordinator, then InitProducerId: whatever was open is aborted."""
        wanted = FindCoordinatorRequest(key_type=1, coordinator_keys=[self.transactional_id])
        self._ask(wanted, 4, lambda response: int(response.coordinators[0].error_code))
        asked = InitProducerIdRequest(self.transactional_id, 60_000, -1, -1)
        given = self._ask(asked, 5, lambda response: int(response.error_code))
        self.producer = given.producer_id, given.producer_epoch
        self._sequences.clear()
        self._added.clear()

    def send(self, topic: str, partition: int, values: Sequence[bytes]) -> int:
        """Writes records; the offset of the first."""
        place = (topic, partition)
        if self.version < 2 and place not in self._added:
            self._add(topic, partition)
        sequence = self._sequences.get(place, 0)
        records = Batch(
            records=tuple(Record(None, value) for value in values),
            timestamp=int(time.time() * 1000),
            attributes=TRANSACTIONAL,
            producer=self.producer[0],
            epoch=self.producer[1],
            sequence=sequence,
        ).encode(lambda number: number)
        data = PartitionProduceData(index=partition, records=records)
        asked = ProduceRequest(
            self.transactional_id, -1, 30_000, [TopicProduceData(topic, partition_data=[data])]
        )
        part = self._ask(asked, 12 if self.version >= 2 else 9, _produce_code).responses[0]
        self._added.add(place)
        self._sequences[place] = sequence + len(values)
        return int(part.partition_responses[0].base_offset)

    def _add(self, topic: str, partition: int) -> None:
        asked = AddPartitionsToTxnRequest(
            v3_and_below_transactional_id=self.transactional_id,
            v3_and_below_producer_id=self.producer[0],
            v3_and_below_producer_epoch=self.producer[1],
            v3_and_below_topics=[AddPartitionsToTxnTopic(topic, [partition])],
        )
        self._ask(asked, 3, _add_code, lossy=True)

    def end(self, commit: bool) -> None:
        """Ends the transaction; KafkaError when somebody else has ended it."""
        asked = EndTxnRequest(self.transactional_id, *self.producer, commit)
        response = self._ask(
            asked, 5 if self.version >= 2 else 3, lambda answer: int(answer.error_code), lossy=True
        )
        self._added.clear()
        if self.version >= 2:
            self.producer = response.producer_id, response.producer_epoch
            self._sequences.clear()


def _produce_code(response: Any) -> int:
    code = int(response.responses[0].partition_responses[0].error_code)
    # Sent again, since the answer to the first was lost.
    return ErrorCode.NONE if code == ErrorCode.DUPLICATE_SEQUENCE_NUMBER else code


def _add_code(response: Any) -> int:
    return int(response.results_by_topic_v3_and_below[0].results_by_partition[0].partition_error_code)
