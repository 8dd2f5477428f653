"""Carries plans out while the caller waits."""

from __future__ import annotations

import random
import time
from collections.abc import Mapping
from typing import Any, TypeVar

from barnabas._core import NativeCalls
from barnabas.clients.plan import Answered, Ask, Plan, Reply
from barnabas.protocol import Message, message_class

T = TypeVar("T")

JITTER = 0.2
"""A pause is longer or shorter by so much, so that clients that failed together don't come back together."""


class Pauses:
    """How long to wait before something is tried again."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._first = values["retry.backoff.ms"] / 1000
        self._longest = values["retry.backoff.max.ms"] / 1000

    def before(self, attempt: int) -> float:
        """Seconds before an attempt; none before the first."""
        if attempt <= 0:
            return 0.0
        pause: float = min(self._first * 2 ** min(attempt - 1, 16), self._longest)
        return pause * random.uniform(1 - JITTER, 1 + JITTER)


def response_of(ask: Ask) -> type[Message]:
    """The class of the answer."""
    return message_class(ask.request.API_KEY, response=True)


class Calls:
    """A connection to each broker that is asked; any number of threads may ask.

    calls = Calls(admin_values({"bootstrap.servers": "localhost:9092"}, {}))
    versions = calls.run(ask(ApiVersionsRequest(), ApiVersionsResponse), timeout=10.0)
    """

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._native = NativeCalls(dict(values))
        self._pauses = Pauses(values)

    def run(self, plan: Plan[T], timeout: float) -> T:
        """The plan's result, or what it raises; what takes longer than `timeout` seconds is a
        ClientTimeout."""
        deadline = time.monotonic() + timeout
        try:
            asks = next(plan)
            while True:
                if asks.attempt:
                    self._native.refresh()
                    pause = self._pauses.before(asks.attempt)
                    time.sleep(max(0.0, min(pause, deadline - time.monotonic())))
                asks = plan.send(self._replies(asks.asks, deadline - time.monotonic()))
        except StopIteration as done:
            result: T = done.value
            return result

    def _replies(self, asks: Any, left: float) -> list[Reply]:
        calls = []
        try:
            for ask in asks:
                number = self._native.send(
                    ask.request, ask.to.kind, ask.to.node, max(left, 0.0), ask.lowest, ask.highest
                )
                calls.append((number, response_of(ask)))
            return [self._reply(*calls.pop(0)) for _ in asks]
        finally:
            for number, _ in calls:
                self._native.cancel(number)

    def _reply(self, number: int, response: type[Message]) -> Reply:
        from barnabas.errors import BarnabasError

        try:
            return Answered(*self._native.result(number, response))
        except BarnabasError as error:
            return error

    def close(self) -> None:
        """Ends it: who waits gets ClientClosed."""
        self._native.close()
