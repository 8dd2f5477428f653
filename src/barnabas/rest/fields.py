"""Fields of bodies, checked as they are read: 400 where one has the wrong type, 422 where it is missing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import IntEnum
from typing import Any, TypeVar

from barnabas.http.errors import HttpError

E = TypeVar("E", bound=IntEnum)
INT32_MAX = 2**31 - 1
INT64_MAX = 2**63 - 1


def object_of(value: Any, what: str) -> dict[str, Any]:
    """A JSON object."""
    if not isinstance(value, dict):
        raise HttpError(400, f"{what} must be a JSON object")
    return value


def list_of(body: Mapping[str, Any], name: str) -> list[Any]:
    """A list that must be there."""
    value = body.get(name)
    if value is None:
        raise missing(name)
    if not isinstance(value, list):
        raise HttpError(400, f"{name} must be a list")
    return value


def objects_of(body: Mapping[str, Any], name: str) -> Iterator[dict[str, Any]]:
    """The objects of a list that must be there."""
    return (object_of(value, f"Each of {name}") for value in list_of(body, name))


def missing(name: str) -> HttpError:
    """A field that must be there and is not."""
    return HttpError(422, f"{name} may not be null")


def text(body: Mapping[str, Any], name: str) -> str | None:
    """A text that may be missing."""
    value = body.get(name)
    if value is not None and not isinstance(value, str):
        raise HttpError(400, f"{name} must be a string")
    return value


def needed_text(body: Mapping[str, Any], name: str) -> str:
    """A text that must be there."""
    value = text(body, name)
    if value is None:
        raise missing(name)
    return value


def value_text(body: Mapping[str, Any], name: str) -> str | None:
    """A value of a config: texts, and what JSON has other names for."""
    value = body.get(name)
    if isinstance(value, bool):
        return str(value).lower()
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, int | float):
        return str(value)
    raise HttpError(400, f"{name} must be a string")


def number(body: Mapping[str, Any], name: str, largest: int = INT32_MAX) -> int | None:
    """A whole number that may be missing."""
    value = body.get(name)
    if value is None:
        return None
    if isinstance(value, str) and value.isascii() and value.lstrip("-").isdigit() and len(value) <= 20:
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool) or not -largest - 1 <= value <= largest:
        raise HttpError(400, f"{name} must be a whole number of {largest.bit_length() + 1} bits")
    return value


def needed_number(body: Mapping[str, Any], name: str, largest: int = INT32_MAX) -> int:
    """A whole number that must be there."""
    value = number(body, name, largest)
    if value is None:
        raise missing(name)
    return value


def flag(body: Mapping[str, Any], name: str) -> bool:
    """Yes or no; no when it is missing."""
    value = body.get(name)
    if value is not None and not isinstance(value, bool):
        raise HttpError(400, f"{name} must be true or false")
    return bool(value)


def member(kind: type[E], name: str, value: str) -> E:
    """What a name stands for."""
    found = kind.__members__.get(value.upper())
    if found is None:
        raise HttpError(400, f"{name} must be one of {', '.join(kind.__members__)}, not {value[:100]!r}")
    return found


def path_number(text: str, what: str) -> int:
    """A number in a path; what is none names nothing."""
    if not (text.isascii() and text.isdigit() and len(text) <= 10 and int(text) <= INT32_MAX):
        raise HttpError(404, f"{what} {text[:100]} cannot be found.")
    return int(text)
