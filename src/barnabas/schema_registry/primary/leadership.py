"""Whether this instance may write, as the event loop sees it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Protocol

from barnabas.schema_registry import errors
from barnabas.schema_registry.primary.membership import Membership

if TYPE_CHECKING:
    from barnabas.schema_registry.primary.identity import Identity

PRIMARY_SECONDS_MAX = 30.0
"""Longest wait for a primary to be elected."""


class NotPrimary(Exception):
    """Another instance is the primary."""

    def __init__(self, primary: Identity) -> None:
        super().__init__(f"{primary.url} is the primary")
        self.primary = primary


class Leadership(Protocol):
    """Says who writes."""

    def held(self) -> int | None:
        """The term, if it is known that this instance writes."""

    async def term(self) -> int:
        """Waits until it is known who writes. The term, if it is this instance. Raises NotPrimary, or
        HttpError when there is nobody."""

    def holds(self, term: int) -> bool:
        """Whether this instance still is the primary of the term."""

    def told(self) -> dict[str, Any]:
        """Who writes, for those who look after the instances."""


class Alone:
    """The leadership of an instance that is the only one."""

    def held(self) -> int:
        """As `term`."""
        return 0

    async def term(self) -> int:
        """It is always the primary, and what it has read at its start is all there is."""
        return 0

    def holds(self, term: int) -> bool:
        """Nobody takes it."""
        return term == 0

    def told(self) -> dict[str, Any]:
        """This instance."""
        return {"is_primary": True}


class Elected:
    """The leadership that the group gives. All calls belong into one event loop."""

    def __init__(self, configs: Mapping[str, Any], identity: Identity, group: str) -> None:
        self._loop = asyncio.get_running_loop()
        self._turned = asyncio.Event()
        self._membership = Membership(configs, identity, self._tell, group)

    def start(self) -> None:
        """Joins the group."""
        self._membership.start()

    async def stop(self) -> None:
        """Leaves it."""
        await self._loop.run_in_executor(None, self._membership.stop)

    def held(self) -> int | None:
        """As Leadership says."""
        standing = self._membership.standing
        return standing.term if standing.mine and time.monotonic() < standing.valid_until else None

    async def term(self) -> int:
        """As Leadership says."""
        deadline = time.monotonic() + PRIMARY_SECONDS_MAX
        while True:
            if (term := self.held()) is not None:
                return term
            standing = self._membership.standing
            if standing.primary is not None and not standing.mine:
                raise NotPrimary(standing.primary)
            left = deadline - time.monotonic()
            if left <= 0:
                raise errors.unknown_primary(standing.problem)
            # Validity comes back without a turn.
            await self.turned(min(left, 1.0))

    def holds(self, term: int) -> bool:
        """As Leadership says."""
        return self.held() == term

    def told(self) -> dict[str, Any]:
        """As Leadership says."""
        standing = self._membership.standing
        if standing.primary is None:
            return {"is_primary": False, "problem": standing.problem}
        return {"is_primary": standing.mine, "primary": standing.primary.url}

    async def turned(self, seconds: float) -> None:
        """Waits until something has changed, no longer than `seconds`."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._turned.wait()

    def _tell(self) -> None:
        with suppress(RuntimeError):  # The loop has ended.
            self._loop.call_soon_threadsafe(self._turn)

    def _turn(self) -> None:
        self._turned.set()
        self._turned = asyncio.Event()
