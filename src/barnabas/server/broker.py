"""A node in this process: `with barnabas.Broker() as broker`."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from barnabas.config.settings import BrokerSettings

if TYPE_CHECKING:
    from barnabas.server.node import NodeServer

STOP_SECONDS_MAX = 30.0


class Broker:
    """A broker and controller in this process, on a free port, in memory unless a directory is named.

    Ready when the `with` block is entered, gone when it is left; any number may run side by side.

    >>> from barnabas import Broker
    >>> with Broker() as broker:
    ...     host, port = broker.bootstrap.split(":")
    >>> host
    '127.0.0.1'
    """

    def __init__(
        self,
        directory: str | Path | None = None,
        *,
        port: int = 0,
        host: str = "127.0.0.1",
        settings: Mapping[str, str] | None = None,
    ) -> None:
        """A node with `settings` (Kafka's names and texts) that keeps its data in `directory`, or in memory.

        `port` 0 takes a free one. Raises ConfigError for settings that can't be used.
        """
        texts = {"listeners": f"PLAINTEXT://{host}:{port}", **(settings or {})}
        if directory is not None:
            texts["log.dirs"] = str(directory)
        self._settings = BrokerSettings(texts)
        self._memory = directory is None
        self._server: NodeServer | None = None
        self._thread: threading.Thread | None = None

    def start(self) -> Broker:
        """Starts the node; it serves when this returns. Raises StartError."""
        from barnabas.server.node import NodeServer

        if self._server is not None:
            raise RuntimeError("the broker is running")
        server = NodeServer(self._settings, memory=self._memory)
        server.start()
        self._server = server
        self._thread = threading.Thread(target=server.run, name="barnabas", daemon=True)
        self._thread.start()
        return self

    def stop(self) -> None:
        """Stops the node cleanly. Stopping twice does nothing."""
        server, self._server = self._server, None
        if server is not None and self._thread is not None:
            server.request_stop()
            self._thread.join(STOP_SECONDS_MAX)

    @property
    def bootstrap(self) -> str:
        """host:port, as clients take it for `bootstrap.servers`."""
        return self._running.bootstrap

    @property
    def cluster_id(self) -> str:
        """Id of the cluster."""
        return self._running.cluster_id

    @property
    def _running(self) -> NodeServer:
        if self._server is None:
            raise RuntimeError("the broker is not running")
        return self._server

    def __enter__(self) -> Broker:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()
