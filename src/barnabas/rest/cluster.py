"""The cluster behind the proxy: the clients that speak for whoever asks, made when they are first needed."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from barnabas._core import RecordCount
from barnabas.aio.admin import Admin
from barnabas.aio.producer import Producer
from barnabas.errors import BarnabasError
from barnabas.rest.producing import Sender
from barnabas.rest.registry import RegistryAt

if TYPE_CHECKING:
    from barnabas.rest.v2.instances import Instances

METADATA_MS_MAX = 10_000
"""How long a record may wait for a topic to be known, or for room: nobody waits for a reply for minutes."""
DELIVERY_MS_MAX = 30_000
REQUEST_MS_MAX = 15_000
ADMIN_MS_MAX = 30_000


@dataclass(slots=True)
class Counts:
    """What went to a cluster, came from it and is held of it, for all principals."""

    produced: RecordCount = field(default_factory=RecordCount)
    consumed: int = 0
    instances: int = 0
    """Consumers that live between requests at this moment."""
    connected: int = 0
    """Those among them that hold a connection."""


class Cluster:
    """The clients of one cluster and one principal."""

    def __init__(
        self, configs: Mapping[str, Any], registry: RegistryAt | None, counts: Counts | None = None
    ) -> None:
        """`configs`: what all clients have in common, by Kafka's names; `registry`: for records with
        schemas."""
        self.configs = dict(configs)
        self.registry = registry
        self.counts = counts or Counts()
        self._admin: Admin | None = None
        self._producer: Producer | None = None
        self._sender: Sender | None = None
        self._instances: Instances | None = None
        self._cluster_id: str | None = None
        self._asking = asyncio.Lock()
        self.readings = 0
        """Clients that read records at this moment."""

    @property
    def admin(self) -> Admin:
        """Looks after the cluster."""
        if self._admin is None:
            limits = {"default.api.timeout.ms": ADMIN_MS_MAX, "request.timeout.ms": REQUEST_MS_MAX}
            self._admin = Admin({**limits, **self.configs})
        return self._admin

    @property
    def sender(self) -> Sender:
        """Sends records, in the order in which they come."""
        if self._sender is None:
            limits = {
                "max.block.ms": METADATA_MS_MAX,
                "delivery.timeout.ms": DELIVERY_MS_MAX,
                "request.timeout.ms": REQUEST_MS_MAX,
                "linger.ms": 0,
            }
            self._producer = Producer({**limits, **self.configs})
            self._sender = Sender(self._producer, self.registry, self.counts)
        return self._sender

    @property
    def instances(self) -> Instances:
        """The consumers that live between requests (API v2)."""
        if self._instances is None:
            from barnabas.rest.v2.instances import Instances

            self._instances = Instances(self)
        return self._instances

    @property
    def is_in_use(self) -> bool:
        """Whether somebody reads, or has an instance that might."""
        return self.readings > 0 or (self._instances is not None and not self._instances.is_empty)

    async def id(self) -> str:
        """The cluster's id, asked for once."""
        if self._cluster_id is None:
            async with self._asking:
                described = await self.admin.describe_cluster()
                self._cluster_id = described.cluster_id or ""
        return self._cluster_id

    async def close(self) -> None:
        """Delivers what is under way, and ends the clients."""
        if self._instances is not None:
            await self._instances.close()
        if self._producer is not None:
            with suppress(BarnabasError):  # Who waits for a record has been told.
                await self._producer.close(5.0)
        if self._admin is not None:
            await self._admin.close()
