"""What will be known later, in the event loop's own thread.

Always true:
  who asks is told once, in the very turn in which it becomes known: no task has to be woken first
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator
from functools import partial
from typing import Any, Generic, TypeVar

T = TypeVar("T")
R = TypeVar("R")


class Promise(Generic[T]):
    """A value, or an exception. It may be awaited; `tell` does without a task."""

    __slots__ = ("_error", "_failed", "_is_over", "_kept", "_value")

    def __init__(self) -> None:
        self._is_over = False
        self._value: T | None = None
        self._error: Exception | None = None
        self._kept: Callable[[Any], object] | None = None
        self._failed: Callable[[Exception], object] | None = None

    def keep(self, value: T) -> None:
        """It is known. What is known already stays."""
        if not self._is_over:
            self._is_over, self._value = True, value
            if self._kept is not None:
                self._kept(value)

    def fail(self, error: Exception) -> None:
        """There will be no value."""
        if not self._is_over:
            self._is_over, self._error = True, error
            if self._failed is not None:
                self._failed(error)

    def tell(self, kept: Callable[[T], object], failed: Callable[[Exception], object]) -> None:
        """Has one of the two called; at once, if it is known. There is one who asks."""
        assert self._kept is None, "a promise was given to two"
        self._kept, self._failed = kept, failed
        if self._error is not None:
            failed(self._error)
        elif self._is_over:
            kept(self._value)  # type: ignore[arg-type]

    def giving(self, value: R) -> Promise[R]:
        """A promise of `value`, kept when this one is."""
        given: Promise[R] = Promise()
        self.tell(lambda _: given.keep(value), given.fail)
        return given

    def __await__(self) -> Generator[Any, None, T]:
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self.tell(
            partial(_set, future.done, future.set_result), partial(_set, future.done, future.set_exception)
        )
        return (yield from future)


def _set(is_done: Callable[[], bool], settle: Callable[[Any], None], value: object) -> None:
    """Whoever waited may have been cancelled."""
    if not is_done():
        settle(value)
