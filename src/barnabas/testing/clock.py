"""Virtual time: a broker's clock that a test moves on.

Always true:
  the clock never goes back, nor does it by a restart
  when `advance` returns, retention has run and every timer that is due by the new time has been decided
"""

from __future__ import annotations

import asyncio
import threading
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from barnabas import _core

if TYPE_CHECKING:
    from barnabas.testing.kafka import Kafka

TURNS = 8
"""Turns of the loop in which timers that are due, and what they set off at once, are run."""
SECONDS_MAX = 30.0


class MovableLoop(asyncio.SelectorEventLoop):
    """An event loop whose clock can be moved on; its timers follow."""

    def __init__(self) -> None:
        self.ahead = 0.0
        super().__init__()

    def time(self) -> float:
        """Seconds of a clock that never goes back."""
        return super().time() + self.ahead

    def advance(self, seconds: float) -> None:
        """Moves the clock on, from another thread; returns when the timers that are due have run."""
        done = threading.Event()

        def go_on(turns: int) -> None:
            if turns:
                self.call_soon(go_on, turns - 1)
            else:
                done.set()

        def begin() -> None:
            self.ahead += seconds
            go_on(TURNS)

        self.call_soon_threadsafe(begin)
        if not done.wait(SECONDS_MAX):
            raise TimeoutError(f"the broker's timers did not run within {SECONDS_MAX:.0f} s")


class Clock:
    """The clock of a test's broker. It goes as every clock, and can be moved on at once."""

    def __init__(self, kafka: Kafka) -> None:
        self._kafka = kafka
        self.ahead_ms = 0
        """How far it is ahead of the machine's."""

    def advance(
        self,
        *,
        days: float = 0,
        hours: float = 0,
        minutes: float = 0,
        seconds: float = 0,
        milliseconds: float = 0,
    ) -> None:
        """Moves it on. What would happen until then happens now: retention, the ends of sessions and of
        transactions, deliveries that wait for their time, requests that wait for theirs."""
        span = timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds, milliseconds=milliseconds)
        ms = span // timedelta(milliseconds=1)
        if ms < 0:
            raise ValueError("a clock does not go back")
        self.ahead_ms += ms
        if (server := self._kafka.server) is not None:
            _core.advance_clock(server.native, ms)
            self._kafka.loop.advance(ms / 1000)

    def now(self) -> int:
        """Milliseconds since the Unix epoch: what `timestamp` would be of a record that comes now."""
        return self._kafka.running.native.now()

    def datetime(self) -> datetime:
        """The same as a time of UTC."""
        return datetime.fromtimestamp(self.now() / 1000, UTC)
