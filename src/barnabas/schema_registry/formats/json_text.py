"""JSON as schemas are written in it: read strictly, written compactly as Jackson writes it.

A key that stands twice in one object, NaN and Infinity are refused: readers disagree on what they mean.
"""

import json
import re
from collections.abc import Iterable
from typing import Any

from barnabas.schema_registry.formats.model import JSON_NESTING_MAX, NODES_MAX, InvalidSchema

# A JSON value as the json module gives it. Narrowed by isinstance wherever it is used.
Json = Any


def read_json(text: str, what: str) -> Json:
    """Reads one JSON value; `what` names it in errors. Raises InvalidSchema, also for what is too deep."""
    try:
        value = json.loads(text, object_pairs_hook=_object, parse_constant=_constant, parse_float=_float)
    except _Refused as error:
        raise InvalidSchema(f"{what}: {error}") from None
    except json.JSONDecodeError as error:
        raise InvalidSchema(f"{what} is no JSON: {error}") from None
    except RecursionError:
        raise InvalidSchema(f"{what} is nested deeper than {JSON_NESTING_MAX} levels") from None
    except ValueError as error:  # an integer of more digits than Python reads
        raise InvalidSchema(f"{what}: {error}") from None
    # A value takes a character at least, a level a bracket: what is small need not be walked.
    if len(text) > NODES_MAX or text.count("[") + text.count("{") > JSON_NESTING_MAX:
        _bounded(value, what)
    return value


def write_json(value: Json) -> str:
    """Without whitespace, keys in their order, other than ASCII as it is."""
    text = _encode(value)
    return _write(value) if _DIFFERENT.search(text) else text


def sorted_keys(value: Json) -> Json:
    """The value with the keys of all its objects in order."""
    if isinstance(value, dict):
        return {key: sorted_keys(value[key]) for key in sorted(value)}
    if isinstance(value, list):
        return [sorted_keys(each) for each in value]
    return value


_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


class _Refused(Exception):
    pass


# Where Python's writer and Jackson may differ: floating-point numbers, escaped control characters.
_DIFFERENT = re.compile(r"[0-9][.e]|\\u")


def _object(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    found = dict(pairs)
    if len(found) != len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise _Refused(f"the key {twice!r} stands twice in one object")
    return found


def _float(digits: str) -> float:
    value = float(digits)
    if value in (float("inf"), float("-inf")):
        raise _Refused(f"the number {digits} is too large")
    return value


def _constant(name: str) -> Json:
    raise _Refused(f"{name} is no JSON number")


def _children(value: Json) -> Iterable[Json]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


def _bounded(value: Json, what: str) -> None:
    """Refuses what nests too deep or has too many values, so that everything after may recurse."""
    level, nodes, depth = [value], 0, 0
    while level:
        nodes += len(level)
        depth += 1
        if nodes > NODES_MAX:
            raise InvalidSchema(f"{what} has more than {NODES_MAX} values")
        if depth > JSON_NESTING_MAX:
            raise InvalidSchema(f"{what} is nested deeper than {JSON_NESTING_MAX} levels")
        level = [child for each in level if isinstance(each, dict | list) for child in _children(each)]


def _write(value: Json) -> str:
    if isinstance(value, float):
        return java_double(value)
    if isinstance(value, dict):
        return "{" + ",".join(f"{_string(key)}:{_write(each)}" for key, each in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(_write, value)) + "]"
    if isinstance(value, str):
        return _string(value)
    return json.dumps(value)


_ESCAPED = re.compile(r'[\x00-\x1f"\\]')
_SHORT = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\b": "\\b", "\f": "\\f"}


def _string(text: str) -> str:
    return '"' + _ESCAPED.sub(lambda hit: _SHORT.get(hit[0]) or f"\\u{ord(hit[0]):04X}", text) + '"'


def java_double(value: float) -> str:
    """A double as Java writes it: plain from 1e-3 to 1e7, else with an exponent."""
    if value == 0 or 1e-3 <= abs(value) < 1e7:
        plain = repr(value)
        if "e" not in plain:
            return plain
        return f"{value:.20f}".rstrip("0")
    mantissa, _, exponent = f"{value!r}".partition("e")
    sign = "-" if mantissa.startswith("-") else ""
    whole, _, fraction = mantissa.lstrip("-").partition(".")
    digits = (whole + fraction).lstrip("0")
    leading = len(whole) - 1 if whole.strip("0") else -(len(fraction) - len(fraction.lstrip("0"))) - 1
    digits = digits.rstrip("0") or "0"
    return f"{sign}{digits[0]}.{digits[1:] or '0'}E{leading + int(exponent or 0)}"
