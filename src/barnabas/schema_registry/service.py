"""Runs a registry in an event loop: the topic, the state, the HTTP service."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

from barnabas.http.serving import Serving
from barnabas.schema_registry import topic
from barnabas.schema_registry.application import RegistryApplication
from barnabas.schema_registry.registry import Registry

if TYPE_CHECKING:
    from barnabas.http.listeners import Listeners
    from barnabas.http.serving import Application

PORT = 8081
"""Where schema registries usually listen."""


async def serve(
    bootstrap: str,
    listeners: Listeners,
    service: int,
    stopping: asyncio.Event,
    ready: Callable[[], None] = lambda: None,
) -> None:
    """Answers the requests of `service` until `stopping` is set. Raises BarnabasError when the cluster or its
    topic can't be had. `ready` is called when requests are answered."""
    loop = asyncio.get_running_loop()
    cluster_id = await loop.run_in_executor(None, topic.ensure, bootstrap)
    registry = Registry(bootstrap, cluster_id)
    try:
        await registry.start()
        registry.changed = lambda: listeners.native.withdraw(service)
        application: Application = RegistryApplication(registry)
        serving = Serving(listeners.native, {service: application})
        ready()
        await stopping.wait()
        await serving.stop()
    finally:
        registry.close()
