"""The native half of a node, which starts while Python imports the other one.

Most of a start is waiting for the disk, and most of what else it takes is imports: side by side they cost no
more than the longer of the two.
"""

from __future__ import annotations

import threading
from importlib import import_module
from typing import TYPE_CHECKING

from barnabas import _core
from barnabas.server.native import native_settings

if TYPE_CHECKING:
    from barnabas.config.settings import BrokerSettings

FIRST_ASKED = ("barnabas.server.handlers.create_topics", "barnabas.server.handlers.metadata")
"""Handlers of the requests that come first where there is no topic yet."""


class NativeStart:
    """The native node, and the thread that starts it."""

    def __init__(self, settings: BrokerSettings, *, memory: bool | _core.MemoryDisk) -> None:
        self.native = _core.Node(native_settings(settings, memory=memory))
        self._thread: threading.Thread | None = None
        self._failure: BaseException | None = None

    def begin(self) -> None:
        """Starts it in the background."""
        self._thread = threading.Thread(target=self._start, name="start")
        self._thread.start()

    def import_meanwhile(self) -> None:
        """Imports what the first requests are likely to need, as long as there is nothing better to do."""
        for module in FIRST_ASKED:
            if self._thread is not None and self._thread.is_alive():
                import_module(module)

    def finish(self) -> None:
        """Returns once it has started. Raises StartError."""
        if self._thread is None:
            self.native.start()
            return
        self._thread.join()
        if self._failure is not None:
            raise self._failure

    def _start(self) -> None:
        try:
            self.native.start()
        except BaseException as error:  # Raised again by `finish`.
            self._failure = error
