"""Which handler answers which method and path."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Generic, TypeVar

from barnabas.http.errors import HttpError
from barnabas.http.openapi import Declared, Operation
from barnabas.http.request import segments

H = TypeVar("H", bound=Callable[..., object])


class _Node(Generic[H]):
    """What follows one part of a path."""

    __slots__ = ("any_part", "handlers", "parts")

    def __init__(self) -> None:
        self.parts: dict[str, _Node[H]] = {}
        self.any_part: _Node[H] | None = None
        self.handlers: dict[str, tuple[H, tuple[str, ...], str]] = {}


class Routes(Generic[H]):
    """A table of routes. Patterns have names in braces for single parts: `/subjects/{subject}/versions`.

    A part that is spelled out wins over one in braces.
    """

    def __init__(
        self,
        around: Callable[[H], H] | None = None,
        operations: Mapping[str, Operation] | None = None,
    ) -> None:
        """`around` makes of each handler the one that answers. `operations` says more of routes, by method
        and pattern: `GET /subjects`."""
        self._root: _Node[H] = _Node()
        self._around = around
        self._operations = operations or {}
        self.declared: list[Declared] = []
        """What was added, for those who describe it."""
        self.numbers: dict[str, int] = {}
        """Numbers of operations, from 1 on, by method and pattern."""

    def add(self, method: str, pattern: str, handler: H) -> None:
        """Has `handler` answer `method` on paths of this pattern."""
        operation = self._operations.get(f"{method} {pattern}")
        self.declared.append(Declared(method, pattern, handler.__doc__ or "", operation))
        self.numbers[f"{method} {pattern}"] = len(self.numbers) + 1
        if self._around is not None:
            handler = self._around(handler)
        node = self._root
        names = []
        for part in pattern.strip("/").split("/"):
            if part.startswith("{"):
                names.append(part[1:-1])
                node.any_part = node.any_part or _Node()
                node = node.any_part
            else:
                node = node.parts.setdefault(part, _Node())
        assert method not in node.handlers, f"two handlers for {method} {pattern}"
        node.handlers[method] = handler, tuple(names), f"{method} {pattern}"

    def find(self, method: str, path: str) -> tuple[H, dict[str, str], str]:
        """The handler, what stands in the places of its pattern, and its method and pattern. Raises
        HttpError: 404 or 405."""
        found = _walk(self._root, segments(path), 0, [])
        if found is None:
            raise HttpError(404, f"There is nothing at {path[:200]}")
        node, values = found
        wanted = "GET" if method == "HEAD" else method
        if wanted not in node.handlers:
            raise HttpError(405, f"{method} is not allowed here", headers={"Allow": _allowed(node)})
        handler, names, operation = node.handlers[wanted]
        return handler, dict(zip(names, values, strict=True)), operation

    def allowed(self, path: str) -> str:
        """The methods of a path, as the header `Allow` has them. Raises HttpError when there is none."""
        found = _walk(self._root, segments(path), 0, [])
        if found is None:
            raise HttpError(404, f"There is nothing at {path[:200]}")
        return _allowed(found[0])


def _walk(node: _Node[H], parts: list[str], at: int, values: list[str]) -> tuple[_Node[H], list[str]] | None:
    if at == len(parts):
        return (node, values) if node.handlers else None
    spelled_out = node.parts.get(parts[at])
    if spelled_out is not None and (found := _walk(spelled_out, parts, at + 1, values)) is not None:
        return found
    if node.any_part is None:
        return None
    return _walk(node.any_part, parts, at + 1, [*values, parts[at]])


def _allowed(node: _Node[H]) -> str:
    methods = {*node.handlers, "OPTIONS"} | ({"HEAD"} if "GET" in node.handlers else set())
    return ", ".join(sorted(methods))
