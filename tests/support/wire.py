"""A client of single requests: our own message classes over a blocking socket."""

import socket
import struct
from typing import Any

from barnabas import _core
from barnabas.protocol import Message, message_class

SECONDS_MAX = 20.0
CLIENT_ID = "tests"


class Connection:
    """One connection. `request` sends a message and reads its response."""

    def __init__(self, bootstrap: str) -> None:
        host, port = bootstrap.rsplit(":", 1)
        self.socket = socket.create_connection((host, int(port)), SECONDS_MAX)
        self._correlation_id = 0

    def __enter__(self) -> "Connection":
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def header(self, api_key: int, version: int) -> bytes:
        """A request header as `request` would send it."""
        self._correlation_id += 1
        client_id = CLIENT_ID.encode()
        fields = struct.pack(">hhih", api_key, version, self._correlation_id, len(client_id)) + client_id
        flexible = version >= message_class(api_key, response=False).LOWEST_FLEXIBLE_VERSION
        return fields + (b"\0" if flexible else b"")

    def send_frame(self, frame: bytes) -> None:
        self.socket.sendall(struct.pack(">i", len(frame)) + frame)

    def receive_frame(self) -> bytes | None:
        """The next response; None when the other side has closed."""
        head = self._receive(4)
        return None if head is None else self._receive(struct.unpack(">i", head)[0])

    def _receive(self, size: int) -> bytes | None:
        data = b""
        while len(data) < size:
            try:
                part = self.socket.recv(size - len(data))
            except ConnectionResetError:
                part = b""
            if not part:
                return None
            data += part
        return data

    def request(self, message: Message, version: int) -> Any:
        """The response; None when the other side has closed."""
        key = message.API_KEY
        self.send_frame(self.header(key, version) + _core.encode(message, version))
        frame = self.receive_frame()
        if frame is None:
            return None
        flexible = version >= message_class(key, response=True).LOWEST_FLEXIBLE_VERSION
        # ApiVersions keeps the old response header for good.
        skipped = 5 if flexible and key != 18 else 4
        return _core.decode(message_class(key, response=True), version, frame[skipped:])
