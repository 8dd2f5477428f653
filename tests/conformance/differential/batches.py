"""Record batches as a producer makes them, and as a broken one does."""

from __future__ import annotations

import gzip
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

NO_TIMESTAMP = -1
GZIP, SNAPPY, LZ4, ZSTD = 1, 2, 3, 4
CODEC = 0x07
TRANSACTIONAL, CONTROL, LOG_APPEND_TIME, HAS_DELETE_HORIZON = 0x10, 0x20, 0x08, 0x40

MUTATIONS = (
    "crc", "count+1", "count-1", "count0", "count-negative", "last_offset_delta", "length+1", "length-1",
    "cut", "trailing", "offset_delta", "empty", "garbage", "base_offset", "leader_epoch", "bad_codec",
    "record_length", "record_attributes", "headers-negative", "max_timestamp", "delta-timestamp",
)  # fmt: skip


def _table() -> list[int]:
    table = []
    for value in range(256):
        for _ in range(8):
            value = value >> 1 ^ (0x82F63B78 if value & 1 else 0)
        table.append(value)
    return table


_CRC = _table()


def crc32c(data: bytes) -> int:
    crc = 0xFFFFFFFF
    for byte in data:
        crc = _CRC[(crc ^ byte) & 0xFF] ^ crc >> 8
    return crc ^ 0xFFFFFFFF


def varint(value: int) -> bytes:
    """A signed number, zig-zag, seven bits a byte."""
    return unsigned((value << 1) ^ (value >> 63) if value < 0 else value << 1)


def unsigned(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def compressed(codec: int, data: bytes) -> bytes:
    """A valid stream of the codec; all but gzip store the bytes as they are."""
    match codec:
        case 1:
            return gzip.compress(data, mtime=0)
        case 2:
            out = unsigned(len(data))
            for start in range(0, len(data), 60):
                part = data[start : start + 60]
                out += bytes([(len(part) - 1) << 2]) + part
            return out
        case 3:
            flags = b"\x60\x40"  # version 1, independent blocks of at most 64 KiB
            check = bytes([_xxh32(flags) >> 8 & 0xFF])
            blocks = b"".join(
                struct.pack("<I", len(part) | 1 << 31) + part
                for part in (data[start : start + 65536] for start in range(0, len(data), 65536))
            )
            return b"\x04\x22\x4d\x18" + flags + check + blocks + bytes(4)
        case 4:
            header = b"\x28\xb5\x2f\xfd" + b"\xa0" + struct.pack("<I", len(data))
            return header + struct.pack("<I", len(data) << 3 | 1)[:3] + data
    return data


def _xxh32(data: bytes) -> int:
    """xxHash32 of fewer than four bytes, seed 0."""
    mask = 0xFFFFFFFF
    value = 374761393 + len(data)
    for byte in data:
        value = value + byte * 374761393 & mask
        value = (value << 11 | value >> 21) & mask
        value = value * 2654435761 & mask
    value = (value ^ value >> 15) * 2246822519 & mask
    value = (value ^ value >> 13) * 3266489917 & mask
    return value ^ value >> 16


@dataclass(frozen=True)
class Record:
    key: bytes | None
    value: bytes | None
    timestamp_delta: int = 0
    headers: tuple[tuple[str, bytes | None], ...] = ()

    def encode(self, offset_delta: int, mutation: str) -> bytes:
        body = b"\x01" if mutation == "record_attributes" else b"\0"
        body += varint(self.timestamp_delta) + varint(offset_delta)
        for part in (self.key, self.value):
            body += varint(-1) if part is None else varint(len(part)) + part
        body += varint(-1 if mutation == "headers-negative" else len(self.headers))
        for name, value in self.headers:
            body += varint(len(name.encode())) + name.encode()
            body += varint(-1) if value is None else varint(len(value)) + value
        return varint(len(body) + (1 if mutation == "record_length" else 0)) + body


@dataclass(frozen=True)
class Batch:
    """A batch of magic 2, whole unless `mutation` says what is wrong with it."""

    records: tuple[Record, ...]
    timestamp: int
    attributes: int = 0
    producer: Any = -1
    epoch: int = -1
    sequence: int = -1
    magic: int = 2
    mutation: str = ""

    def encode(self, resolve: Callable[[Any], Any]) -> bytes:
        if self.mutation == "empty":
            return b""
        if self.mutation == "garbage":
            return bytes(range(80))
        if self.magic < 2:
            return self.encode_old()
        wrong, records = self.mutation, self.records
        count, last = len(records), len(records) - 1
        count = {"count+1": count + 1, "count-1": count - 1, "count0": 0, "count-negative": -1}.get(
            wrong, count
        )
        last += 3 if wrong == "last_offset_delta" else 0
        body = b"".join(
            record.encode(index + (1 if wrong == "offset_delta" else 0), wrong)
            for index, record in enumerate(records)
        )
        highest = self.timestamp + max((record.timestamp_delta for record in records), default=0)
        if self.timestamp == NO_TIMESTAMP:
            highest = NO_TIMESTAMP
        highest += 5 if wrong == "max_timestamp" else 0
        attributes = self.attributes | (7 if wrong == "bad_codec" else 0)
        tail = struct.pack(
            ">hiqqqhii", attributes, last, self.timestamp, highest,
            resolve(self.producer), self.epoch, self.sequence, count,
        )  # fmt: skip
        tail += compressed(self.attributes & 7, body)
        crc = crc32c(tail) ^ (1 if wrong == "crc" else 0)
        rest = struct.pack(">ibI", 7 if wrong == "leader_epoch" else -1, self.magic, crc) + tail
        length = len(rest) + {"length+1": 1, "length-1": -1}.get(wrong, 0)
        made = struct.pack(">qi", 5 if wrong == "base_offset" else 0, length) + rest
        return made[:-3] if wrong == "cut" else made + bytes(5) if wrong == "trailing" else made

    def encode_old(self) -> bytes:
        """Messages of magic 0 or 1."""
        out = b""
        for index, record in enumerate(self.records):
            rest = struct.pack(">bb", self.magic, 0)
            rest += struct.pack(">q", self.timestamp) if self.magic == 1 else b""
            for part in (record.key, record.value):
                rest += struct.pack(">i", -1) if part is None else struct.pack(">i", len(part)) + part
            rest = struct.pack(">I", zlib.crc32(rest)) + rest
            out += struct.pack(">qi", index, len(rest)) + rest
        return out


@dataclass(frozen=True)
class Records:
    """What stands in one partition of a Produce request."""

    batches: tuple[Batch, ...]

    def encode(self, resolve: Callable[[Any], Any]) -> bytes:
        return b"".join(batch.encode(resolve) for batch in self.batches)
