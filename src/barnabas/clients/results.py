"""Results of operations on several things, some of which may have failed; and how they read when printed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from typing import Any, TypeVar

K = TypeVar("K")
V = TypeVar("V")

ROWS_SHOWN_MAX = 50


class Results(Mapping[K, V]):
    """What came of each thing that was asked for. Looking at one that failed raises why it did.

    Printed it is a table, with a line for each."""

    __slots__ = ("_outcomes",)

    def __init__(self, outcomes: Mapping[K, V | Exception]) -> None:
        self._outcomes = dict(outcomes)

    def __getitem__(self, key: K) -> V:
        outcome = self._outcomes[key]
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    def __iter__(self) -> Iterator[K]:
        return iter(self._outcomes)

    def __len__(self) -> int:
        return len(self._outcomes)

    @property
    def succeeded(self) -> dict[K, V]:
        """What did not fail."""
        return {key: value for key, value in self._outcomes.items() if not isinstance(value, Exception)}

    @property
    def errors(self) -> dict[K, Exception]:
        """Why others failed."""
        return {key: error for key, error in self._outcomes.items() if isinstance(error, Exception)}

    def check(self) -> Results[K, V]:
        """Raises the first error, with notes of the others and all of this as its `results`."""
        errors = list(self.errors.items())
        if not errors:
            return self
        first = errors[0][1]
        first.results = self  # type: ignore[attr-defined]
        if len(errors) > 1:
            for key, error in errors:
                first.add_note(f"{text(key)}: {type(error).__name__}: {error}")
        raise first

    def __repr__(self) -> str:
        return table(self._outcomes)


def text(value: Any) -> str:
    """A value in a cell."""
    match value:
        case None:
            return "-"
        case Enum():
            return value.name.lower()
        case str():
            return value
        case float():
            return f"{value:g}"
        case tuple() if hasattr(value, "_fields"):
            return str(value)
        case tuple() if len(value) == 2 and isinstance(value[0], str) and isinstance(value[1], int):
            return f"{value[0]}-{value[1]}"
        case tuple() | list() | set() | frozenset():
            if len(value) > 3 and any(map(is_dataclass, value)):
                return str(len(value))
            return ",".join(map(text, value)) or "-"
        case Mapping():
            if len(value) > 4 or any(is_dataclass(one) for one in value.values()):
                return str(len(value))
            return ",".join(f"{text(key)}={text(one)}" for key, one in value.items()) or "-"
        case Exception():
            return f"{type(value).__name__}: {value}"
        case _:
            return str(value)


def table(outcomes: Mapping[Any, Any]) -> str:
    """Lines of cells: the key, and the fields of the value."""
    if not outcomes:
        return "(none)"
    columns: list[str] = []
    for value in outcomes.values():
        if is_dataclass(value):
            columns += [field.name for field in fields(value) if field.repr and field.name not in columns]
    rows = [["", *columns]] if columns else []
    for key, value in list(outcomes.items())[:ROWS_SHOWN_MAX]:
        if is_dataclass(value):
            rows.append([text(key), *(text(getattr(value, column, None)) for column in columns)])
        else:
            rows.append([text(key), "done" if value is None and not columns else text(value)])
    widths = [
        max(map(len, cells)) for cells in zip(*(row for row in rows if len(row) == len(rows[0])), strict=True)
    ]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=False)).rstrip()
        for row in rows
    ]
    if len(outcomes) > ROWS_SHOWN_MAX:
        lines.append(f"… and {len(outcomes) - ROWS_SHOWN_MAX} more")
    return "\n".join(lines)
