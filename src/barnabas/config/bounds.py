"""What a value may be, beyond its type: ranges, choices, lists, and a few forms of text."""

from .definition import ConfigKey
from .errors import InvalidValue
from .values import Value

_PORT_MAX = 65535


def check(key: ConfigKey, value: Value) -> None:
    """Raises InvalidValue unless the value lies within the bounds of its config."""
    bounds = key.bounds
    if bounds == "-":
        return
    if special := SPECIAL.get(bounds):
        special(key.name, value)
    elif bounds.startswith("one of "):
        _choice(key.name, value, bounds[7:].split(), any_case=False)
    elif bounds.startswith("any case of "):
        _choice(key.name, value, bounds[12:].split(), any_case=True)
    elif bounds.startswith("list"):
        _items(key.name, value, bounds)
    else:
        _range(key.name, value, bounds)


def describe(key: ConfigKey) -> str:
    """The bounds in words, for documentation; empty when there are none."""
    bounds = key.bounds
    if bounds == "-":
        return ""
    if bounds.startswith("list"):
        flags, _, items = bounds[4:].partition(" of ")
        words = [word for word in ("non-empty",) if word in flags]
        if items:
            words.append("of " + ", ".join(items.split()))
        return " ".join(words)
    for prefix in ("one of ", "any case of "):
        if bounds.startswith(prefix):
            return prefix + ", ".join(bounds[len(prefix) :].split())
    if ".." in bounds:
        low, high = bounds.split("..", 1)
        return f"{low} to {high}" if high else f"at least {low}"
    return _WORDS[bounds]


def _range(name: str, value: Value, bounds: str) -> None:
    low, high = bounds.split("..", 1)
    if value is None:
        raise InvalidValue(name, value, "must not be null")
    assert isinstance(value, int | float), (name, value)
    if value < float(low):
        raise InvalidValue(name, value, f"must be at least {low}")
    if high and value > float(high):
        raise InvalidValue(name, value, f"must be at most {high}")


def _choice(name: str, value: Value, choices: list[str], *, any_case: bool) -> None:
    given = value.upper() if any_case and isinstance(value, str) else value
    if given not in choices:
        note = " (in any case)" if any_case else ""
        raise InvalidValue(name, value, f"must be one of{note}: {', '.join(choices)}")


def _items(name: str, value: Value, bounds: str) -> None:
    flags, _, choices = bounds[4:].partition(" of ")
    if value is None:
        if "nullable" not in flags:
            raise InvalidValue(name, value, "must not be null")
        return
    assert isinstance(value, tuple), (name, value)
    allowed = choices.split()
    if not value and "non-empty" in flags:
        one_of = f" of: {', '.join(allowed)}" if allowed else ""
        raise InvalidValue(name, "", f"must not be empty: at least one{one_of or ' element'}")
    for item in value:
        if not item:
            raise InvalidValue(name, ",".join(value), "must not hold an empty element")
        if allowed and item not in allowed:
            raise InvalidValue(name, item, f"each element must be one of: {', '.join(allowed)}")


def _non_null(name: str, value: Value) -> None:
    if value is None:
        raise InvalidValue(name, value, "must not be null")


def _non_empty(name: str, value: Value) -> None:
    if value == "":
        raise InvalidValue(name, value, "must not be empty")


def _gzip_level(name: str, value: Value) -> None:
    if not isinstance(value, int) or (value != -1 and not 1 <= value <= 9):
        raise InvalidValue(name, value, "must be between 1 and 9, or -1 for the default")


def _no_internal_topic(name: str, value: Value) -> None:
    if isinstance(value, str) and value.startswith("__"):
        raise InvalidValue(name, value, "must not start with '__', as internal topics do")


def _throttled_replicas(name: str, value: Value) -> None:
    if value is None:
        raise InvalidValue(name, value, "must not be null")
    assert isinstance(value, tuple), (name, value)
    # Kafka 4.4.0 lets one trailing comma pass here, unlike in other lists.
    items = value[:-1] if len(value) > 1 and value[-1] == "" else value
    pairs = [item.split(":") for item in items]
    if value != ("*",) and not all(len(pair) == 2 and all(map(_is_digits, pair)) for pair in pairs):
        raise InvalidValue(name, ",".join(value), "must be * or a list of partition:broker pairs")


def _is_digits(text: str) -> bool:
    return text.isascii() and text.isdigit()


def _voters(name: str, value: Value) -> None:
    if value is None:
        raise InvalidValue(name, value, "must not be null")
    assert isinstance(value, tuple), (name, value)
    for voter in value:
        node_id, at, address = voter.partition("@")
        if not at or not _is_digits(node_id.removeprefix("-")) or not _is_address(address):
            raise InvalidValue(name, voter, "each voter must be written as id@host:port")


def _servers(name: str, value: Value) -> None:
    if value is None:
        raise InvalidValue(name, value, "must not be null")
    assert isinstance(value, tuple), (name, value)
    for server in value:
        if not _is_address(server):
            raise InvalidValue(name, server, "each server must be written as host:port")


def _http_servers(name: str, value: Value) -> None:
    from urllib.parse import urlsplit  # Imported here: hardly anybody sets such a config.

    for url in value.split(",") if isinstance(value, str) else ():
        try:
            parts = urlsplit(url.strip())
            is_address = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
        except ValueError:
            is_address = False
        if not is_address:
            raise InvalidValue(name, url, "each must be an http or https address")


def _is_address(text: str) -> bool:
    _, colon, port = text.rpartition(":")
    return bool(colon) and _is_digits(port) and int(port) <= _PORT_MAX


def _offset_reset(name: str, value: Value) -> None:
    kind, _, duration = value.partition(":") if isinstance(value, str) else ("", "", "")
    if value not in ("earliest", "latest") and not (kind == "by_duration" and _is_duration(duration)):
        raise InvalidValue(name, value, "must be earliest, latest, or by_duration:PnDTnHnMn.nS")


def _consumer_reset(name: str, value: Value) -> None:
    if value == "none":
        return
    try:
        _offset_reset(name, value)
    except InvalidValue:
        text = "must be earliest, latest, none, or by_duration:PnDTnHnMn.nS"
        raise InvalidValue(name, value, text) from None


def _is_duration(text: str) -> bool:
    """Whether Java's Duration.parse takes the text, and finds it not negative."""
    seconds = duration_seconds(text)
    return seconds is not None and seconds >= 0


def duration_seconds(text: str) -> float | None:
    """What Java's Duration.parse makes of the text; None when it can't be read."""
    import re  # Imported here: only alterations of groups come this way, and a start should not pay for it.

    number = r"([+-]?\d+)"
    form = rf"([+-]?)P(?:{number}D)?(T(?:{number}H)?(?:{number}M)?(?:([+-]?\d+)(?:[.,](\d{{0,9}}))?S)?)?"
    found = re.fullmatch(form, text, re.IGNORECASE | re.ASCII)
    if not found or found[3] in ("T", "t") or not any(found.group(2, 4, 5, 6)):
        return None
    days, hours, minutes, seconds = (int(found[i] or 0) for i in (2, 4, 5, 6))
    fraction = float(f"0.{found[7] or 0}") * (-1 if (found[6] or "").startswith("-") else 1)
    total = ((days * 24 + hours) * 60 + minutes) * 60 + seconds + fraction
    return -total if found[1] == "-" else total


SPECIAL = {
    "consumer reset": _consumer_reset,
    "gzip level": _gzip_level,
    "http servers": _http_servers,
    "no internal topic": _no_internal_topic,
    "non-empty": _non_empty,
    "non-null": _non_null,
    "offset reset": _offset_reset,
    "servers": _servers,
    "throttled replicas": _throttled_replicas,
    "voters": _voters,
}
"""Bounds that are neither a range nor a choice."""

_WORDS = {
    "consumer reset": "earliest, latest, none or by_duration:PnDTnHnMn.nS",
    "gzip level": "1 to 9, or -1",
    "http servers": "http or https addresses",
    "no internal topic": "no internal topic",
    "non-empty": "not empty",
    "non-null": "not null",
    "offset reset": "earliest, latest or by_duration:PnDTnHnMn.nS",
    "servers": "host:port pairs",
    "throttled replicas": "* or partition:broker pairs",
    "voters": "id@host:port triples",
}
