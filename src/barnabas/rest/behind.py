"""The clusters behind a proxy: which one a path means.

Always true:
  a cluster that can't be reached keeps nobody from the others
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, TypeVar

from barnabas.errors import BarnabasError, ClientTimeout
from barnabas.http.errors import HttpError
from barnabas.http.metrics import Figure
from barnabas.http.request import Request
from barnabas.rest.cluster import Cluster
from barnabas.rest.errors import not_found
from barnabas.rest.tenants import Tenants

if TYPE_CHECKING:
    from barnabas.rest.express import Express

logger = logging.getLogger("barnabas.rest")

T = TypeVar("T")

THE_FIRST = "-"
"""Stands for the first of the clusters."""
ASK_SECONDS_MAX = 5.0
"""How long one of several clusters is waited for when all are asked."""


class Behind:
    """Clusters by the names that the proxy has for them, in their order. One alone needs no name."""

    def __init__(self, tenants: Mapping[str, Tenants]) -> None:
        self._tenants = dict(tenants)
        self._ids: dict[str, str] = {}
        """Ids of clusters that were asked, by name."""
        self.express: Express | None = None
        """Has records written without Python, if that may be."""

    def first(self, request: Request) -> Cluster:
        """Where requests go that name no cluster: the clients that speak for who asks. Raises HttpError."""
        return next(iter(self._tenants.values())).of(request)

    async def ask_all(self, request: Request, question: Callable[[Cluster], Awaitable[T]]) -> list[T]:
        """What those clusters say that can be reached. Raises HttpError, or why none can be."""
        told = await self._asked(request, list(self._tenants), question)
        problems = [one for one in told.values() if isinstance(one, BarnabasError)]
        for problem in problems:
            if len(problems) == len(told):
                raise problem
            logger.warning("a cluster is left out: %s", problem)
        return [one for one in told.values() if not isinstance(one, BarnabasError)]

    async def named(self, request: Request, wanted: str) -> Cluster:
        """The cluster with this id or name. Raises HttpError, or why it can't be told."""
        if wanted == THE_FIRST:
            return self.first(request)
        if wanted in self._tenants:
            return self._tenants[wanted].of(request)
        problems = await self._ask_ids(request) if wanted not in self._ids.values() else []
        for name, cluster_id in self._ids.items():
            if cluster_id == wanted:
                return self._tenants[name].of(request)
        if problems:
            raise problems[0]  # It may be the one.
        raise not_found(f"Cluster {wanted[:200]}")

    async def _ask_ids(self, request: Request) -> list[BarnabasError]:
        """Asks those whose ids are not known; what came of it where they can't be had."""
        unknown = [name for name in self._tenants if name not in self._ids]
        told = await self._asked(request, unknown, Cluster.id)
        self._ids |= {name: one for name, one in told.items() if isinstance(one, str)}
        return [one for one in told.values() if not isinstance(one, str)]

    async def _asked(
        self, request: Request, names: list[str], question: Callable[[Cluster], Awaitable[T]]
    ) -> dict[str, T | BarnabasError]:
        """What clusters say, or why that can't be had. One of several is not waited for long."""

        async def ask(name: str) -> T | BarnabasError:
            try:
                async with asyncio.timeout(None if len(self._tenants) == 1 else ASK_SECONDS_MAX):
                    return await question(self._tenants[name].of(request))
            except TimeoutError:
                return ClientTimeout(f"cluster {name} has not answered within {ASK_SECONDS_MAX:g} seconds")
            except HttpError:
                raise
            except BarnabasError as error:
                return error

        return dict(zip(names, await asyncio.gather(*map(ask, names)), strict=True))

    def figures(self) -> list[Figure]:
        """For those who look after the proxy: of all clusters and principals together."""
        counts = [tenants.counts for tenants in self._tenants.values()]
        clusters = [cluster for tenants in self._tenants.values() for cluster in tenants.clusters]
        instances = sum(one.instances for one in counts)
        return [
            Figure(
                "barnabas_rest_produced_records_total",
                "Records handed to producers.",
                sum(one.produced.value for one in counts),
                "counter",
            ),
            Figure(
                "barnabas_rest_consumed_records_total",
                "Records read for clients.",
                sum(one.consumed for one in counts),
                "counter",
            ),
            Figure("barnabas_rest_consumer_instances", "Consumer instances of API v2.", instances),
            Figure("barnabas_rest_readings", "Clients that read now.", sum(one.readings for one in clusters)),
            Figure(
                "barnabas_rest_principals", "Principals with clients.", len(clusters) - len(self._tenants)
            ),
        ]

    async def close(self) -> None:
        """Ends all clients."""
        await asyncio.gather(*(tenants.close() for tenants in self._tenants.values()))
