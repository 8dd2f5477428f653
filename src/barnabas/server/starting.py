"""How a node comes up: the native half starts while Python imports, and clients are let in before there is an
event loop.

Most of a start is waiting for the disk, and most of what else it takes is imports: side by side they cost no
more than the longer of the two. What the native half answers by itself, Produce and Fetch among it, needs no
event loop, whose modules are imported last; requests that Python answers wait so long.
"""

from __future__ import annotations

import logging
import threading
from importlib import import_module
from typing import TYPE_CHECKING

from barnabas import _core
from barnabas.config.listeners import format_address
from barnabas.server.native import AppliedConfigs, native_settings

if TYPE_CHECKING:
    from barnabas.config.settings import BrokerSettings

logger = logging.getLogger("barnabas")

IMPORTED_MEANWHILE = (
    "barnabas.server.lifecycle",
    "asyncio",
    "barnabas.server.node",
    "barnabas.server.handlers.create_topics",
    "barnabas.server.handlers.metadata",
)
"""What is needed at once, what the event loop needs, and handlers of the requests that come first where there
is no topic yet."""


class NativeStart:
    """The native node, and how far it has come up."""

    def __init__(self, settings: BrokerSettings, *, memory: bool | _core.MemoryDisk) -> None:
        self.native = _core.Node(native_settings(settings, memory=memory))
        self.configs = AppliedConfigs(settings, self.native)
        self.addresses: list[tuple[str, str, int]] = []
        """(name, host, port) of the listeners, as they are bound."""
        self._settings = settings
        self._serves = False
        self._thread: threading.Thread | None = None
        self._failure: BaseException | None = None

    def begin(self) -> None:
        """Starts the native half in the background."""
        self._thread = threading.Thread(target=self._start, name="start")
        self._thread.start()

    def bring_up(self) -> None:
        """Becomes the active controller, registers the broker, lets clients in, unless that is done. What
        Python is asked for waits for the event loop. Raises StartError."""
        if self._serves:
            return
        self._import_meanwhile()
        self._finish()
        from barnabas.server import lifecycle

        try:
            self.addresses = self.native.bind()
            self.configs.apply()
            self._serve_metrics()
            lifecycle.activate(self._settings, self.native, self.addresses)
            self.native.serve()
        except BaseException:
            self.native.stop()
            raise
        self._serves = True

    def _import_meanwhile(self) -> None:
        """Imports as long as there is nothing better to do."""
        for module in IMPORTED_MEANWHILE:
            if self._thread is not None and self._thread.is_alive():
                import_module(module)

    def _finish(self) -> None:
        """Returns once the native half has started."""
        if self._thread is None:
            self.native.start()
            return
        self._thread.join()
        if self._failure is not None:
            raise self._failure

    def _start(self) -> None:
        try:
            self.native.start()
        except BaseException as error:  # Raised again by `_finish`.
            self._failure = error

    def _serve_metrics(self) -> None:
        """Opens the port of `/metrics`, if there is to be one. A broker without it is better than none."""
        from barnabas.server.errors import StartError

        settings = self._settings
        port = settings.get_int("barnabas.metrics.port")
        if port < 0:
            return
        try:
            host = settings.get_str("barnabas.metrics.host")
            port = self.native.serve_metrics(host, port)
            logger.info("metrics are at http://%s/metrics", format_address(host, port))
        except StartError as error:
            logger.warning("no metrics are served: %s", error)
            port = -1
        settings.note("barnabas.metrics.port", str(port))
