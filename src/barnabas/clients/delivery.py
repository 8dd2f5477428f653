"""The result of one record."""

from __future__ import annotations

import time

from barnabas._core import NativeProducer, RecordMetadata
from barnabas.errors import ClientTimeout


class Delivery:
    """What will become of a record that was sent."""

    __slots__ = ("_error", "_metadata", "_native")

    def __init__(self, native: NativeProducer) -> None:
        self._native = native
        self._metadata: RecordMetadata | None = None
        self._error: Exception | None = None

    def done(self, error: Exception | None, metadata: RecordMetadata | None) -> None:
        """Called by the producer."""
        self._error, self._metadata = error, metadata

    @property
    def is_done(self) -> bool:
        """Whether `result` would not wait."""
        return self._metadata is not None or self._error is not None

    def result(self, timeout: float | None = None) -> RecordMetadata:
        """Where the record lies. Waits for it, up to `timeout` seconds; raises why it was not delivered."""
        end = None if timeout is None else time.monotonic() + timeout
        while not self.is_done:
            left = None if end is None else end - time.monotonic()
            if left is not None and left <= 0:
                raise ClientTimeout(f"the record was not delivered in {timeout} seconds")
            # Another thread may be told of it: look again now and then.
            self._native.poll(0.05 if left is None else min(left, 0.05))
        if self._error is not None:
            raise self._error
        assert self._metadata is not None
        return self._metadata
