"""ShareFetch and ShareAcknowledge (KIP-932): members take records of share partitions, and say what became of
them. Errors of the whole request have no messages, as in Kafka 4.3.1."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from barnabas._core import ColdRequest, Uuid
from barnabas.coordinator.share.acknowledge import validate
from barnabas.coordinator.share.requests import ShareKey
from barnabas.errors import InvalidRequest, InvalidShareSessionEpoch, KafkaError, UnknownTopicOrPartition
from barnabas.protocol import ApiKey
from barnabas.protocol.generated import share_acknowledge_response as acknowledge_response
from barnabas.protocol.generated import share_fetch_response as fetch_response
from barnabas.protocol.generated.share_acknowledge_request import ShareAcknowledgeRequest
from barnabas.protocol.generated.share_fetch_request import ShareFetchRequest
from barnabas.server import share_partitions
from barnabas.server.handlers.context import NodeContext, body, handles
from barnabas.server.handlers.share_groups import validate_served
from barnabas.server.share_fetching import Fetch, Fetched, fetch
from barnabas.server.share_sessions import FINAL_EPOCH, INITIAL_EPOCH, Place, ShareSession

if TYPE_CHECKING:
    from barnabas.server.share_partitions import SharePartitions

TypedBatches = list[tuple[int, int, Sequence[int]]]
"""(first offset, last offset, types)"""
RECORD_LIMIT_MODE = 1


class Told(NamedTuple):
    """What became of what a member says about one partition."""

    error_code: int = 0
    message: str | None = None
    """None also where the request itself was wrong, as in Kafka 4.3.1."""


@handles(ApiKey.SHARE_FETCH)
async def share_fetch(node: NodeContext, request: ColdRequest) -> fetch_response.ShareFetchResponse:
    """Acknowledges what comes along, then fetches, and waits for records if there are none."""
    try:
        return await _share_fetch(node, request)
    except KafkaError as error:
        return fetch_response.ShareFetchResponse(error_code=error.error_code)


async def _share_fetch(node: NodeContext, request: ColdRequest) -> fetch_response.ShareFetchResponse:
    validate_served(node)
    asked = body(request, ShareFetchRequest)
    partitions = share_partitions.of(node)
    group_id, member_id = _named(asked)
    told = _acknowledgements(asked.topics)
    if asked.is_renew_ack and (asked.max_bytes or asked.min_bytes or asked.max_records or asked.max_wait_ms):
        raise InvalidRequest("A ShareFetch with renewals must not fetch.")
    session = _fetch_session(partitions, request, asked, has_told=bool(told))
    if asked.share_session_epoch == INITIAL_EPOCH and not node.native.watch_connection(request.id):
        await _close(partitions, session)
    acknowledged = await _acknowledge(partitions, group_id, member_id, told, renews=asked.is_renew_ack)
    limits = partitions.limits(group_id)
    response = fetch_response.ShareFetchResponse(acquisition_lock_timeout_ms=limits.lock_ms)
    fetched: dict[Place, Fetched] = {}
    if asked.share_session_epoch == FINAL_EPOCH:
        await _close(partitions, session)
    else:
        how = Fetch(
            asked.max_wait_ms,
            asked.max_bytes,
            asked.max_records,
            strict=asked.share_acquire_mode == RECORD_LIMIT_MODE,
        )
        fetched = await fetch(node, partitions, session, how)
    response.responses = _fetch_topics(fetched, acknowledged)
    return response


@handles(ApiKey.SHARE_ACKNOWLEDGE)
async def share_acknowledge(
    node: NodeContext, request: ColdRequest
) -> acknowledge_response.ShareAcknowledgeResponse:
    """Acknowledges; with the final epoch all that the member still has is available again."""
    try:
        return await _share_acknowledge(node, request)
    except KafkaError as error:
        return acknowledge_response.ShareAcknowledgeResponse(error_code=error.error_code)


async def _share_acknowledge(
    node: NodeContext, request: ColdRequest
) -> acknowledge_response.ShareAcknowledgeResponse:
    validate_served(node)
    asked = body(request, ShareAcknowledgeRequest)
    partitions = share_partitions.of(node)
    group_id, member_id = _named(asked)
    told = _acknowledgements(asked.topics)
    epoch = asked.share_session_epoch
    if epoch == INITIAL_EPOCH:
        raise InvalidShareSessionEpoch()
    session = partitions.sessions.go_on(group_id, member_id, epoch, partitions.now())
    acknowledged = await _acknowledge(partitions, group_id, member_id, told, renews=asked.is_renew_ack)
    if epoch == FINAL_EPOCH:
        await _close(partitions, session)
    response = acknowledge_response.ShareAcknowledgeResponse(
        acquisition_lock_timeout_ms=partitions.limits(group_id).lock_ms
    )
    topics: dict[Uuid, acknowledge_response.ShareAcknowledgeTopicResponse] = {}
    for (topic_id, index), became in acknowledged.items():
        data = acknowledge_response.PartitionData(
            index, *became, current_leader=acknowledge_response.LeaderIdAndEpoch()
        )
        if topic_id not in topics:
            topics[topic_id] = acknowledge_response.ShareAcknowledgeTopicResponse(topic_id)
            response.responses.append(topics[topic_id])
        topics[topic_id].partitions.append(data)
    return response


# ---- requests


def _named(asked: ShareFetchRequest | ShareAcknowledgeRequest) -> tuple[str, str]:
    if not asked.group_id or not asked.member_id:
        raise InvalidRequest("GroupId and MemberId must be given.")
    return asked.group_id, asked.member_id


def _acknowledgements(topics: Iterable[Any]) -> dict[Place, TypedBatches]:
    """What a request says about records, by partition."""
    told: dict[Place, TypedBatches] = {}
    for topic in topics:
        for partition in topic.partitions:
            batches = [
                (batch.first_offset, batch.last_offset, batch.acknowledge_types)
                for batch in partition.acknowledgement_batches
            ]
            if batches:
                told.setdefault((topic.topic_id, partition.partition_index), []).extend(batches)
    return told


def _fetch_session(
    partitions: SharePartitions, request: ColdRequest, asked: ShareFetchRequest, *, has_told: bool
) -> ShareSession:
    """The session of a ShareFetch, with the partitions that it adds and takes away."""
    now, epoch = partitions.now(), asked.share_session_epoch
    group_id, member_id = _named(asked)
    if epoch == INITIAL_EPOCH:
        if has_told:
            raise InvalidRequest("The first request of a share session can't acknowledge.")
        count_max = partitions.settings().integer("group.share.max.share.sessions")
        session = partitions.sessions.open(group_id, member_id, now, count_max, request.connection)
    else:
        session = partitions.sessions.go_on(group_id, member_id, epoch, now)
    if epoch != FINAL_EPOCH:
        session.update(_places(asked.topics), _forgotten(asked))
    return session


def _places(topics: Iterable[Any]) -> list[Place]:
    return [(topic.topic_id, one.partition_index) for topic in topics for one in topic.partitions]


def _forgotten(asked: ShareFetchRequest) -> list[Place]:
    return [(topic.topic_id, index) for topic in asked.forgotten_topics_data for index in topic.partitions]


# ---- acknowledging


async def _acknowledge(
    partitions: SharePartitions,
    group_id: str,
    member_id: str,
    told: dict[Place, TypedBatches],
    *,
    renews: bool,
) -> dict[Place, Told]:
    """What became of what a member says, for each partition, once it is written down."""
    results: dict[Place, Told] = {}
    writes: dict[Place, asyncio.Future[KafkaError | None]] = {}
    for place, batches in told.items():
        led = partitions.find(ShareKey(group_id, *place))
        if led is None:
            # Nothing of it can be acquired, unless this node has forgotten it in the meantime.
            results[place] = Told(UnknownTopicOrPartition.error_code)
            continue
        try:
            validate(batches, renews=renews)
        except KafkaError as error:
            results[place] = Told(error.error_code)
            continue
        try:
            led.partition.acknowledge(member_id, batches, partitions.limits(group_id), partitions.now())
        except KafkaError as error:
            results[place] = Told(error.error_code, error.message)
        else:
            writes[place] = partitions.changed(led)
    for place, write in writes.items():
        failed = await write
        results[place] = Told() if failed is None else Told(failed.error_code, failed.message)
    return results


async def _close(partitions: SharePartitions, session: ShareSession) -> None:
    for write in partitions.close(session):
        await write


# ---- responses


@dataclass(slots=True)
class _Topics:
    """Partitions of a response, by topic."""

    topics: dict[Uuid, dict[int, fetch_response.PartitionData]] = field(default_factory=dict)

    def at(self, place: Place) -> fetch_response.PartitionData:
        topic_id, index = place
        partitions = self.topics.setdefault(topic_id, {})
        if index not in partitions:
            partitions[index] = fetch_response.PartitionData(
                partition_index=index, records=b"", current_leader=fetch_response.LeaderIdAndEpoch()
            )
        return partitions[index]


def _fetch_topics(
    fetched: dict[Place, Fetched], acknowledged: dict[Place, Told]
) -> list[fetch_response.ShareFetchableTopicResponse]:
    topics = _Topics()
    for place, found in fetched.items():
        data = topics.at(place)
        if found.error is not None:
            data.error_code = found.error.error_code
        data.records = found.records
        data.acquired_records = [fetch_response.AcquiredRecords(*acquired) for acquired in found.acquired]
    for place, (code, message) in acknowledged.items():
        data = topics.at(place)
        data.acknowledge_error_code, data.acknowledge_error_message = code, message
    return [
        fetch_response.ShareFetchableTopicResponse(topic_id, partitions.values())
        for topic_id, partitions in topics.topics.items()
    ]
