"""Whose clients speak for a request: the proxy's own, or those of the principal whose credentials it brings.
The cluster knows who asks then, and its ACLs decide.

Always true:
  credentials are judged by the cluster alone; here they are but handed on
  clients of principals are bounded, and closed when nobody has asked for long
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from barnabas.http.errors import HttpError
from barnabas.http.logins import Logins, fingerprint
from barnabas.http.request import Request
from barnabas.rest.cluster import Cluster, Counts
from barnabas.rest.registry import RegistryAt

TENANTS_MAX = 500
IDLE_SECONDS_MAX = 300.0
SWEEP_SECONDS = 10.0


@dataclass(slots=True)
class _Tenant:
    cluster: Cluster
    asked_at: float


class Tenants:
    """The clients of all principals that have asked lately."""

    def __init__(
        self, configs: Mapping[str, Any], registry: RegistryAt | None, logins: Logins | None
    ) -> None:
        """`logins`: how principals log in at the cluster; None where the proxy speaks for all."""
        self._configs = dict(configs)
        self._registry = registry
        self._logins = logins
        self.counts = Counts()
        self._own = Cluster(configs, registry, self.counts)
        self._tenants: OrderedDict[bytes, _Tenant] = OrderedDict()
        self._sweeper: asyncio.Task[None] | None = None
        self._closing: set[asyncio.Task[None]] = set()

    @property
    def clusters(self) -> list[Cluster]:
        """The proxy's own clients, and those of all principals."""
        return [self._own, *(tenant.cluster for tenant in self._tenants.values())]

    def of(self, request: Request) -> Cluster:
        """The clients that speak for whoever has made a request. Raises HttpError."""
        if self._logins is None:
            return self._own
        given = self._logins.of(request)
        key = fingerprint(given)
        tenant = self._tenants.get(key)
        if tenant is None:
            self._make_room()
            configs = self._logins.configs(self._configs, given)
            tenant = self._tenants[key] = _Tenant(Cluster(configs, self._registry, self.counts), 0.0)
            if self._sweeper is None:
                self._sweeper = asyncio.create_task(self._sweep())
        self._tenants.move_to_end(key)
        tenant.asked_at = time.monotonic()
        return tenant.cluster

    def _make_room(self) -> None:
        if len(self._tenants) < TENANTS_MAX:
            return
        idle = next((key for key, one in self._tenants.items() if not one.cluster.is_in_use), None)
        if idle is None:
            raise HttpError(
                429, f"{TENANTS_MAX} principals are served already", headers={"Retry-After": "30"}
            )
        self._close([idle])

    def _close(self, keys: list[bytes]) -> None:
        for key in keys:
            closing = asyncio.create_task(self._tenants.pop(key).cluster.close())
            self._closing.add(closing)
            closing.add_done_callback(self._closing.discard)

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(SWEEP_SECONDS)
            self._close(self.expired(time.monotonic()))

    def expired(self, now: float) -> list[bytes]:
        """Principals that have not asked for too long, and read nothing at this moment."""
        return [
            key
            for key, tenant in self._tenants.items()
            if now - tenant.asked_at > IDLE_SECONDS_MAX and not tenant.cluster.is_in_use
        ]

    async def close(self) -> None:
        """Ends all clients."""
        if self._sweeper is not None:
            self._sweeper.cancel()
        await asyncio.gather(*(cluster.close() for cluster in self.clusters), *self._closing)
