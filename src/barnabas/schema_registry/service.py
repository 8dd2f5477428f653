"""Runs a registry in an event loop: the topic, the state, the HTTP service."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING, Any

from barnabas.http.guard import Guard
from barnabas.http.limits import UNLIMITED, Rates
from barnabas.http.serving import Handler, Serving
from barnabas.schema_registry import topic
from barnabas.schema_registry.access import Access
from barnabas.schema_registry.application import RegistryApplication
from barnabas.schema_registry.keys.entries import TOPIC as KEYS_TOPIC
from barnabas.schema_registry.primary.forwarding import Forwarding
from barnabas.schema_registry.primary.leadership import Elected
from barnabas.schema_registry.primary.membership import GROUP
from barnabas.schema_registry.registry import Registry

if TYPE_CHECKING:
    import ssl

    from barnabas.http.listeners import Listeners
    from barnabas.http.logins import Logins
    from barnabas.http.serving import Application
    from barnabas.schema_registry.primary.identity import Identity

logger = logging.getLogger("barnabas.registry")

PORT = 8081
"""Where schema registries usually listen."""


@dataclass(frozen=True, slots=True)
class Candidacy:
    """How an instance takes part in the election of the primary."""

    identity: Identity
    group: str = GROUP


@dataclass(frozen=True, slots=True)
class RegistrySettings:
    """What a registry is told."""

    configs: Mapping[str, Any]
    """Configs of its clients, by Kafka's names; `bootstrap.servers` among them."""
    candidacy: Candidacy | None = None
    """Without one this instance is the only one that writes."""
    logins: Logins | None = None
    """How those who ask log in at the cluster, whose ACLs decide then; None where all may do everything."""
    rates: Rates = UNLIMITED
    """What each client may ask for."""
    access_log: bool = False
    """Whether each request has a line in the log."""
    trusted: ssl.SSLContext | None = None
    """Whose certificates other instances have; None: those that this machine trusts."""


async def serve(
    settings: RegistrySettings,
    listeners: Listeners,
    service: int,
    stopping: asyncio.Event,
    ready: Callable[[], None] = lambda: None,
) -> None:
    """Answers the requests of `service` until `stopping` is set. Raises BarnabasError when the cluster or its
    topic can't be had. `ready` is called when requests are answered."""
    configs = settings.configs
    cluster_id = await _cluster_id(configs, stopping)
    if cluster_id is None:
        return
    registry = Registry(configs, cluster_id)
    async with AsyncExitStack() as ending:
        ending.callback(registry.close)
        around = await _before_handlers(settings, registry, ending)
        await registry.start()
        if isinstance(registry.leadership, Elected):
            registry.leadership.start()
            # Another becomes the primary when this one writes no more.
            ending.push_async_callback(registry.leadership.stop)
        registry.changed = lambda: listeners.native.withdraw(service)
        application = RegistryApplication(registry, around)
        application.metrics.count(listeners.native, service)
        services: dict[int, Application] = {service: application}
        guard = Guard(settings.rates, settings.logins, access_log=settings.access_log)
        serving = Serving(listeners.native, services, guard)
        ready()
        await stopping.wait()
        await serving.stop()
        await application.keys.close()


async def _cluster_id(configs: Mapping[str, Any], stopping: asyncio.Event) -> str | None:
    """The id of the cluster, the topic being there; None if it is time to stop before the cluster answers."""
    logger.info("asking the cluster at %s", configs["bootstrap.servers"])
    with topic.asking(configs) as admin:
        asked = asyncio.get_running_loop().run_in_executor(None, topic.ensured, admin)
        stopped = asyncio.ensure_future(stopping.wait())
        await asyncio.wait((asked, stopped), return_when=asyncio.FIRST_COMPLETED)
        stopped.cancel()
        if asked.done():
            return asked.result()
        asked.cancel()
        return None


async def _before_handlers(
    settings: RegistrySettings, registry: Registry, ending: AsyncExitStack
) -> Callable[[Handler], Handler]:
    """What stands before the handlers: who may, and who writes."""
    layers: list[Callable[[Handler], Handler]] = []
    if settings.candidacy is not None:
        elected = Elected(settings.configs, settings.candidacy.identity, settings.candidacy.group)
        registry.leadership = elected
        forwarding = Forwarding(elected, registry, settings.trusted)
        ending.callback(forwarding.close)
        layers.append(forwarding.around)
    if settings.logins is not None:
        # Nobody would ever be allowed to use a topic that is made with its first use.
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(None, topic.ensure, settings.configs, KEYS_TOPIC)
        access = Access(settings.configs, settings.logins)
        ending.callback(access.close)
        layers.append(access.around)
    return lambda handler: reduce(lambda inner, layer: layer(inner), layers, handler)
