"""A node for handlers: real metadata and decisions, no network, no disk."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from types import SimpleNamespace
from typing import Any, TypeVar

from barnabas._core import MetadataImage
from barnabas.config.resolve import BrokerConfigs
from barnabas.controller.decision import ControllerState, Decision, Record
from barnabas.coordinator.shard import Appended, EncodedBatch
from barnabas.protocol import Message
from barnabas.server import dispatch
from barnabas.server.coordinator_kinds import kinds
from barnabas.server.coordinators import Coordinators
from tests.support.cluster import CLUSTER_ID, Cluster, numbered
from tests.support.coordinator import FakeLog

R = TypeVar("R")


class FakeNative:
    """What handlers ask of `barnabas._core.Node`."""

    def __init__(self) -> None:
        self.directories: list[Any] = []
        self.moves: list[tuple[str, int, str]] = []
        self.move_code = 0
        self.logs: dict[tuple[str, int], FakeLog] = {}
        self.image: Callable[[], MetadataImage] = MetadataImage

    def log(self, topic: str, partition: int) -> FakeLog:
        """The log of a coordinator's partition."""
        return self.logs.setdefault((topic, partition), FakeLog())

    def append_many(self, batches: Sequence[Any]) -> list[Appended]:
        """Appends what coordinators write."""
        results = []
        for topic, partition, _, records, timestamp, producer_id, producer_epoch, _ in batches:
            results += self.log(topic, partition).append(
                [EncodedBatch(records, 0, timestamp, producer_id, producer_epoch)]
            )
        return results

    def read_records(self, topic: str, partition: int, offset: int, _: int) -> Any:
        """All records from `offset` on."""
        log = self.log(topic, partition)
        return 0, log.end, [tuple(record) for record in log.records if record.offset >= offset]

    def publish_steady(self, withdrawn: Sequence[str] | None, members: Sequence[Any]) -> None:
        """Each heartbeat is the coordinators' here."""

    def last_heartbeat(self, group_id: str, member_id: str) -> int | None:
        """No heartbeat is answered without them."""

    def log_directories(self) -> list[Any]:
        return self.directories

    def alter_replica_log_dir(self, topic: str, partition: int, path: str) -> int:
        self.moves.append((topic, partition, path))
        return self.move_code

    def quorum(self) -> Any:
        return SimpleNamespace(
            leader_id=1,
            leader_epoch=3,
            high_watermark=20,
            log_end_offset=21,
            voters=[(1, numbered(5), [("CONTROLLER", "127.0.0.1", 9093)])],
        )


class FakeLentGroups:
    """A data plane that writes no commits."""

    def may_lend(self, partition: int) -> bool:
        return False

    def forget(self, partition: int) -> None:
        """Nothing was lent."""


class FakeNode:
    """The node that handlers see."""

    def __init__(self, cluster: Cluster | None = None) -> None:
        self.cluster = cluster or Cluster(1)
        self.settings = self.cluster.settings
        self.native: Any = FakeNative()
        self.native.image = self.image
        self._coordinators: Coordinators | None = None
        self.time = 1_000_000
        self.answered_natively: list[int] = []

    lent_groups: Any = FakeLentGroups()
    registry_tls = staticmethod(lambda: None)
    node_id = 1
    cluster_id = CLUSTER_ID

    @property
    def lent_transactions(self) -> Any:
        """A data plane that makes no steps of its own."""
        return SimpleNamespace(
            lend=lambda _: None, take_back=lambda _: None, forget=lambda _: 0, overdue=lambda _: []
        )

    @property
    def coordinators(self) -> Coordinators:
        """Made in the event loop that first asks."""
        if self._coordinators is None:
            self._coordinators = Coordinators(
                self.native,
                asyncio.get_running_loop(),
                self.now,
                lambda: BrokerConfigs(self.settings, {}, {}),
                kinds(self),
            )
        return self._coordinators

    def now(self) -> int:
        return self.time

    def image(self) -> MetadataImage:
        return self.cluster.image

    def state(self) -> ControllerState:
        return self.cluster.state

    def propose(self, records: Sequence[Record]) -> Awaitable[None]:
        self.cluster.write(records)
        self._lead_new_partitions()
        return asyncio.sleep(0)

    def _lead_new_partitions(self) -> None:
        """Tells the coordinators of internal topics, as Rust does."""
        if self._coordinators is None:
            return
        self._coordinators.metadata_changed()
        for topic in self._coordinators.topics:
            if (found := self.image().topic(topic)) is not None:
                for index, _ in found.partitions():
                    if (topic, index) not in self._coordinators.epochs:
                        self._coordinators.leadership(topic, index, 0)

    async def commit(self, decision: Decision[R]) -> R:
        await self.propose(decision.records)
        return decision.response

    def answer_natively(self, request: Any) -> None:
        self.answered_natively.append(request.id)

    async def ask(self, message: Message, version: int | None = None, **header: Any) -> Any:
        """The response to a request, found as the node finds it."""
        request: Any = SimpleNamespace(
            **{
                "id": 1,
                "api_key": message.API_KEY,
                "api_version": message.HIGHEST_VERSION if version is None else version,
                "correlation_id": 1,
                "client_id": "test",
                "listener": "PLAINTEXT",
                "client_address": "127.0.0.1:40000",
                "connection": 1,
                "body": message,
                **header,
            }
        )
        return await dispatch.answer(self, request)
