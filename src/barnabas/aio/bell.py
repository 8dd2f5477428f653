"""How tasks of an event loop hear that something has come to a client's thread."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

SIGN_SECONDS_MAX = 1.0
"""How long a task may wait for records before it shows that it still does (`max.poll.interval.ms`)."""


class Rings(Protocol):
    """The engine below a client."""

    def fileno(self) -> int:
        """A descriptor that is readable when something may have come."""

    def clear(self) -> None:
        """Silences it."""


class Bell:
    """Rings when something has come. Belongs to the loop that asks first."""

    def __init__(self, native: Rings, on_ring: Callable[[], object] = lambda: None) -> None:
        self._native = native
        self._on_ring = on_ring
        self._loop: asyncio.AbstractEventLoop | None = None
        self._event: asyncio.Event

    def event(self) -> asyncio.Event:
        """Is set by each ring. RuntimeError in another loop than the first."""
        loop = asyncio.get_running_loop()
        if self._loop is None:
            self._loop, self._event = loop, asyncio.Event()
            loop.add_reader(self._native.fileno(), self._rung)
        elif self._loop is not loop:
            raise RuntimeError("the client belongs to another event loop: make one in each")
        return self._event

    def _rung(self) -> None:
        self._native.clear()
        self._on_ring()
        self._event.set()

    async def wait(self, seconds: float) -> None:
        """Waits for a ring, or until the time is over."""
        try:
            await asyncio.wait_for(self._event.wait(), seconds)
        except TimeoutError:
            return

    def close(self) -> None:
        """Nothing is heard any more."""
        if self._loop is not None:
            self._loop.remove_reader(self._native.fileno())
