"""Runs a proxy in an event loop: the clients, the HTTP service."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from barnabas.http.guard import Guard
from barnabas.http.limits import UNLIMITED, Rates
from barnabas.http.serving import Serving
from barnabas.rest.application import RestApplication
from barnabas.rest.tenants import Tenants

if TYPE_CHECKING:
    from barnabas.http.listeners import Listeners
    from barnabas.http.serving import Application

PORT = 8082
"""Where REST proxies usually listen."""


@dataclass(frozen=True, slots=True)
class RestSettings:
    """What a proxy is told."""

    bootstrap: str
    registry: str | None = None
    """Address of the Schema Registry, for records with schemas."""
    configs: Mapping[str, Any] = field(default_factory=dict)
    """Configs of its clients, by Kafka's names."""
    mechanism: str | None = None
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
    configs = {"bootstrap.servers": settings.bootstrap, "client.id": "barnabas-rest", **settings.configs}
    tenants = Tenants(configs, settings.registry, settings.mechanism)
    try:
        application: Application = RestApplication(tenants.of)
        guard = Guard(settings.rates, access_log=settings.access_log)
        serving = Serving(listeners.native, {service: application}, guard)
        ready()
        await stopping.wait()
        await serving.stop()
    finally:
        await tenants.close()
