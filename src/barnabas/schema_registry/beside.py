"""A registry beside a broker in one process."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from barnabas.http.beside import Beside

if TYPE_CHECKING:
    from barnabas.http.front import Front
    from barnabas.http.listeners import Listeners


def registry_beside(bootstrap: str, front: Front, port: int, *, elects: bool) -> Beside:
    """Listens, and starts a registry with the first request. Raises AddressUnusable. `elects`: others may be
    instances for the cluster too, and one of all is elected to write."""

    async def begin(listeners: Listeners, service: int, stopping: asyncio.Event) -> None:
        from barnabas.schema_registry.primary.identity import Identity
        from barnabas.schema_registry.service import Candidacy, RegistrySettings, serve

        candidacy = None
        if elects:
            candidacy = Candidacy(Identity(front.name, listeners.ports[service], front.scheme))
        settings = RegistrySettings(
            {"bootstrap.servers": bootstrap},
            candidacy,
            rates=front.rates,
            access_log=front.access_log,
        )
        await serve(settings, listeners, service, stopping)

    return Beside("schema registry", front, port, begin)
