"""A registry beside a broker in one process."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from barnabas.http.beside import Beside

if TYPE_CHECKING:
    from barnabas.http.listeners import Listeners


def registry_beside(bootstrap: str, host: str, port: int) -> Beside:
    """Listens, and starts a registry with the first request. Raises AddressUnusable."""

    async def begin(listeners: Listeners, service: int, stopping: asyncio.Event) -> None:
        from barnabas.schema_registry.service import RegistrySettings, serve

        await serve(RegistrySettings({"bootstrap.servers": bootstrap}), listeners, service, stopping)

    return Beside("schema registry", host, port, begin)
