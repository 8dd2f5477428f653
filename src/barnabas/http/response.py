"""A response, as handlers give it."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from barnabas._core import compact_json


@dataclass(slots=True)
class Response:
    """Status, body and headers."""

    status: int = 200
    body: bytes = b""
    content_type: str = "application/json"
    headers: dict[str, str] = field(default_factory=dict)
    publish: bool = False
    """Whether the very same request gets this response from now on without being asked about again, until the
    service withdraws what it published."""


_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def json_bytes(value: Any) -> bytes:
    """`value` as JSON, without spaces."""
    plain = compact_json(value)
    return _encode(value).encode() if plain is None else plain
