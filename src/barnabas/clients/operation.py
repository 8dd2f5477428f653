"""Operations, written once as plans, that a face offers as calls or as coroutines."""

from __future__ import annotations

import functools
from collections.abc import Callable, Coroutine
from typing import Any, Concatenate, Generic, ParamSpec, TypeVar, overload

from barnabas.clients.plan import Plan

P = ParamSpec("P")
T = TypeVar("T")


class Operations:
    """What plans may ask of the face that they belong to."""

    request_timeout_ms: int
    """How long a broker may work on what it is asked for."""


class Face(Operations):
    """Carries plans out while the caller waits."""

    def run(self, plan: Plan[T]) -> T:
        """The plan's result, or what it raises."""
        raise NotImplementedError


class AsyncFace(Operations):
    """Carries plans out for `await`."""

    async def run(self, plan: Plan[T]) -> T:
        """The plan's result, or what it raises."""
        raise NotImplementedError


class operation(Generic[P, T]):
    """Makes a plan a method: of a `Face` one that returns the result, of an `AsyncFace` a coroutine."""

    def __init__(self, plan: Callable[Concatenate[Any, P], Plan[T]]) -> None:
        self._plan = plan
        self.__doc__ = plan.__doc__

    @overload
    def __get__(self, face: None, owner: type) -> operation[P, T]: ...
    @overload
    def __get__(self, face: Face, owner: type) -> Callable[P, T]: ...
    @overload
    def __get__(self, face: AsyncFace, owner: type) -> Callable[P, Coroutine[Any, Any, T]]: ...
    def __get__(self, face: Face | AsyncFace | None, owner: type) -> Any:
        if face is None:
            return self

        def call(*arguments: P.args, **keywords: P.kwargs) -> Any:
            return face.run(self._plan(face, *arguments, **keywords))

        return functools.wraps(self._plan)(call)
