"""From the text of a value to the value and back, as Kafka's ConfigDef reads and writes it.

Java's rules are kept where they show: white space is what `String.trim` takes, numbers may carry a plus
sign and may not carry underscores, doubles may end in `d` or `f` or be hexadecimal, a list keeps its empty
elements (the bounds refuse them).
"""

import math

from .definition import ConfigKey, ConfigType
from .errors import InvalidValue

Value = bool | int | float | str | tuple[str, ...] | None
"""A parsed value: lists are tuples, passwords and classes are text."""

_JAVA_SPACE = "".join(map(chr, range(0x21)))
_BITS = {ConfigType.SHORT: 16, ConfigType.INT: 32, ConfigType.LONG: 64}


def parse_value(key: ConfigKey, text: str | None) -> Value:
    """The value that `text` stands for, within the bounds of its config. Raises InvalidValue."""
    from .bounds import check

    value = parse_type(key, text)
    if isinstance(value, tuple) and key.bounds.startswith("list"):
        value = tuple(dict.fromkeys(value))  # Since 4.2 Kafka drops what a list repeats (KIP-1161).
    check(key, value)
    return value


def default_value(key: ConfigKey) -> Value:
    """The value of a config that nobody has set."""
    return parse_type(key, key.default_text)


def parse_type(key: ConfigKey, text: str | None) -> Value:
    """The value that `text` stands for by its type alone; its bounds are not looked at."""
    if text is None:
        return None
    trimmed = text.strip(_JAVA_SPACE)
    match key.type:
        case ConfigType.STRING | ConfigType.CLASS | ConfigType.PASSWORD:
            return trimmed
        case ConfigType.BOOLEAN:
            if (lower := trimmed.lower()) in ("true", "false"):
                return lower == "true"
            raise InvalidValue(key.name, text, "must be true or false")
        case ConfigType.LIST:
            return tuple(part.strip() for part in trimmed.split(",")) if trimmed else ()
        case ConfigType.DOUBLE:
            if (number := _parse_double(trimmed)) is None:
                raise InvalidValue(key.name, text, "must be a number of type DOUBLE")
            return number
        case _:
            return _parse_integer(key, text, trimmed)


def _parse_integer(key: ConfigKey, text: str, trimmed: str) -> int:
    digits = trimmed[1:] if trimmed[:1] in ("+", "-") else trimmed
    bound = 1 << (_BITS[key.type] - 1)
    if digits.isdecimal() and len(digits) <= 4300 and -bound <= (number := int(trimmed)) < bound:
        return number
    raise InvalidValue(key.name, text, f"must be a whole number of type {key.type.name}")


def _parse_double(text: str) -> float | None:
    sign, body = (text[0], text[1:]) if text[:1] in ("+", "-") else ("", text)
    if body in ("NaN", "Infinity"):
        return float(sign + body)
    if not body or not body.isascii() or body[0] not in "0123456789.":
        return None
    if body[-1] in "dDfF" and (body[:2].lower() != "0x" or "p" in body.lower()):
        body = body[:-1]
    try:
        if body[:2].lower() == "0x":
            return float.fromhex(sign + body) if "p" in body.lower() else None
        return None if "_" in body or body[-1:].isspace() else float(sign + body)
    except (ValueError, OverflowError):
        return None


def format_value(value: Value) -> str | None:
    """The text of a value as DescribeConfigs shows it."""
    match value:
        case None:
            return None
        case bool():
            return "true" if value else "false"
        case float():
            return _format_double(value)
        case tuple():
            return ",".join(value)
        case _:
            return str(value)


def _format_double(value: float) -> str:
    """As Java's Double.toString: plain from 10^-3 up to 10^7, and d.dddE± beyond."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    if value == 0 or 1e-3 <= abs(value) < 1e7:
        plain = repr(value)
        return plain if "e" not in plain else f"{value:.17f}".rstrip("0")
    mantissa, _, exponent = f"{value!r}".partition("e")
    if not exponent:
        sign, digits = ("-", mantissa[1:]) if mantissa[0] == "-" else ("", mantissa)
        whole, _, fraction = digits.partition(".")
        figures = (whole + fraction).rstrip("0").lstrip("0")
        power = len(whole) - 1 if whole.strip("0") else -(len(fraction) - len(fraction.lstrip("0"))) - 1
        mantissa, exponent = f"{sign}{figures[0]}.{figures[1:] or '0'}", str(power)
    if "." not in mantissa:
        mantissa += ".0"
    return f"{mantissa}E{int(exponent)}"
