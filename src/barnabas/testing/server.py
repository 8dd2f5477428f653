"""The broker of a test: a node in a thread of this process, which can be stopped, killed and started again on
what it has written.
"""

from __future__ import annotations

import asyncio
import socket
import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from barnabas import _core
from barnabas.config.settings import BrokerSettings
from barnabas.errors import KafkaError, UnknownTopicOrPartition
from barnabas.protocol import Message
from barnabas.server import dispatch
from barnabas.server.node import NodeServer
from barnabas.testing.clock import MovableLoop

HOST = "127.0.0.1"
STOP_SECONDS_MAX = 30.0
ANSWER_SECONDS_MAX = 30.0
CLIENT_ID = "barnabas-testing"
"""Client id of the kit's own requests, which faults spare."""
EARLIEST = -2
"""The timestamp that stands for a partition's start."""
READ_BYTES = 1 << 20
ATTRIBUTES_AT = 22
"""Where a record batch has the low byte of its attributes."""
CONTROL = 0x20
"""The bit of a batch that says how a transaction has ended."""
DEFAULTS = {
    "num.network.threads": "1",
    "offsets.topic.num.partitions": "1",
    "transaction.state.log.num.partitions": "1",
    "share.coordinator.state.topic.num.partitions": "1",
    "barnabas.metrics.port": "-1",
}
"""What suits a broker that lives for one test."""


@dataclass(frozen=True, slots=True)
class LocalRequest:
    """A request of the kit itself, which needs no connection."""

    body: Message
    api_key: int
    api_version: int
    id: int = 0
    correlation_id: int = 0
    client_id: str | None = CLIENT_ID
    listener: str = "PLAINTEXT"
    client_address: str = f"{HOST}:0"
    connection: int = 0


class TestBroker:
    """A node, its thread, and the files that outlive it."""

    __test__ = False  # Not a class of tests, whatever its name begins with.

    def __init__(self, settings: Mapping[str, str], directory: str | Path | None) -> None:
        """`directory`: None for files in memory."""
        self._texts = {**DEFAULTS, **settings}
        if directory is not None:
            self._texts["log.dirs"] = str(directory)
        self._memory: bool | _core.MemoryDisk = _core.MemoryDisk() if directory is None else False
        self._held: socket.socket | None = None
        self._port = 0
        self._thread: threading.Thread | None = None
        self._loop: MovableLoop | None = None
        self.server: NodeServer | None = None

    @property
    def loop(self) -> MovableLoop:
        """The loop of the node's thread. RuntimeError before the first start."""
        if self._loop is None:
            raise RuntimeError("the broker is not running")
        return self._loop

    @property
    def bootstrap(self) -> str:
        """host:port, the same after a restart."""
        return f"{HOST}:{self._port}"

    def start(self, ahead_ms: int) -> None:
        """Starts the node on what there is; its clock is so far ahead. Raises StartError."""
        if self.server is not None:
            raise RuntimeError("the broker is running")
        if self._held is None and sys.platform == "linux":
            self._held, self._port = _hold_port()
        texts = {"listeners": f"PLAINTEXT://{HOST}:{self._port}", **self._texts}
        settings = BrokerSettings(texts)
        loop = self._loop = MovableLoop()
        loop.ahead = ahead_ms / 1000
        server = NodeServer(settings, memory=self._memory, loop=loop)
        _core.advance_clock(server.native, ahead_ms)
        try:
            server.start()
        except BaseException:
            loop.close()
            raise
        self._port = int(server.bootstrap.rpartition(":")[2])
        self._thread = threading.Thread(target=server.run, name="barnabas", daemon=True)
        self._thread.start()
        self.server = server

    def stop(self, *, kill: bool = False) -> None:
        """Ends the node, cleanly or as a kill of its process would. Its files and its port stay."""
        server, self.server = self.server, None
        if server is None or self._thread is None:
            return
        if kill:
            server.kill()
        else:
            server.request_stop()
        self._thread.join(STOP_SECONDS_MAX)
        if self._thread.is_alive():
            raise TimeoutError(f"the broker did not stop within {STOP_SECONDS_MAX:.0f} s")

    def close(self) -> None:
        """Ends the node and gives the port back. Files in memory need no clean end, for which requests in
        hand would be waited for."""
        self.stop(kill=not isinstance(self._memory, bool))
        if self._held is not None:
            self._held.close()
            self._held = None

    def ask(self, request: Message, version: int | None = None) -> Any:
        """The node's answer to a request that Python answers. Raises KafkaError where it fails as a whole."""
        server = self.server
        if server is None:
            raise RuntimeError("the broker is not running")
        local = LocalRequest(
            request, request.API_KEY, request.HIGHEST_VERSION if version is None else version
        )
        future = asyncio.run_coroutine_threadsafe(self._answer(server, local), self.loop)
        return future.result(ANSWER_SECONDS_MAX)

    def visible_end(self, topic: str, partition: int) -> int:
        """The offset behind the last record that consumers get who read what is committed. What follows, such
        as ends of transactions, is given to nobody, so that nobody can wait for it."""
        if self.server is None:
            raise RuntimeError("the broker is not running")
        native = self.server.native
        found = self.server.image().topic(topic)
        if found is None:
            raise UnknownTopicOrPartition(f"There is no topic {topic}.")
        visible = 0
        code, offset = native.share_offset(found.id, partition, EARLIEST, True)
        while not code:
            code, _, _, data, batches = native.read_for_share(found.id, partition, offset, READ_BYTES, True)
            if not batches and not code:
                return visible
            begin = 0
            for _, last_offset, end, aborted in batches:
                offset = last_offset + 1
                if not aborted and not data[begin + ATTRIBUTES_AT] & CONTROL:
                    visible = offset
                begin = end
        raise KafkaError.for_code(code)

    def call(self, function: Any, *arguments: Any) -> Any:
        """What a function gives that is called in the node's loop."""

        async def called() -> Any:
            return function(*arguments)

        return asyncio.run_coroutine_threadsafe(called(), self.loop).result(ANSWER_SECONDS_MAX)

    @staticmethod
    async def _answer(server: NodeServer, request: Any) -> Any:
        response = await dispatch.answer(server, request)
        code = getattr(response, "error_code", 0)
        if code:
            raise KafkaError.for_code(code, getattr(response, "error_message", None))
        return response


def _hold_port() -> tuple[socket.socket, int]:
    """A port that the kernel gives to nobody else while the socket is there. On Linux others that say
    SO_REUSEADDR may still listen on it, as long as the socket does not."""
    held = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    held.bind((HOST, 0))
    return held, held.getsockname()[1]
