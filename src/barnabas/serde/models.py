"""JSON: plain values, dataclasses, msgspec and pydantic models, whose libraries are imported when needed."""

from __future__ import annotations

import dataclasses
import datetime
import decimal
import enum
import json
import uuid
from collections.abc import Callable
from typing import Any, Generic, TypeVar, get_args, get_origin, get_type_hints

from barnabas.serde.base import Headers, SerializationError

T = TypeVar("T")


class Json(Generic[T]):
    """JSON in UTF-8, without needless spaces; keys in the order of the value.

    `Json()` reads plain values. `Json(Model)` reads and writes one class: a dataclass, a `msgspec.Struct`, a
    pydantic model, or with `msgspec` installed any type that it knows.
    """

    def __init__(self, model: type[T] | None = None) -> None:
        self.model = model
        self._write, self._read = _functions(model)

    def serialize(self, topic: str, value: T | None, headers: Headers = ()) -> bytes | None:
        """The value as JSON. None is a null, not JSON's."""
        if value is None:
            return None
        if self.model is not None and isinstance(self.model, type) and not isinstance(value, self.model):
            raise SerializationError(f"{self.model.__name__} is wanted, not {type(value).__name__}")
        try:
            return self._write(value)
        except (TypeError, ValueError) as error:
            raise SerializationError(f"{type(value).__name__} can't be written as JSON: {error}") from error

    def deserialize(self, topic: str, data: bytes | None, headers: Headers = ()) -> T | None:
        """The value."""
        if data is None:
            return None
        try:
            found: T = self._read(data)
        except (TypeError, ValueError, KeyError) as error:
            name = "JSON" if self.model is None else getattr(self.model, "__name__", str(self.model))
            raise SerializationError(f"bytes are no {name}: {error}") from error
        return found


def _functions(model: Any) -> tuple[Callable[[Any], bytes], Callable[[bytes], Any]]:
    """What writes and reads a model."""
    if model is None:
        return dump, json.loads
    if hasattr(model, "model_validate_json"):
        return lambda value: value.model_dump_json().encode(), model.model_validate_json
    if hasattr(model, "__struct_fields__"):
        import msgspec

        return msgspec.json.encode, msgspec.json.Decoder(model).decode
    if dataclasses.is_dataclass(model):
        return dump, lambda data: from_plain(model, json.loads(data))
    try:
        import msgspec
    except ImportError:
        raise TypeError(
            f"Json can't read {model!r}: give a dataclass or a model, or install msgspec"
        ) from None
    return msgspec.json.encode, msgspec.json.Decoder(model).decode


def dump(value: Any) -> bytes:
    """A value as JSON's bytes; dataclasses, enums, UUIDs, decimals and times in them as one expects."""
    return json.dumps(value, default=_plain, separators=(",", ":"), ensure_ascii=False).encode()


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, datetime.datetime | datetime.date | datetime.time):
        return value.isoformat()
    if isinstance(value, uuid.UUID | decimal.Decimal):
        return str(value)
    if isinstance(value, set | frozenset):
        return sorted(value)
    if hasattr(value, "model_dump"):
        return value.model_dump(mode="json")
    if hasattr(value, "__struct_fields__"):
        return {name: getattr(value, name) for name in value.__struct_fields__}
    raise TypeError(f"{type(value).__name__} has no place in JSON")


_PARSED: dict[Any, Callable[[Any], Any]] = {
    datetime.datetime: datetime.datetime.fromisoformat,
    datetime.date: datetime.date.fromisoformat,
    datetime.time: datetime.time.fromisoformat,
    uuid.UUID: uuid.UUID,
    decimal.Decimal: decimal.Decimal,
    float: float,
}


def from_plain(wanted: Any, value: Any) -> Any:
    """A value of a dataclass, or of what its fields are, from what JSON has for it. Raises TypeError."""
    if wanted is Any:
        return value
    if dataclasses.is_dataclass(wanted) and isinstance(wanted, type):
        return _dataclass(wanted, value)
    origin, inner = get_origin(wanted), get_args(wanted)
    if origin is not None:
        return _generic(origin, inner, value)
    if isinstance(wanted, type):
        if issubclass(wanted, enum.Enum):
            return wanted(value)
        if isinstance(value, wanted) and (wanted is bool or not isinstance(value, bool)):
            return value
        if wanted in _PARSED and isinstance(value, str | int) and not isinstance(value, bool):
            return _PARSED[wanted](value)
    raise TypeError(f"{value!r:.80} is no {getattr(wanted, '__name__', wanted)}")


def _dataclass(wanted: type, value: Any) -> Any:
    if not isinstance(value, dict):
        raise TypeError(f"{value!r:.80} is no {wanted.__name__}")
    hints = get_type_hints(wanted)
    known = {field.name for field in dataclasses.fields(wanted) if field.init}
    if unknown := value.keys() - known:
        raise TypeError(f"{wanted.__name__} has no {', '.join(sorted(unknown))}")
    return wanted(**{name: from_plain(hints[name], part) for name, part in value.items()})


def _generic(origin: Any, inner: tuple[Any, ...], value: Any) -> Any:
    if origin in (list, set, frozenset) and isinstance(value, list):
        return origin(from_plain(inner[0], part) for part in value)
    if origin is tuple and isinstance(value, list):
        kinds = inner[:1] * len(value) if inner[-1:] == (...,) else inner
        return tuple(from_plain(kind, part) for kind, part in zip(kinds, value, strict=True))
    if origin is dict and isinstance(value, dict):
        return {from_plain(inner[0], key): from_plain(inner[1], part) for key, part in value.items()}
    if origin in (list, set, frozenset, tuple, dict):
        raise TypeError(f"{value!r:.80} is no {origin.__name__}")
    reasons = []
    for kind in inner:  # A union, or a literal, whose members are plain values.
        if value == kind and type(value) is type(kind):
            return value
        if kind is type(None) and value is None:
            return None
        try:
            return from_plain(kind, value)
        except (TypeError, ValueError) as error:
            reasons.append(str(error))
    raise TypeError("; ".join(dict.fromkeys(reasons)))
