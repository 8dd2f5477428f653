"""The share partitions that this node leads: loaded when first asked for, written down as they change.

Always true:
  whoever acknowledges hears of it when it is written down
  a share partition whose state could not be written is thrown away and loaded again; what was acquired of it
  is available again then
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from barnabas._core import Uuid
from barnabas.coordinator.group.settings import GroupSettings
from barnabas.coordinator.share.partition import Limits, SharePartition
from barnabas.coordinator.share.requests import NO_OFFSET, ReadState, ShareKey, WriteState
from barnabas.errors import (
    FencedLeaderEpoch,
    FencedStateEpoch,
    KafkaError,
    LeaderNotAvailable,
    NotLeaderOrFollower,
    UnknownTopicOrPartition,
)
from barnabas.server import share_states
from barnabas.server.handlers.context import PerNode
from barnabas.server.native import broker_configs
from barnabas.server.share_dead_letters import DeadLetters
from barnabas.server.share_offset_reset import starting_offset
from barnabas.server.share_policies import SharePolicies
from barnabas.server.share_sessions import Place, ShareSession, ShareSessions

if TYPE_CHECKING:
    from barnabas.server.handlers.context import NodeContext

logger = logging.getLogger("barnabas.shares")


class LedPartition:
    """One share partition, loaded."""

    def __init__(self, key: ShareKey, state_epoch: int, leader_epoch: int, partition: SharePartition) -> None:
        self.key = key
        self.state_epoch = state_epoch
        self.leader_epoch = leader_epoch
        self.partition = partition
        self.waiting: set[asyncio.Future[None]] = set()
        """Fetches that wait for records."""
        self.writes = 0
        """Writes that are on their way."""
        self.timer: asyncio.TimerHandle | None = None
        self.is_gone = False

    @property
    def place(self) -> Place:
        """Topic id and partition."""
        return self.key.topic_id, self.key.partition

    def wake(self) -> None:
        """There may be records to be had now."""
        for future in self.waiting:
            if not future.done():
                future.set_result(None)


class SharePartitions:
    """The share partitions of one node."""

    def __init__(self, node: NodeContext) -> None:
        self.sessions = ShareSessions()
        self.policies = SharePolicies(node)
        self.dead_letters = DeadLetters(node)
        self._node = node
        self._states = share_states.of(node)
        self._loop = asyncio.get_running_loop()
        self._led: dict[ShareKey, LedPartition] = {}
        self._loading: dict[ShareKey, asyncio.Task[LedPartition]] = {}
        self._by_place: dict[Place, set[LedPartition]] = {}
        self._watched: set[Place] = set()
        self._tasks: set[asyncio.Future[Any]] = set()
        self._settings: GroupSettings | None = None
        self._settings_offset = -1

    # ---- configs and clocks

    def now(self) -> int:
        """Milliseconds of a clock that never goes back."""
        return int(self._loop.time() * 1000)

    def settings(self) -> GroupSettings:
        """The configs of groups as they are in force."""
        image = self._node.image()
        if self._settings is None or self._settings_offset != image.offset:
            self._settings = GroupSettings(broker_configs(self._node.settings, image))
            self._settings_offset = image.offset
        return self._settings

    def limits(self, group_id: str) -> Limits:
        """The limits of a group."""
        settings, image = self.settings(), self._node.image()
        return Limits(
            settings.group_integer(image, group_id, "share.record.lock.duration.ms"),
            settings.group_integer(image, group_id, "share.delivery.count.limit"),
            settings.group_integer(image, group_id, "share.partition.max.record.locks"),
            bool(settings.of_group(image, group_id, "share.renew.acknowledge.enable")),
        )

    def reads_committed(self, group_id: str) -> bool:
        """Whether a group sees only records of transactions that were committed."""
        level = self.settings().of_group(self._node.image(), group_id, "share.isolation.level")
        return level == "read_committed"

    # ---- loading

    def find(self, key: ShareKey) -> LedPartition | None:
        """The share partition, if it is loaded."""
        return self._led.get(key)

    async def get(self, key: ShareKey) -> LedPartition:
        """The share partition; raises KafkaError, in the words of a ShareFetch."""
        led = self._led.get(key)
        if led is not None:
            return led
        task = self._loading.get(key)
        if task is None:
            task = self._loading[key] = self._loop.create_task(self._load(key))
            task.add_done_callback(lambda _: self._loading.pop(key))
        return await asyncio.shield(task)

    async def _load(self, key: ShareKey) -> LedPartition:
        self._drop_deleted()
        topic = self._node.image().topic_by_id(key.topic_id)
        placed = topic.partition(key.partition) if topic is not None else None
        if placed is None:
            raise UnknownTopicOrPartition()
        if placed.leader != self._node.node_id:
            raise NotLeaderOrFollower()
        try:
            state = await self._states.call(ReadState(key, placed.leader_epoch))
        except (FencedLeaderEpoch, FencedStateEpoch):
            raise NotLeaderOrFollower() from None
        except UnknownTopicOrPartition:
            raise
        except KafkaError as error:
            raise LeaderNotAvailable(f"The share partition {key} is not initialized yet.") from error
        start, batches = state.start_offset, state.batches
        begins = start == NO_OFFSET
        if begins:
            start = starting_offset(
                self._node, self.settings(), key, committed=self.reads_committed(key.group_id)
            )
        led = LedPartition(key, state.state_epoch, placed.leader_epoch, SharePartition(start, batches))
        self._led[key] = led
        self._by_place.setdefault(led.place, set()).add(led)
        if begins:
            # Where a group has begun is written down, so that it loses nothing when it begins again.
            self._submit(led, WriteState(key, led.state_epoch, led.leader_epoch, start, 0, ()))
        return led

    def _drop_deleted(self) -> None:
        """Forgets share partitions of topics that are gone, which nobody may ever ask for again."""
        image = self._node.image()
        for topic_id in {key.topic_id for key in self._led}:
            if image.topic_by_id(topic_id) is None:
                for key in [key for key in self._led if key.topic_id == topic_id]:
                    self.drop(key)

    def drop(self, key: ShareKey) -> None:
        """Forgets a share partition, which is loaded again when it is asked for."""
        led = self._led.pop(key, None)
        if led is None:
            return
        led.is_gone = True
        if led.timer is not None:
            led.timer.cancel()
        others = self._by_place[led.place]
        others.discard(led)
        if not others:
            del self._by_place[led.place]
            self._watched.discard(led.place)
            self._node.native.unwatch_for_share(*led.place)
        led.wake()

    # ---- changes

    def changed(self, led: LedPartition, *, wakes: bool = True) -> asyncio.Future[KafkaError | None]:
        """Something has changed: it is written down, locks are watched, and who waits looks again, unless
        there is nothing more to be had. Ends when it is written, with the error if it could not be."""
        if dead := led.partition.take_dead():
            self.dead_letters.bury(led.key, dead, self.settings())
        write = led.partition.take_write()
        if wakes:
            led.wake()
        self._plan(led)
        if write is None:
            done: asyncio.Future[KafkaError | None] = self._loop.create_future()
            done.set_result(None)
            return done
        return self._submit(led, WriteState(led.key, led.state_epoch, led.leader_epoch, *write))

    def _submit(self, led: LedPartition, request: WriteState) -> asyncio.Future[KafkaError | None]:
        led.writes += 1
        task = self._loop.create_task(self._write(led, request))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _write(self, led: LedPartition, request: WriteState) -> KafkaError | None:
        from barnabas.coordinator.records import SHARES

        try:
            await self._node.coordinators.call(SHARES, str(led.key), request)
        except KafkaError as error:
            logger.warning("the state of share partition %s could not be written: %s", led.key, error)
            if self._led.get(led.key) is led:
                self.drop(led.key)
            if isinstance(error, FencedLeaderEpoch | FencedStateEpoch):
                return NotLeaderOrFollower()
            return error
        finally:
            led.writes -= 1
        return None

    def _plan(self, led: LedPartition) -> None:
        """Sets the timer for the lock that ends first, or the record that is due first."""
        if led.timer is not None:
            led.timer.cancel()
            led.timer = None
        deadline = led.partition.next_deadline()
        if deadline is not None and not led.is_gone:
            led.timer = self._loop.call_later(max(deadline - self.now(), 0) / 1000, self._expire, led)

    def _expire(self, led: LedPartition) -> None:
        led.timer = None
        led.partition.expire(self.limits(led.key.group_id), self.now())
        self.changed(led)

    # ---- waiting

    def watch(self, led: LedPartition) -> None:
        """Has those woken who wait for records of the partition, once there are more than now."""
        if led.place not in self._watched and not self._node.native.watch_for_share(*led.place):
            self._watched.add(led.place)

    def readable(self, topic_id: Uuid, partition: int) -> None:
        """There is more to read."""
        place = (topic_id, partition)
        self._watched.discard(place)
        for led in self._by_place.get(place, ()):
            led.wake()

    # ---- sessions

    def disconnected(self, connection: int) -> None:
        """A connection has closed: the sessions end that were opened on it."""
        for session in self.sessions.of_connection(connection):
            self.close(session)

    def close(self, session: ShareSession) -> Sequence[asyncio.Future[KafkaError | None]]:
        """Ends a session: what its member has is available to others."""
        self.sessions.remove(session.group_id, session.member_id)
        limits = self.limits(session.group_id)
        writes = []
        for topic_id, partition in session.partitions:
            led = self._led.get(ShareKey(session.group_id, topic_id, partition))
            if led is None:
                continue
            led.partition.release(session.member_id, limits, self.now())
            write = self.changed(led)
            writes.append(write)
            write.add_done_callback(self._then_forget(led))
        return writes

    def _then_forget(self, led: LedPartition) -> Callable[[Any], None]:
        """Forgets a share partition that nobody uses any more."""

        def forget(_: Any) -> None:
            used = self.sessions.is_fetched(led.key.group_id, led.place)
            is_used = used or led.writes or led.waiting or not led.partition.is_idle()
            if not is_used and self._led.get(led.key) is led:
                self.drop(led.key)

        return forget


_PARTITIONS = PerNode(SharePartitions)


def of(node: NodeContext) -> SharePartitions:
    """The share partitions of a node."""
    return _PARTITIONS.of(node)
