"""A WebSocket's client: reads frames as they come, and answers pings."""

from __future__ import annotations

import socket
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

TEXT, CLOSE, PING, PONG = 1, 8, 9, 10
KEY = "dGhlIHNhbXBsZSBub25jZQ=="


class WebSocket(AbstractContextManager["WebSocket"]):
    """One connection, with the key of RFC 6455's example."""

    def __init__(self, url: str, path: str, seconds: float, **headers: str) -> None:
        parts = urlsplit(url)
        assert parts.hostname is not None
        assert parts.port is not None
        self._socket = socket.create_connection((parts.hostname, parts.port), seconds)
        asked = {
            "Host": parts.netloc,
            "Upgrade": "websocket",
            "Connection": "Upgrade",
            "Sec-WebSocket-Key": KEY,
            "Sec-WebSocket-Version": "13",
            **headers,
        }
        lines = [f"GET {path} HTTP/1.1", *(f"{name}: {value}" for name, value in asked.items()), "", ""]
        self._socket.sendall("\r\n".join(lines).encode())
        self._file = self._socket.makefile("rb")
        self.status = int(self._file.readline().split()[1])
        """101 when it is open."""
        while self._file.readline().strip():
            pass

    def message(self) -> tuple[int, bytes]:
        """What comes next, besides pings: its kind, and what is in it."""
        while True:
            head = self._file.read(2)
            length = head[1]
            if length in (126, 127):
                length = int.from_bytes(self._file.read(2 if length == 126 else 8))
            content = self._file.read(length)
            if head[0] & 15 != PING:
                return head[0] & 15, content
            self.send(PONG, content)

    def send(self, kind: int, content: bytes) -> None:
        """Sends a short frame, masked with zeros."""
        self._socket.sendall(bytes([0x80 | kind, 0x80 | len(content), 0, 0, 0, 0]) + content)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()
        self._socket.close()
