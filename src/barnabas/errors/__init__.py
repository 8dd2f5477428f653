"""What barnabas raises: `BarnabasError`, and below it a `KafkaError` for each error code of the protocol.

The subclasses (`TopicAlreadyExists`, `InvalidRequest`, …) are named after their codes and imported from here;
they are made when the first of them is asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from barnabas.errors.by_code import *  # noqa: F403

NO_ERROR = 0
UNKNOWN_SERVER_ERROR = -1


class BarnabasError(Exception):
    """Root of all errors that barnabas raises on purpose."""


class ConfigError(BarnabasError):
    """A configuration that can't be used."""


class ClientTimeout(BarnabasError, TimeoutError):
    """Nothing came of it in time."""


class BufferFull(BarnabasError, BufferError):
    """A producer's `buffer.memory` had no room for `max.block.ms`."""


class NoOffset(BarnabasError):
    """A consumer has no position, and `auto.offset.reset` is `none`."""


class LogTruncation(NoOffset):
    """What a consumer has read is not in the log any more, and `auto.offset.reset` is `none` (KIP-320)."""

    def __init__(self, message: str, divergent_offset: int) -> None:
        super().__init__(message)
        self.divergent_offset = divergent_offset
        """The first offset at which the log differs from what was read; -1 where nobody knows."""


class TlsFailed(BarnabasError, ConnectionError):
    """Client and broker don't trust or understand each other."""


class ClientClosed(BarnabasError):
    """The client is closed."""


class TransactionAborted(BarnabasError):
    """What was part of a transaction that is not committed."""


class ForkedClient(BarnabasError):
    """The client was made before this process was forked off."""


class KafkaError(BarnabasError):
    """An error that the protocol has a code for. Without a message it has the text of its code."""

    error_code: ClassVar[int] = UNKNOWN_SERVER_ERROR
    retriable: ClassVar[bool] = False
    """Whether the same request may succeed later."""

    def __init__(self, message: str | None = None) -> None:
        self.message = message if message is not None else (type(self).__doc__ or "")
        super().__init__(self.message)

    @staticmethod
    def for_code(code: int, message: str | None = None) -> KafkaError:
        """The exception of an error code; for an unknown code, UnknownServerError with the number."""
        from barnabas.errors.by_code import BY_CODE

        if code == NO_ERROR:
            raise ValueError("error code 0 says that there is no error")
        if found := BY_CODE.get(code):
            return found(message)
        text = f"error code {code}" if message is None else f"error code {code}: {message}"
        return BY_CODE[UNKNOWN_SERVER_ERROR](text)


if not TYPE_CHECKING:  # A type checker sees the names above, and refuses others.

    def __getattr__(name: str) -> Any:
        if name[:1].isupper():
            from barnabas.errors import by_code

            if hasattr(by_code, name):
                return getattr(by_code, name)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
