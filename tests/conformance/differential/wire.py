"""A client that says whatever it is told to say: one blocking connection, raw frames."""

from __future__ import annotations

import socket
import struct
from typing import Any

from barnabas import _core
from barnabas.protocol import ApiKey, Message, message_class

TIMEOUT_SECONDS = 5
CLIENT_ID = "differential"


class Closed(Exception):
    """The other side closed the connection instead of answering."""


class Silent(Exception):
    """The other side neither answered nor closed in time."""


class Connection:
    """One connection to `address`, opened when it is needed and again after it was closed."""

    def __init__(self, address: str) -> None:
        host, port = address.rsplit(":", 1)
        self.address = (host, int(port))
        self.socket: socket.socket | None = None
        self.correlation_id = 0

    def close(self) -> None:
        if self.socket is not None:
            self.socket.close()
            self.socket = None

    def ask(self, api_key: int, version: int, body: bytes, *, flexible: bool) -> bytes:
        """The response's frame after the correlation id. Raises Closed or Silent."""
        self.send(api_key, version, body, flexible=flexible)
        return self.receive()

    def send(self, api_key: int, version: int, body: bytes, *, flexible: bool) -> None:
        """Sends one request; raises Closed."""
        if self.socket is None:
            self.socket = socket.create_connection(self.address, TIMEOUT_SECONDS)
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.correlation_id += 1
        name = CLIENT_ID.encode()
        header = struct.pack(">hhih", api_key, version, self.correlation_id, len(name)) + name
        frame = header + (b"\0" if flexible else b"") + body
        try:
            self.socket.sendall(struct.pack(">i", len(frame)) + frame)
        except OSError as error:
            self.close()
            raise Closed from error

    def receive(self) -> bytes:
        """The next response's frame after the correlation id."""
        (size,) = struct.unpack(">i", self.read(4))
        frame = self.read(size)
        (correlation_id,) = struct.unpack_from(">i", frame)
        assert correlation_id == self.correlation_id, (correlation_id, self.correlation_id)
        return frame[4:]

    def read(self, size: int) -> bytes:
        assert self.socket is not None
        parts = []
        while size:
            try:
                part = self.socket.recv(min(size, 1 << 20))
            except TimeoutError as error:
                self.close()
                raise Silent from error
            except OSError as error:
                self.close()
                raise Closed from error
            if not part:
                self.close()
                raise Closed
            parts.append(part)
            size -= len(part)
        return b"".join(parts)

    def call(self, message: Message, version: int) -> Any:
        """Sends a request and reads its response."""
        flexible = version >= message.LOWEST_FLEXIBLE_VERSION
        frame = self.ask(message.API_KEY, version, _core.encode(message, version), flexible=flexible)
        return read_response(message.API_KEY, version, frame)


def read_response(api_key: int, version: int, frame: bytes) -> Any:
    """Decodes what `receive` gave. ValueError when it is not the response of that version."""
    cls = message_class(api_key, response=True)
    if api_key == ApiKey.API_VERSIONS:
        try:
            return _core.decode(cls, version, frame)
        except ValueError:
            return _core.decode(cls, 0, frame)  # an unsupported version is answered in version 0
    if version >= cls.LOWEST_FLEXIBLE_VERSION:
        assert frame[:1] == b"\0", "tagged fields in the response header"
        frame = frame[1:]
    return _core.decode(cls, version, frame)
