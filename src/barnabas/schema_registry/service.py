"""Runs a registry in an event loop: the topic, the state, the HTTP service."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from barnabas.http.serving import Serving
from barnabas.schema_registry import topic
from barnabas.schema_registry.application import RegistryApplication
from barnabas.schema_registry.primary.forwarding import Forwarding
from barnabas.schema_registry.primary.leadership import Elected
from barnabas.schema_registry.primary.membership import GROUP
from barnabas.schema_registry.registry import Registry

if TYPE_CHECKING:
    from barnabas.http.listeners import Listeners
    from barnabas.http.serving import Application
    from barnabas.schema_registry.primary.identity import Identity

PORT = 8081
"""Where schema registries usually listen."""


@dataclass(frozen=True, slots=True)
class Candidacy:
    """How an instance takes part in the election of the primary."""

    identity: Identity
    group: str = GROUP


async def serve(
    bootstrap: str,
    listeners: Listeners,
    service: int,
    stopping: asyncio.Event,
    ready: Callable[[], None] = lambda: None,
    candidacy: Candidacy | None = None,
) -> None:
    """Answers the requests of `service` until `stopping` is set. Raises BarnabasError when the cluster or its
    topic can't be had. `ready` is called when requests are answered. Without a `candidacy` this instance is
    the only one that writes."""
    loop = asyncio.get_running_loop()
    cluster_id = await loop.run_in_executor(None, topic.ensure, bootstrap)
    registry = Registry(bootstrap, cluster_id)
    elected, forwarding = None, None
    if candidacy is not None:
        registry.leadership = elected = Elected(bootstrap, candidacy.identity, candidacy.group)
        forwarding = Forwarding(elected, registry)
    try:
        await registry.start()
        if elected is not None:
            elected.start()
        registry.changed = lambda: listeners.native.withdraw(service)
        application = RegistryApplication(registry, forwarding)
        services: dict[int, Application] = {service: application}
        serving = Serving(listeners.native, services)
        ready()
        await stopping.wait()
        await serving.stop()
        await application.keys.close()
    finally:
        # Another becomes the primary when this one writes no more.
        if elected is not None:
            await elected.stop()
        if forwarding is not None:
            forwarding.close()
        registry.close()
