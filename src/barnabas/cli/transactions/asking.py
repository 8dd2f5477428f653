"""What coordinators say of transactions, and partitions of their producers."""

from __future__ import annotations

from collections.abc import Sequence

from barnabas.cli.brokers import Brokers, retried
from barnabas.cli.brokers.cluster import TRANSACTION, check
from barnabas.cli.brokers.offsets import Partition
from barnabas.cli.errors import CommandFailed
from barnabas.cli.transactions.model import ListedTransaction, Producer, Transaction
from barnabas.errors import KafkaError, TransactionalIdNotFound
from barnabas.protocol.generated.describe_producers_request import DescribeProducersRequest, TopicRequest
from barnabas.protocol.generated.describe_producers_response import DescribeProducersResponse
from barnabas.protocol.generated.describe_transactions_request import DescribeTransactionsRequest
from barnabas.protocol.generated.describe_transactions_response import (
    DescribeTransactionsResponse,
    TransactionState,
)
from barnabas.protocol.generated.list_transactions_request import ListTransactionsRequest
from barnabas.protocol.generated.list_transactions_response import ListTransactionsResponse


def list_transactions(
    brokers: Brokers,
    states: Sequence[str] = (),
    producer_ids: Sequence[int] = (),
    running_ms: int | None = None,
    pattern: str | None = None,
) -> list[ListedTransaction]:
    """Transactional ids by name: of these states and producers, with a transaction that has been open for
    longer, and a name that matches the pattern."""
    request = ListTransactionsRequest(states, producer_ids, -1 if running_ms is None else running_ms, pattern)
    lowest = 2 if pattern is not None else 0 if running_ms is None else 1

    found: list[ListedTransaction] = []
    for node_id in brokers.ids:

        def ask(node_id: int = node_id) -> ListTransactionsResponse:
            answer = brokers.ask(request, ListTransactionsResponse, node_id=node_id, lowest=lowest)
            check(answer.error_code)
            return answer

        found += [
            ListedTransaction(one.transactional_id, one.producer_id, one.transaction_state, node_id)
            for one in retried(ask).transaction_states
        ]
    return sorted(found, key=lambda one: one.name)


def describe_transactions(brokers: Brokers, names: Sequence[str]) -> dict[str, Transaction]:
    """The transactional ids that there are, by name."""

    def ask() -> dict[str, Transaction]:
        found = {}
        for node_id, mine in brokers.coordinators(TRANSACTION, names).items():
            request = DescribeTransactionsRequest(mine)
            answer = brokers.ask(request, DescribeTransactionsResponse, node_id=node_id)
            for state in answer.transaction_states:
                try:
                    check(state.error_code)
                except TransactionalIdNotFound:
                    continue
                found[state.transactional_id] = _transaction(state, node_id)
        return found

    return retried(ask)


def _transaction(state: TransactionState, node_id: int) -> Transaction:
    return Transaction(
        state.transactional_id,
        node_id,
        state.producer_id,
        state.producer_epoch,
        state.transaction_state,
        state.transaction_timeout_ms,
        state.transaction_start_time_ms if state.transaction_start_time_ms >= 0 else None,
        tuple((topic.topic, index) for topic in state.topics for index in sorted(topic.partitions)),
    )


def describe_producers(brokers: Brokers, node_id: int, places: Sequence[Partition]) -> list[Producer]:
    """The producers that one broker remembers for partitions. CommandFailed when it doesn't have one."""
    topics: dict[str, list[int]] = {}
    for topic, index in places:
        topics.setdefault(topic, []).append(index)
    request = DescribeProducersRequest([TopicRequest(topic, mine) for topic, mine in topics.items()])
    answer = brokers.ask(request, DescribeProducersResponse, node_id=node_id)
    found = []
    for topic_answer in answer.topics:
        for partition in topic_answer.partitions:
            name, index = topic_answer.name, partition.partition_index
            try:
                check(partition.error_code, partition.error_message)
            except KafkaError as error:
                raise CommandFailed(f"Broker {node_id}, {name}:{index}: {error.message}") from error
            found += [
                Producer(
                    name,
                    index,
                    one.producer_id,
                    one.producer_epoch,
                    one.last_sequence,
                    one.last_timestamp,
                    one.coordinator_epoch,
                    one.current_txn_start_offset if one.current_txn_start_offset >= 0 else None,
                )
                for one in partition.active_producers
            ]
    return sorted(found, key=lambda one: (one.topic, one.partition, one.producer_id))


def leaders(brokers: Brokers, topics: Sequence[str] | None) -> dict[Partition, int]:
    """The leader of each partition of topics that has one; of all topics with None."""
    return {
        (name, partition.partition_index): partition.leader_id
        for name, topic in brokers.topics(topics).items()
        for partition in topic.partitions
        if partition.leader_id in brokers.ids
    }


def leader(brokers: Brokers, place: Partition) -> int:
    """The leader of one partition; CommandFailed when it has none."""
    found = leaders(brokers, [place[0]]).get(place)
    if found is None:
        raise CommandFailed(f"There is no partition {place[1]} of a topic {place[0]}, or it has no leader.")
    return found
