"""How programs have numbers: in groups of seven bits, the lowest first."""

from __future__ import annotations

from collections.abc import Collection


def number(value: int) -> bytes:
    """A number of at most 32 bits."""
    found = bytearray()
    while value > 0x7F:
        found.append(value & 0x7F | 0x80)
        value >>= 7
    found.append(value)
    return bytes(found)


def places(of: Collection[int]) -> bytes:
    """Places of types, their count before them."""
    return number(len(of)) + b"".join(map(number, of))
