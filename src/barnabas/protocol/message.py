"""The bases of all messages: plain values with slots, compared by value, readable when printed."""

from __future__ import annotations

from typing import Any, ClassVar

BYTES_SHOWN_MAX = 32


class Struct:
    """Part of a message. Mutable, so not hashable."""

    __slots__: tuple[str, ...] = ()

    __hash__ = None  # type: ignore[assignment]

    def __eq__(self, other: object) -> bool:
        if type(self) is not type(other):
            return NotImplemented
        return all(getattr(self, name) == getattr(other, name) for name in self.__slots__)

    def __repr__(self) -> str:
        fields = ", ".join(f"{name}={shown(getattr(self, name))}" for name in self.__slots__)
        return f"{type(self).__name__}({fields})"


class Message(Struct):
    """A request, response or record of Kafka, in all its versions."""

    __slots__: tuple[str, ...] = ()

    API_KEY: ClassVar[int] = -1
    """The API of a request or response; -1 for everything else."""
    RECORD_TYPE: ClassVar[int] = -1
    """The type of a metadata or coordinator record; -1 for everything else."""
    LOWEST_VERSION: ClassVar[int] = 0
    HIGHEST_VERSION: ClassVar[int] = 0
    LOWEST_FLEXIBLE_VERSION: ClassVar[int] = 32767
    """From this version on lengths are compact and fields may be tagged."""


def shown(value: Any) -> str:
    """A value as `repr` has it, long bytes cut short."""
    if isinstance(value, bytes) and len(value) > BYTES_SHOWN_MAX:
        return f"<{len(value)} bytes>"
    return repr(value)
