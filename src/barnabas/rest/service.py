"""Runs a proxy in an event loop: the clients, the HTTP service."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from barnabas.http.guard import Guard
from barnabas.http.limits import UNLIMITED, Rates
from barnabas.http.logins import Logins
from barnabas.http.serving import Serving
from barnabas.rest.application import RestApplication
from barnabas.rest.behind import Behind
from barnabas.rest.express import Express
from barnabas.rest.registry import RegistryAt
from barnabas.rest.tenants import Tenants

if TYPE_CHECKING:
    from barnabas.http.listeners import Listeners
    from barnabas.http.serving import Application

PORT = 8082
"""Where REST proxies usually listen."""


@dataclass(frozen=True, slots=True)
class RestSettings:
    """What a proxy is told."""

    clusters: Mapping[str, Mapping[str, Any]]
    """Configs of clients of each cluster, `bootstrap.servers` among them, by the proxy's names for them. The
    first is that of requests that name none."""
    registry: RegistryAt | None = None
    """The Schema Registry, for records with schemas."""
    logins: Logins | None = None
    """How the principals of requests log in at the cluster; None where the proxy speaks for all."""
    rates: Rates = UNLIMITED
    """What each client may ask for."""
    access_log: bool = False
    """Whether each request has a line in the log."""


async def serve(
    settings: RestSettings,
    listeners: Listeners,
    service: int,
    stopping: asyncio.Event,
    ready: Callable[[], None] = lambda: None,
) -> None:
    """Answers the requests of `service` until `stopping` is set. `ready` is called when requests are
    answered."""
    clusters = Behind(
        {
            name: Tenants({"client.id": "barnabas-rest", **configs}, settings.registry, settings.logins)
            for name, configs in settings.clusters.items()
        }
    )
    try:
        application = RestApplication(clusters)
        application.metrics.count(listeners.native, service)
        services: dict[int, Application] = {service: application}
        guard = Guard(settings.rates, settings.logins, access_log=settings.access_log)
        if not guard.sees_all:
            clusters.express = Express(listeners.native)
        serving = Serving(listeners.native, services, guard)
        ready()
        await stopping.wait()
        await serving.stop()
    finally:
        await clusters.close()
