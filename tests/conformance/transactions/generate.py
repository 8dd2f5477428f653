"""Random steps of transactional clients, most of them sensible, some not."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from typing import Any

from barnabas.protocol import Message
from barnabas.protocol.generated.add_offsets_to_txn_request import AddOffsetsToTxnRequest
from barnabas.protocol.generated.add_partitions_to_txn_request import (
    AddPartitionsToTxnRequest,
    AddPartitionsToTxnTopic,
    AddPartitionsToTxnTransaction,
)
from barnabas.protocol.generated.describe_producers_request import DescribeProducersRequest, TopicRequest
from barnabas.protocol.generated.describe_transactions_request import DescribeTransactionsRequest
from barnabas.protocol.generated.end_txn_request import EndTxnRequest
from barnabas.protocol.generated.init_producer_id_request import InitProducerIdRequest
from barnabas.protocol.generated.list_offsets_request import (
    ListOffsetsPartition,
    ListOffsetsRequest,
    ListOffsetsTopic,
)
from barnabas.protocol.generated.list_transactions_request import ListTransactionsRequest
from barnabas.protocol.generated.produce_request import (
    PartitionProduceData,
    ProduceRequest,
    TopicProduceData,
)
from barnabas.protocol.generated.txn_offset_commit_request import (
    TxnOffsetCommitRequest,
    TxnOffsetCommitRequestPartition,
    TxnOffsetCommitRequestTopic,
)
from tests.conformance.differential.batches import TRANSACTIONAL, Batch, Record
from tests.conformance.transactions.player import GROUP, PARTITIONS, TOPIC, Producer, Step, Who

IDS = ("a", "b", "c")
TIMEOUT_MS = 600_000
LATEST, READ_COMMITTED = -1, 1


class Generator:
    """Steps of one history."""

    def __init__(self, seed: int, prefix: str) -> None:
        self.random = random.Random(seed)
        self.prefix = prefix
        self.topic = prefix + TOPIC

    def steps(self, count: int) -> Iterator[Step]:
        """The first of each id gives it a producer."""
        for transactional_id in IDS:
            yield self._init(transactional_id, sensible=True)
        rules: dict[Callable[[str], Step], int] = {
            self._init: 5,
            self._add: 14,
            self._add_of_broker: 8,
            self._add_offsets: 5,
            self._produce: 20,
            self._commit_offsets: 6,
            self._end: 18,
            self._describe: 6,
            self._list: 3,
            self._producers: 8,
            self._stable: 5,
        }
        for rule in self.random.choices(list(rules), list(rules.values()), k=count):
            yield rule(self.random.choice(IDS))

    # ---- who asks

    def _who(self, transactional_id: str) -> Who:
        draw = self.random.random()
        if draw < 0.82:
            return Who(transactional_id)
        if draw < 0.9:
            return Who(transactional_id, back=self.random.randint(1, 2))
        if draw < 0.96:
            return Who(transactional_id, epoch_more=self.random.choice((-1, 1)))
        return Who(transactional_id, stranger=True)

    def _name(self, transactional_id: str) -> str:
        draw = self.random.random()
        if draw < 0.97:
            return self.prefix + transactional_id
        return "" if draw < 0.98 else self.prefix + "nobody"

    def _step(self, make: Callable[[Producer], Message], version: int, who: Who, given: bool = False) -> Step:
        return Step(lambda producer, _sequence: make(producer), version, who, given, str(make((-7, -7))))

    # ---- requests

    def _init(self, transactional_id: str, sensible: bool = False) -> Step:
        version = self.random.randint(3, 5)
        name = self.prefix + transactional_id if sensible else self._name(transactional_id)
        expected = not sensible and self.random.random() < 0.4
        timeout = TIMEOUT_MS if sensible else self.random.choice((TIMEOUT_MS,) * 8 + (0, -1, 900_001))

        def make(producer: Producer) -> Message:
            producer_id, epoch = producer if expected else (-1, -1)
            return InitProducerIdRequest(
                transactional_id=name,
                transaction_timeout_ms=timeout,
                producer_id=producer_id,
                producer_epoch=epoch,
            )

        own = name == self.prefix + transactional_id
        return self._step(make, version, self._who(transactional_id), given=own)

    def _topics(self) -> list[AddPartitionsToTxnTopic]:
        draw = self.random.random()
        partitions = self.random.choice(([0], [1], [0, 1]))
        topics = [AddPartitionsToTxnTopic(name=self.topic, partitions=partitions)]
        if draw < 0.04:
            topics.append(AddPartitionsToTxnTopic(name="no-such-topic", partitions=[0]))
        elif draw < 0.07:
            topics[0].partitions.append(PARTITIONS)
        elif draw < 0.09:
            topics.append(AddPartitionsToTxnTopic(name="__consumer_offsets", partitions=[0]))
        elif draw < 0.1:
            topics = []
        return topics

    def _add(self, transactional_id: str) -> Step:
        name, topics = self._name(transactional_id), self._topics()

        def make(producer: Producer) -> Message:
            return AddPartitionsToTxnRequest(
                v3_and_below_transactional_id=name,
                v3_and_below_producer_id=producer[0],
                v3_and_below_producer_epoch=producer[1],
                v3_and_below_topics=topics,
            )

        return self._step(make, self.random.randint(0, 3), self._who(transactional_id))

    def _add_of_broker(self, transactional_id: str) -> Step:
        name, topics, verify = self._name(transactional_id), self._topics(), self.random.random() < 0.5

        def make(producer: Producer) -> Message:
            transaction = AddPartitionsToTxnTransaction(
                transactional_id=name,
                producer_id=producer[0],
                producer_epoch=producer[1],
                verify_only=verify,
                topics=topics,
            )
            return AddPartitionsToTxnRequest(transactions=[transaction])

        return self._step(make, self.random.randint(4, 5), self._who(transactional_id))

    def _add_offsets(self, transactional_id: str) -> Step:
        name = self._name(transactional_id)

        def make(producer: Producer) -> Message:
            return AddOffsetsToTxnRequest(
                transactional_id=name,
                producer_id=producer[0],
                producer_epoch=producer[1],
                group_id=self.prefix + GROUP,
            )

        return self._step(make, self.random.randint(0, 4), self._who(transactional_id))

    def _commit_offsets(self, transactional_id: str) -> Step:
        name, offset = self._name(transactional_id), self.random.randint(0, 9)
        partition = TxnOffsetCommitRequestPartition(partition_index=0, committed_offset=offset)
        topics = [TxnOffsetCommitRequestTopic(name=self.topic, partitions=[partition])]

        def make(producer: Producer) -> Message:
            return TxnOffsetCommitRequest(
                transactional_id=name,
                group_id=self.prefix + GROUP,
                producer_id=producer[0],
                producer_epoch=producer[1],
                topics=topics,
            )

        return self._step(make, self.random.randint(2, 5), self._who(transactional_id))

    def _produce(self, transactional_id: str) -> Step:
        name, partition = self._name(transactional_id), self.random.randrange(PARTITIONS)
        count, gap = self.random.randint(1, 3), 1 if self.random.random() < 0.04 else 0
        version, who = self.random.choice((9, 10, 11, 12, 12)), self._who(transactional_id)

        def make(producer: Producer, sequence: int) -> Message:
            records = Batch(
                records=(Record(None, b"x"),) * count,
                timestamp=1_700_000_000_000,
                attributes=TRANSACTIONAL,
                producer=producer[0],
                epoch=producer[1],
                sequence=sequence + gap,
            )
            return _produced(name, self.topic, partition, records.encode(lambda number: number))

        text = f"Produce of {count} records to partition {partition} for '{name}', gap {gap}"
        return Step(make, version, who, text=text, written=(partition, count))

    def _end(self, transactional_id: str) -> Step:
        name, commit = self._name(transactional_id), self.random.random() < 0.6
        version = self.random.choice((0, 1, 2, 3, 4, 5, 5, 5, 5))

        def make(producer: Producer) -> Message:
            return EndTxnRequest(
                transactional_id=name,
                producer_id=producer[0],
                producer_epoch=producer[1],
                committed=commit,
            )

        own = name == self.prefix + transactional_id
        return self._step(make, version, self._who(transactional_id), given=own)

    # ---- what is shown

    def _describe(self, _transactional_id: str) -> Step:
        names = [self.prefix + each for each in (*IDS, "nobody")] + [""]
        return self._shown(DescribeTransactionsRequest(transactional_ids=names), 0)

    def _list(self, transactional_id: str) -> Step:
        states: list[str] = self.random.choice(
            ([], ["Ongoing"], ["CompleteCommit", "CompleteAbort"], ["Nonsense", "Empty"])
        )
        patterns = (f"{self.prefix}.*", f"{self.prefix}[ab]", f"{self.prefix}{transactional_id}", "[")
        duration = self.random.choice((-1, -1, 0, 10_000_000))
        asked = ListTransactionsRequest(
            state_filters=states,
            transactional_id_pattern=self.random.choice(patterns),
            duration_filter=duration,
        )
        return self._shown(asked, 2)

    def _producers(self, _transactional_id: str) -> Step:
        topic = TopicRequest(name=self.topic, partition_indexes=list(range(PARTITIONS)))
        return self._shown(DescribeProducersRequest(topics=[topic]), 0)

    def _stable(self, _transactional_id: str) -> Step:
        partitions = [
            ListOffsetsPartition(partition_index=index, timestamp=LATEST) for index in range(PARTITIONS)
        ]
        topic = ListOffsetsTopic(name=self.topic, partitions=partitions)
        asked = ListOffsetsRequest(replica_id=-1, isolation_level=READ_COMMITTED, topics=[topic])
        return self._shown(asked, 7)

    def _shown(self, message: Message, version: int) -> Step:
        return Step(lambda _producer, _sequence: message, version, text=str(message))


def _produced(transactional_id: str, topic: str, partition: int, records: Any) -> ProduceRequest:
    data = PartitionProduceData(index=partition, records=records)
    return ProduceRequest(
        transactional_id=transactional_id,
        acks=-1,
        timeout_ms=5000,
        topic_data=[TopicProduceData(name=topic, partition_data=[data])],
    )
