"""`barnabas.aio.Admin`."""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self, TypeVar

from barnabas.aio.calls import AsyncCalls
from barnabas.clients.admin.all import AllOperations
from barnabas.clients.configs import admin_values
from barnabas.clients.operation import AsyncFace
from barnabas.clients.plan import Plan

T = TypeVar("T")


class Admin(AllOperations, AsyncFace):
    """Looks after a cluster: every operation of `barnabas.Admin`, as a coroutine, for the tasks of one event
    loop.

    async with Admin(bootstrap_servers="localhost:9092") as admin:
        await admin.create_topics("orders")
    """

    def __init__(self, configs: Mapping[str, Any] | None = None, /, **keywords: Any) -> None:
        values = admin_values(configs, keywords)
        self._calls = AsyncCalls(values)
        AllOperations.__init__(self, values)

    async def run(self, plan: Plan[T]) -> T:
        """Carries out a plan."""
        return self._checked(await self._calls.run(plan, self._timeout))

    async def close(self) -> None:
        """Ends it, and all that came of `with_options`."""
        await self._calls.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()
