"""Carries plans out for `await`."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from barnabas._core import NativeCalls, decode
from barnabas.clients.calls import Pauses, response_of
from barnabas.clients.plan import Answered, Ask, Plan, Reply

T = TypeVar("T")


class AsyncCalls:
    """A connection to each broker that is asked, for the tasks of one event loop."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._native = NativeCalls(dict(values))
        self._pauses = Pauses(values)
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        self._loop: asyncio.AbstractEventLoop | None = None

    async def run(self, plan: Plan[T], timeout: float) -> T:
        """The plan's result, or what it raises; what takes longer than `timeout` seconds is a
        ClientTimeout."""
        self._listen()
        deadline = time.monotonic() + timeout
        try:
            asks = next(plan)
            while True:
                if asks.attempt:
                    self._native.refresh()
                    pause = self._pauses.before(asks.attempt)
                    await asyncio.sleep(max(0.0, min(pause, deadline - time.monotonic())))
                asks = plan.send(await self._replies(asks.asks, deadline - time.monotonic()))
        except StopIteration as done:
            result: T = done.value
            return result

    async def _replies(self, asks: Sequence[Ask], left: float) -> list[Reply]:
        loop = asyncio.get_running_loop()
        calls: list[tuple[int, Ask]] = []
        try:
            for ask in asks:
                number = self._native.send(
                    ask.request, ask.to.kind, ask.to.node, max(left, 0.0), ask.lowest, ask.highest
                )
                self._waiting[number] = loop.create_future()
                calls.append((number, ask))
            return [_reply(ask, await self._waiting[number]) for number, ask in calls]
        finally:
            for number, _ in calls:
                if not self._waiting.pop(number).done():
                    self._native.cancel(number)

    def _listen(self) -> None:
        loop = asyncio.get_running_loop()
        if self._loop is None:
            self._loop = loop
            loop.add_reader(self._native.fileno(), self._rung)
        elif self._loop is not loop:
            raise RuntimeError("the client belongs to another event loop: make one in each")

    def _rung(self) -> None:
        self._native.clear()
        for number, outcome in self._native.take():
            waiting = self._waiting.get(number)
            if waiting is not None and not waiting.done():
                waiting.set_result(outcome)

    async def close(self) -> None:
        """Ends it: who waits gets ClientClosed."""
        self._native.close()
        if self._loop is not None:
            self._rung()
            self._loop.remove_reader(self._native.fileno())
            self._loop = None


def _reply(ask: Ask, outcome: Any) -> Reply:
    if isinstance(outcome, Exception):
        return outcome
    body, node, version = outcome
    return Answered(decode(response_of(ask), version, body), node, version)
