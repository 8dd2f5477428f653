"""DescribeTransactions and ListTransactions: what this node coordinates."""

from __future__ import annotations

from barnabas._core import ColdRequest, match_names
from barnabas.coordinator.transaction.requests import DescribeTransaction, ListTransactions
from barnabas.coordinator.transaction.state import STATE_NAMES, Transaction
from barnabas.errors import InvalidRegularExpression, InvalidRequest, KafkaError
from barnabas.protocol import ApiKey
from barnabas.protocol.generated import describe_transactions_response as described
from barnabas.protocol.generated import list_transactions_response as listed
from barnabas.protocol.generated.describe_transactions_request import DescribeTransactionsRequest
from barnabas.protocol.generated.describe_transactions_response import DescribeTransactionsResponse
from barnabas.protocol.generated.list_transactions_request import ListTransactionsRequest
from barnabas.protocol.generated.list_transactions_response import ListTransactionsResponse
from barnabas.server import transactions
from barnabas.server.handlers.context import NodeContext, body, handles


@handles(ApiKey.DESCRIBE_TRANSACTIONS)
async def describe_transactions(node: NodeContext, request: ColdRequest) -> DescribeTransactionsResponse:
    """Each transactional id by itself."""
    asked = body(request, DescribeTransactionsRequest)
    states = [await _described(node, transactional_id) for transactional_id in asked.transactional_ids]
    return DescribeTransactionsResponse(transaction_states=states)


async def _described(node: NodeContext, transactional_id: str) -> described.TransactionState:
    try:
        if not transactional_id:
            raise InvalidRequest()
        found: Transaction = await transactions.of(node).call(
            transactional_id, DescribeTransaction(transactional_id)
        )
    except KafkaError as error:
        return described.TransactionState(error_code=error.error_code, transactional_id=transactional_id)
    topics: dict[str, list[int]] = {}
    for topic, partition in sorted(found.partitions):
        topics.setdefault(topic, []).append(partition)
    return described.TransactionState(
        transactional_id=transactional_id,
        transaction_state=STATE_NAMES[found.state],
        transaction_timeout_ms=found.timeout_ms,
        transaction_start_time_ms=found.start_timestamp,
        producer_id=found.producer_id,
        producer_epoch=found.producer_epoch,
        topics=[described.TopicData(topic=topic, partitions=ids) for topic, ids in topics.items()],
    )


@handles(ApiKey.LIST_TRANSACTIONS)
async def list_transactions(node: NodeContext, request: ColdRequest) -> ListTransactionsResponse:
    """All that pass the filters; a state that nobody knows passes nothing, and is named."""
    asked = body(request, ListTransactionsRequest)
    known = frozenset(STATE_NAMES.values())
    found = await transactions.of(node).list(
        ListTransactions(
            producer_ids=frozenset(asked.producer_id_filters),
            states=frozenset(asked.state_filters) if asked.state_filters else None,
            running_longer_than_ms=asked.duration_filter,
        )
    )
    response = ListTransactionsResponse(
        unknown_state_filters=[state for state in dict.fromkeys(asked.state_filters) if state not in known]
    )
    names = [transaction.transactional_id for transaction in found]
    matching = _matching(asked.transactional_id_pattern, names)
    response.transaction_states = [
        listed.TransactionState(
            transactional_id=each.transactional_id,
            producer_id=each.producer_id,
            transaction_state=STATE_NAMES[each.state],
        )
        for each in found
        if each.transactional_id in matching
    ]
    return response


def _matching(pattern: str | None, transactional_ids: list[str]) -> frozenset[str]:
    """Those that the pattern matches from their first to their last character; all without a pattern."""
    if not pattern:
        return frozenset(transactional_ids)
    try:
        return frozenset(match_names(pattern, transactional_ids))
    except ValueError as error:
        raise InvalidRegularExpression(
            f"Transaction ID pattern `{pattern}` is not a valid regular expression: {error}."
        ) from error
