"""How `consume` writes a record: as text with chosen columns, as JSON, in hexadecimal, or by a template.

JSON records are what `produce --json` reads: `consume --format json A | produce --json B` copies a topic.
"""

import base64
import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, NamedTuple, Self

_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "0": "\0", "\\": "\\"}
_TIMESTAMP_TYPES = {1: "CreateTime", 2: "LogAppendTime"}


class Json(bytes):
    """JSON's text of a key or value that was written with a schema: in JSON it is what it says, no string."""

    @classmethod
    def of(cls, value: Any) -> Self:
        """The text of a value."""
        text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
        # Half a character, which JSON may have and UTF-8 may not, stays the escape that it was.
        return cls(text.encode(errors="backslashreplace"))


class Record(NamedTuple):
    """A record that was read."""

    topic: str
    partition: int
    offset: int
    timestamp_ms: int | None
    timestamp_type: int
    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes | None]]


Formatter = Callable[[Record], bytes]


def text_formatter(
    *, offsets: bool = False, timestamps: bool = False, headers: bool = False, keys: bool = False
) -> Formatter:
    """One line with the value, after the chosen columns, separated by tabs. Bytes are written as they are."""

    def write(record: Record) -> bytes:
        columns = []
        if offsets:
            columns.append(f"{record.partition}:{record.offset}".encode())
        if timestamps:
            columns.append(_iso(record.timestamp_ms).encode())
        if headers:
            columns.append(_headers(record))
        if keys:
            columns.append(record.key or b"")
        columns.append(record.value or b"")
        return b"\t".join(columns) + b"\n"

    return write


def json_line(record: Record) -> bytes:
    """One JSON object a line. Bytes that are no UTF-8 stand as base64 under `key_base64`, `value_base64`."""
    document: dict[str, Any] = {
        "topic": record.topic,
        "partition": record.partition,
        "offset": record.offset,
        "timestamp": record.timestamp_ms,
        "timestamp_type": _TIMESTAMP_TYPES.get(record.timestamp_type),
    }
    _put(document, "key", record.key)
    _put(document, "value", record.value)
    headers = []
    for name, value in record.headers:
        header: dict[str, Any] = {"name": name}
        _put(header, "value", value)
        headers.append(header)
    document["headers"] = headers
    return json.dumps(document, ensure_ascii=False).encode(errors="backslashreplace") + b"\n"


def hex_dump(record: Record) -> bytes:
    """A heading, then key and value in lines of sixteen bytes."""
    lines = [f"{record.topic} {record.partition}:{record.offset} {_iso(record.timestamp_ms)}"]
    lines += [
        f"  header {name}: {'null' if value is None else value.hex()}" for name, value in record.headers
    ]
    for title, data in (("key", record.key), ("value", record.value)):
        lines.append(f"  {title}: null" if data is None else f"  {title}: {len(data)} bytes")
        for start in range(0, len(data or b""), 16):
            row = (data or b"")[start : start + 16]
            shown = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in row)
            lines.append(f"    {start:08x}  {row.hex(' '):<47}  {shown}")
    return "\n".join(lines).encode() + b"\n"


def template_formatter(template: str) -> Formatter:
    """A formatter for a template such as `%p:%o %k=%v\\n`. ValueError names a field that doesn't exist.

    Without `\\n` in the template each record ends its line.
    """
    parts = _template_parts(template)
    if not template.endswith("\\n"):
        parts.append(lambda _: b"\n")
    return lambda record: b"".join(part(record) for part in parts)


_FIELDS: dict[str, Formatter] = {
    "t": lambda record: record.topic.encode(),
    "p": lambda record: b"%d" % record.partition,
    "o": lambda record: b"%d" % record.offset,
    "k": lambda record: record.key or b"",
    "v": lambda record: record.value or b"",
    "K": lambda record: b"%d" % (-1 if record.key is None else len(record.key)),
    "V": lambda record: b"%d" % (-1 if record.value is None else len(record.value)),
    "h": lambda record: _headers(record),
    "T": lambda record: b"%d" % (-1 if record.timestamp_ms is None else record.timestamp_ms),
    "d": lambda record: _iso(record.timestamp_ms).encode(),
    "%": lambda _: b"%",
}

TEMPLATE_HELP = (
    "%k key, %v value, %K and %V their lengths (-1 for null), %h headers, %t topic, %p partition, "
    "%o offset, %T timestamp in ms, %d timestamp as a date, %% a percent sign; \\n \\t \\r \\0 \\\\"
)


def _template_parts(template: str) -> list[Formatter]:
    parts: list[Formatter] = []
    chars = iter(template)
    for char in chars:
        if char == "%":
            field = next(chars, "")
            if field not in _FIELDS:
                raise ValueError(f"'%{field}' is no field of a record. There are: {TEMPLATE_HELP}")
            parts.append(_FIELDS[field])
            continue
        if char == "\\":
            escape = next(chars, "")
            char = _ESCAPES.get(escape, f"\\{escape}")
        parts.append(_constant(char))
    return parts


def _constant(text: str) -> Formatter:
    data = text.encode()
    return lambda _: data


def _put(document: dict[str, Any], name: str, data: bytes | None) -> None:
    if isinstance(data, Json):
        document[name] = json.loads(data)
        return
    try:
        document[name] = None if data is None else data.decode()
    except UnicodeDecodeError:
        document[f"{name}_base64"] = base64.b64encode(data or b"").decode()


def _headers(record: Record) -> bytes:
    return b",".join(name.encode() + b"=" + (value or b"") for name, value in record.headers)


def _iso(timestamp_ms: int | None) -> str:
    if timestamp_ms is None:
        return "-"
    try:
        time = datetime.fromtimestamp(timestamp_ms / 1000, UTC)
    except (ValueError, OverflowError, OSError):
        return str(timestamp_ms)
    return time.isoformat(timespec="milliseconds").replace("+00:00", "Z")
