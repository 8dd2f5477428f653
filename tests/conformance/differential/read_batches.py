"""Batches of a Fetch response as plain values, without what each cluster chooses for itself."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Callable
from typing import Any

from barnabas import _core

HEADER_SIZE = 61
LOG_APPEND_TIME = 0x08
DECOMPRESSED_MAX = 16 << 20


def read_batches(data: bytes | None, producer: Callable[[int], Any]) -> Any:
    """One dictionary for each batch, and the number of bytes of a last one that was cut."""
    if data is None:
        return None
    batches: list[Any] = []
    place = 0
    while place + 12 <= len(data):
        _, length = struct.unpack_from(">qi", data, place)
        if place + 12 + length > len(data):
            break
        batches.append(_batch(data[place : place + 12 + length], producer))
        place += 12 + length
    if place < len(data):
        batches.append({"cut": len(data) - place})
    return batches


def _batch(data: bytes, producer: Callable[[int], Any]) -> dict[str, Any]:
    offset, length, leader_epoch, magic, _crc, attributes, last, base, highest = struct.unpack_from(
        ">qiibIhiqq", data
    )
    producer_id, epoch, sequence, count = struct.unpack_from(">qhii", data, 43)
    append_time, codec = bool(attributes & LOG_APPEND_TIME), attributes & 7
    body = data[HEADER_SIZE:]
    return {
        "base_offset": offset,
        "length": length if codec == 0 else None,  # two implementations of a codec pack differently
        "leader_epoch": leader_epoch,
        "magic": magic,
        "attributes": attributes,
        "last_offset_delta": last,
        "base_timestamp": None if append_time else base,
        "max_timestamp": None if append_time else highest,
        "producer_id": producer(producer_id),
        "producer_epoch": epoch,
        "base_sequence": sequence,
        "count": count,
        "records": hashlib.sha1(_core.decompress(codec, body, DECOMPRESSED_MAX)).hexdigest(),
    }
