"""A proxy beside a broker in one process."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from barnabas.http.beside import Beside

IN_PIECES = "/records"
"""How paths end to which records are sent for as long as the client likes."""

if TYPE_CHECKING:
    from barnabas.http.front import Front
    from barnabas.http.listeners import Listeners


def rest_beside(bootstrap: str, registry: str | None, front: Front, port: int) -> Beside:
    """Listens, and starts a proxy with the first request. Raises AddressUnusable. `registry`: the address of
    the one beside the same broker, if there is one."""
    tls = front.trusting()

    async def begin(listeners: Listeners, service: int, stopping: asyncio.Event) -> None:
        from barnabas.rest.behind import THE_FIRST
        from barnabas.rest.registry import RegistryAt
        from barnabas.rest.service import RestSettings, serve

        settings = RestSettings(
            {THE_FIRST: {"bootstrap.servers": bootstrap}},
            None if registry is None else RegistryAt(registry, tls),
            rates=front.rates,
            access_log=front.access_log,
        )
        await serve(settings, listeners, service, stopping)

    return Beside("REST proxy", front, port, begin, IN_PIECES)
