"""The edge between share groups, the leaders of their partitions, and the share coordinator.

A share group has the share coordinator begin with partitions before they are assigned; the leader of a
partition reads from it where the group stands, and writes down what changes.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from barnabas.coordinator.group.share.requests import InitializeStates, StatesInitialized
from barnabas.coordinator.group.share.state_partitions import TopicState
from barnabas.coordinator.records import GROUPS, SHARES
from barnabas.coordinator.share.pruning import DeleteBefore
from barnabas.coordinator.share.requests import NO_OFFSET, InitializeState, ReadSummary, ShareKey
from barnabas.errors import (
    CoordinatorLoadInProgress,
    CoordinatorNotAvailable,
    KafkaError,
    NotCoordinator,
)
from barnabas.server.handlers.context import PerNode

if TYPE_CHECKING:
    from barnabas._core import Uuid
    from barnabas.coordinator.shard import Shard
    from barnabas.coordinator.share.state import ShareState
    from barnabas.server.handlers.context import NodeContext

logger = logging.getLogger("barnabas.shares")

READY_SECONDS_MAX = 1.0
"""How long a partition of the share coordinator is waited for."""
ATTEMPTS_MAX = 5
PAUSE_SECONDS = 0.2
UNAVAILABLE = (CoordinatorLoadInProgress, CoordinatorNotAvailable, NotCoordinator)


class ShareStates:
    """What one node asks of the share coordinator."""

    def __init__(self, node: NodeContext) -> None:
        self._node = node
        self._tasks: set[asyncio.Task[None]] = set()
        node.coordinators.on_effect(InitializeStates, self._note)
        node.coordinators.on_effect(DeleteBefore, self._delete)

    async def call(self, request: Any) -> Any:
        """The response to a call about one share partition; raises KafkaError. A coordinator that is being
        loaded is waited for, and its topic is made when it is missing."""
        key = str(request.key)
        coordinators = self._node.coordinators
        for attempt in range(ATTEMPTS_MAX):
            if attempt:
                await asyncio.sleep(PAUSE_SECONDS)
            partition = await self._partition(key)
            if partition is not None:
                await coordinators.ready(SHARES, partition, READY_SECONDS_MAX)
            try:
                return await coordinators.call(SHARES, key, request)
            except UNAVAILABLE:
                continue
        raise CoordinatorNotAvailable()

    async def _partition(self, key: str) -> int | None:
        partition = self._node.coordinators.partition_of(SHARES, key)
        if partition is None:
            from barnabas.server.handlers.find_coordinator import create_internal_topic

            await create_internal_topic(self._node, SHARES)
            partition = self._node.coordinators.partition_of(SHARES, key)
        return partition

    async def all(self, requests: Iterable[Any]) -> list[Any]:
        """The responses to several calls, in order; a KafkaError in the place of one that failed."""
        return list(await asyncio.gather(*(self._result(request) for request in requests)))

    async def _result(self, request: Any) -> Any:
        try:
            return await self.call(request)
        except KafkaError as error:
            return error

    def _delete(self, shard: Shard, effect: DeleteBefore) -> None:
        code = self._node.native.delete_coordinator_records(shard.topic, shard.partition, effect.offset)
        if code:
            error = KafkaError.for_code(code)
            logger.warning("%s-%d keeps records that nobody needs: %s", shard.topic, shard.partition, error)

    # ---- share groups begin with partitions

    def _note(self, _: Shard, effect: InitializeStates) -> None:
        self.spawn(self._initialize(effect))

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Does something by the side."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _initialize(self, effect: InitializeStates) -> None:
        """Begins with what can be begun; the group asks again for the rest. What has begun already, but the
        group has never heard of, stays where it is."""
        keys = list(share_keys(effect.group_id, effect.topics))
        summaries = await self.all(ReadSummary(key, -1) for key in keys)
        done = [key for key, known in zip(keys, summaries, strict=True) if _has_begun(known)]
        keys = [key for key in keys if key not in done]
        answers = await self.all(InitializeState(key, effect.state_epoch) for key in keys)
        done += [key for key, answer in zip(keys, answers, strict=True) if answer is None]
        for key, answer in zip(keys, answers, strict=True):
            if isinstance(answer, KafkaError):
                logger.warning("share partition %s could not be initialized: %s", key, answer)
        if done:
            await self.tell_initialized(effect.group_id, topics_of(done, effect.topics))

    async def tell_initialized(self, group_id: str, topics: Mapping[Uuid, TopicState]) -> None:
        """Tells a group that partitions may be assigned."""
        try:
            await self._node.coordinators.call(GROUPS, group_id, StatesInitialized(group_id, topics))
        except KafkaError as error:
            logger.warning("share group %s does not know that states are initialized: %s", group_id, error)


def _has_begun(known: ShareState | KafkaError) -> bool:
    return not isinstance(known, KafkaError) and known.start_offset != NO_OFFSET


def share_keys(group_id: str, topics: Mapping[Uuid, TopicState]) -> Iterable[ShareKey]:
    """The share partitions of a group, in order."""
    for topic_id in sorted(topics):
        for partition in sorted(topics[topic_id].partitions):
            yield ShareKey(group_id, topic_id, partition)


def topics_of(keys: Iterable[ShareKey], named: Mapping[Uuid, TopicState]) -> dict[Uuid, TopicState]:
    """The same by topic, with names."""
    found: dict[Uuid, set[int]] = {}
    for key in keys:
        found.setdefault(key.topic_id, set()).add(key.partition)
    return {topic: TopicState(named[topic].name, frozenset(found[topic])) for topic in found}


_STATES = PerNode(ShareStates)


def of(node: NodeContext) -> ShareStates:
    """What this node asks of the share coordinator."""
    return _STATES.of(node)
