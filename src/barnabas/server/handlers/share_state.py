"""The share coordinator's own APIs, which brokers ask each other: InitializeShareGroupState and its kin."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from barnabas._core import ColdRequest
from barnabas.coordinator.share.batches import StateBatch
from barnabas.coordinator.share.requests import (
    DeleteState,
    InitializeState,
    ReadState,
    ReadSummary,
    ShareKey,
    WriteState,
)
from barnabas.errors import KafkaError, UnsupportedVersion
from barnabas.protocol import ApiKey, Message
from barnabas.protocol.generated import delete_share_group_state_response as delete_response
from barnabas.protocol.generated import initialize_share_group_state_response as initialize_response
from barnabas.protocol.generated import read_share_group_state_response as read_response
from barnabas.protocol.generated import read_share_group_state_summary_response as summary_response
from barnabas.protocol.generated import write_share_group_state_response as write_response
from barnabas.server import share_partitions, share_states
from barnabas.server.handlers.context import NodeContext, handles
from barnabas.server.handlers.share_groups import are_served


async def _answer(
    node: NodeContext,
    request: ColdRequest,
    ask: Callable[[ShareKey, Any], Any],
    partition_result: Callable[[int, Any], Any],
    topic_result: Callable[[Any, list[Any]], Any],
    response: Callable[[list[Any]], Message],
) -> Message:
    """Asks about each partition, and puts the answers together."""
    asked: Any = request.body
    results = []
    for topic in asked.topics:
        keys = [ShareKey(asked.group_id, topic.topic_id, one.partition) for one in topic.partitions]
        if are_served(node):
            asking = [ask(key, one) for key, one in zip(keys, topic.partitions, strict=True)]
            answers = await share_states.of(node).all(asking)
        else:
            answers = [UnsupportedVersion() for _ in keys]
        partitions = [
            partition_result(key.partition, answer) for key, answer in zip(keys, answers, strict=True)
        ]
        results.append(topic_result(topic.topic_id, partitions))
    return response(results)


def _result(kind: Callable[..., Any]) -> Callable[[int, Any], Any]:
    """A result that says no more than whether it went well."""

    def build(partition: int, answer: Any) -> Any:
        if isinstance(answer, KafkaError):
            return kind(partition=partition, error_code=answer.error_code, error_message=answer.message)
        return kind(partition=partition)

    return build


@handles(ApiKey.INITIALIZE_SHARE_GROUP_STATE)
async def initialize_share_group_state(node: NodeContext, request: ColdRequest) -> Message:
    """Share partitions begin, or begin anew."""

    def ask(key: ShareKey, one: Any) -> InitializeState:
        share_partitions.of(node).drop(key)
        return InitializeState(key, one.state_epoch, one.start_offset)

    return await _answer(
        node,
        request,
        ask,
        _result(initialize_response.PartitionResult),
        initialize_response.InitializeStateResult,
        initialize_response.InitializeShareGroupStateResponse,
    )


@handles(ApiKey.WRITE_SHARE_GROUP_STATE)
async def write_share_group_state(node: NodeContext, request: ColdRequest) -> Message:
    """A leader says what has changed."""

    def ask(key: ShareKey, one: Any) -> WriteState:
        batches = tuple(
            StateBatch(batch.first_offset, batch.last_offset, batch.delivery_state, batch.delivery_count)
            for batch in one.state_batches
        )
        return WriteState(
            key, one.state_epoch, one.leader_epoch, one.start_offset, one.delivery_complete_count, batches
        )

    return await _answer(
        node,
        request,
        ask,
        _result(write_response.PartitionResult),
        write_response.WriteStateResult,
        write_response.WriteShareGroupStateResponse,
    )


@handles(ApiKey.DELETE_SHARE_GROUP_STATE)
async def delete_share_group_state(node: NodeContext, request: ColdRequest) -> Message:
    """A group has nothing to do with partitions any more."""

    def ask(key: ShareKey, _: Any) -> DeleteState:
        share_partitions.of(node).drop(key)
        return DeleteState(key)

    return await _answer(
        node,
        request,
        ask,
        _result(delete_response.PartitionResult),
        delete_response.DeleteStateResult,
        delete_response.DeleteShareGroupStateResponse,
    )


@handles(ApiKey.READ_SHARE_GROUP_STATE)
async def read_share_group_state(node: NodeContext, request: ColdRequest) -> Message:
    """A leader takes share partitions over."""
    failed = _result(read_response.PartitionResult)

    def result(partition: int, answer: Any) -> Any:
        if isinstance(answer, KafkaError):
            return failed(partition, answer)
        return read_response.PartitionResult(
            partition=partition,
            state_epoch=answer.state_epoch,
            start_offset=answer.start_offset,
            state_batches=[read_response.StateBatch(*batch) for batch in answer.batches],
        )

    return await _answer(
        node,
        request,
        lambda key, one: ReadState(key, one.leader_epoch),
        result,
        read_response.ReadStateResult,
        read_response.ReadShareGroupStateResponse,
    )


@handles(ApiKey.READ_SHARE_GROUP_STATE_SUMMARY)
async def read_share_group_state_summary(node: NodeContext, request: ColdRequest) -> Message:
    """Where share partitions stand."""
    failed = _result(summary_response.PartitionResult)

    def result(partition: int, answer: Any) -> Any:
        if isinstance(answer, KafkaError):
            return failed(partition, answer)
        return summary_response.PartitionResult(
            partition=partition,
            state_epoch=answer.state_epoch,
            leader_epoch=answer.leader_epoch,
            start_offset=answer.start_offset,
            delivery_complete_count=answer.delivery_complete_count,
        )

    return await _answer(
        node,
        request,
        lambda key, one: ReadSummary(key, one.leader_epoch),
        result,
        summary_response.ReadStateSummaryResult,
        summary_response.ReadShareGroupStateSummaryResponse,
    )
