"""Coordinator APIs while no coordinator runs here: clients are told to look elsewhere, and try again.

Codes are those of Apache Kafka 4.3.1 before the internal topics exist: a coordinator's own APIs say that this
is not it, and lists of what is coordinated here are empty.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from importlib import import_module
from typing import Any

from barnabas._core import ColdRequest
from barnabas.controller.names import name_problem
from barnabas.errors import KafkaError
from barnabas.protocol import ApiKey, ErrorCode, Message, message_class
from barnabas.server.handlers.context import NodeContext, handles


def _classes(api_key: int) -> Any:
    """The module of an API's response, with the classes of its parts."""
    return import_module(message_class(api_key, response=True).__module__)


def _whole(code: ErrorCode) -> Callable[[NodeContext, ColdRequest], Message]:
    """One code for the whole response."""

    def build(_node: NodeContext, request: ColdRequest) -> Message:
        response = message_class(request.api_key, response=True)()
        response.error_code = code  # type: ignore[attr-defined]
        if hasattr(response, "error_message"):
            response.error_message = KafkaError.for_code(code).message
        return response

    return build


def _described(ids: str, part: str, parts: str, key: str) -> Callable[[NodeContext, ColdRequest], Message]:
    """One code for each id in the request's field `ids`."""

    def build(_node: NodeContext, request: ColdRequest) -> Message:
        classes = _classes(request.api_key)
        items = []
        for item_id in dict.fromkeys(getattr(request.body, ids)):
            item = getattr(classes, part)()
            setattr(item, key, item_id)
            item.error_code = ErrorCode.NOT_COORDINATOR
            items.append(item)
        response = message_class(request.api_key, response=True)()
        setattr(response, parts, items)
        return response

    return build


def _empty(_node: NodeContext, request: ColdRequest) -> Message:
    return message_class(request.api_key, response=True)()


def _partition_code(node: NodeContext, topic: Any, index: int, otherwise: ErrorCode) -> ErrorCode:
    """What is said of one partition: Kafka looks for it before it looks for the coordinator."""
    image = node.image()
    if getattr(topic, "topic_id", None):
        found = image.topic_by_id(topic.topic_id)
        missing = ErrorCode.UNKNOWN_TOPIC_ID
    else:
        found = image.topic(topic.name) if name_problem(topic.name) is None else None
        missing = ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
    if found is None:
        return missing
    return otherwise if found.partition(index) is not None else ErrorCode.UNKNOWN_TOPIC_OR_PARTITION


def _offset_commit(code: ErrorCode) -> Callable[[NodeContext, ColdRequest], Message]:
    def build(node: NodeContext, request: ColdRequest) -> Message:
        classes = _classes(request.api_key)
        prefix = message_class(request.api_key, response=True).__name__
        body: Any = request.body
        response: Any = message_class(request.api_key, response=True)()
        for asked in body.topics:
            topic = getattr(classes, f"{prefix}Topic")(name=asked.name, topic_id=asked.topic_id)
            topic.partitions = [
                getattr(classes, f"{prefix}Partition")(
                    partition_index=partition.partition_index,
                    error_code=_partition_code(node, asked, partition.partition_index, code),
                )
                for partition in asked.partitions
            ]
            response.topics.append(topic)
        found: Message = response
        return found

    return build


def _add_partitions_to_txn(node: NodeContext, request: ColdRequest) -> Message:
    from barnabas.protocol.generated import add_partitions_to_txn_response as classes

    def results(topics: Iterable[Any]) -> list[classes.AddPartitionsToTxnTopicResult]:
        codes = {
            (topic.name, index): _partition_code(node, topic, index, ErrorCode.NOT_COORDINATOR)
            for topic in topics
            for index in topic.partitions
        }
        # One partition that is wrong and nothing is attempted for the others.
        if any(code != ErrorCode.NOT_COORDINATOR for code in codes.values()):
            codes = {
                key: ErrorCode.OPERATION_NOT_ATTEMPTED if code == ErrorCode.NOT_COORDINATOR else code
                for key, code in codes.items()
            }
        return [
            classes.AddPartitionsToTxnTopicResult(
                name=topic.name,
                results_by_partition=[
                    classes.AddPartitionsToTxnPartitionResult(
                        partition_index=index, partition_error_code=codes[topic.name, index]
                    )
                    for index in topic.partitions
                ],
            )
            for topic in topics
        ]

    body: Any = request.body
    if request.api_version < 4:
        return classes.AddPartitionsToTxnResponse(
            results_by_topic_v3_and_below=results(body.v3_and_below_topics)
        )
    return classes.AddPartitionsToTxnResponse(
        results_by_transaction=[
            classes.AddPartitionsToTxnResult(
                transactional_id=transaction.transactional_id, topic_results=results(transaction.topics)
            )
            for transaction in body.transactions
        ]
    )


def _share_group_offsets(_node: NodeContext, request: ColdRequest) -> Message:
    from barnabas.protocol.generated import describe_share_group_offsets_response as classes

    body: Any = request.body
    error = KafkaError.for_code(ErrorCode.NOT_COORDINATOR)
    return classes.DescribeShareGroupOffsetsResponse(
        groups=[
            classes.DescribeShareGroupOffsetsResponseGroup(
                group_id=group.group_id, error_code=error.error_code, error_message=error.message
            )
            for group in body.groups
        ]
    )


def _share_state(part: str) -> Callable[[NodeContext, ColdRequest], Message]:
    def build(_node: NodeContext, request: ColdRequest) -> Message:
        classes = _classes(request.api_key)
        error = KafkaError.for_code(ErrorCode.COORDINATOR_NOT_AVAILABLE)
        body: Any = request.body
        response: Any = message_class(request.api_key, response=True)()
        for topic in body.topics:
            result = getattr(classes, part)(topic_id=topic.topic_id)
            result.partitions = [
                classes.PartitionResult(
                    partition=partition.partition, error_code=error.error_code, error_message=error.message
                )
                for partition in topic.partitions
            ]
            response.results.append(result)
        found: Message = response
        return found

    return build


_NOT_COORDINATOR = _whole(ErrorCode.NOT_COORDINATOR)
_NOT_AVAILABLE = _whole(ErrorCode.COORDINATOR_NOT_AVAILABLE)

BUILDERS: dict[ApiKey, Callable[[NodeContext, ColdRequest], Message]] = {
    ApiKey.ADD_PARTITIONS_TO_TXN: _add_partitions_to_txn,
    ApiKey.ADD_OFFSETS_TO_TXN: _NOT_COORDINATOR,
    ApiKey.END_TXN: _NOT_COORDINATOR,
    ApiKey.TXN_OFFSET_COMMIT: _offset_commit(ErrorCode.COORDINATOR_NOT_AVAILABLE),
    ApiKey.DESCRIBE_TRANSACTIONS: _described(
        "transactional_ids", "TransactionState", "transaction_states", "transactional_id"
    ),
    ApiKey.LIST_TRANSACTIONS: _empty,
    ApiKey.SHARE_GROUP_HEARTBEAT: _NOT_COORDINATOR,
    ApiKey.SHARE_GROUP_DESCRIBE: _described("group_ids", "DescribedGroup", "groups", "group_id"),
    ApiKey.SHARE_FETCH: _NOT_AVAILABLE,
    ApiKey.SHARE_ACKNOWLEDGE: _NOT_AVAILABLE,
    ApiKey.DESCRIBE_SHARE_GROUP_OFFSETS: _share_group_offsets,
    ApiKey.ALTER_SHARE_GROUP_OFFSETS: _NOT_COORDINATOR,
    ApiKey.DELETE_SHARE_GROUP_OFFSETS: _NOT_COORDINATOR,
    ApiKey.INITIALIZE_SHARE_GROUP_STATE: _share_state("InitializeStateResult"),
    ApiKey.READ_SHARE_GROUP_STATE: _share_state("ReadStateResult"),
    ApiKey.WRITE_SHARE_GROUP_STATE: _share_state("WriteStateResult"),
    ApiKey.DELETE_SHARE_GROUP_STATE: _share_state("DeleteStateResult"),
    ApiKey.READ_SHARE_GROUP_STATE_SUMMARY: _share_state("ReadStateSummaryResult"),
    ApiKey.STREAMS_GROUP_HEARTBEAT: _NOT_COORDINATOR,
    ApiKey.STREAMS_GROUP_DESCRIBE: _described("group_ids", "DescribedGroup", "groups", "group_id"),
    ApiKey.STREAMS_GROUP_TOPOLOGY_DESCRIPTION_UPDATE: _NOT_COORDINATOR,
}
"""How each API's answer is built."""


@handles(*BUILDERS)
async def unavailable(node: NodeContext, request: ColdRequest) -> Message:
    """The answer of a node that coordinates nothing."""
    return BUILDERS[ApiKey(request.api_key)](node, request)
