"""One broker, asked over one connection: request, response, in the newest version that both know."""

from __future__ import annotations

import socket
import struct
from types import TracebackType
from typing import TypeVar

from barnabas import _core
from barnabas.cli.brokers.sasl import authenticate
from barnabas.cli.brokers.tls import encrypted
from barnabas.cli.connection import CONNECT_SECONDS_MAX, REQUEST_SECONDS_MAX, Connection
from barnabas.cli.errors import CommandFailed
from barnabas.errors import KafkaError
from barnabas.protocol import ErrorCode, Message
from barnabas.protocol.generated.api_versions_request import ApiVersionsRequest
from barnabas.protocol.generated.api_versions_response import ApiVersion, ApiVersionsResponse
from barnabas.protocol.generated.index import API_NAMES

RESPONSE_BYTES_MAX = 256 << 20
CLIENT_ID = "barnabas-cli"
_ANY_VERSION = 32767
_API_VERSIONS_VERSIONS = (4, 3)
"""Versions to ask in: 4 names features whose lowest level is 0 too, 3 is for brokers before 3.9."""

Response = TypeVar("Response", bound=Message)


class Broker:
    """A context that ends with the connection. What fails below Kafka's protocol is CommandFailed."""

    def __init__(self, connection: Connection, address: tuple[str, int]) -> None:
        self.name = f"{address[0]}:{address[1]}"
        self._correlation_id = 0
        self._served: dict[int, ApiVersion] = {}
        security = connection.config.get("security.protocol", "PLAINTEXT").upper()
        try:
            self._socket = socket.create_connection(address, CONNECT_SECONDS_MAX)
        except OSError as error:
            raise CommandFailed(f"The broker at {self.name} can't be reached: {error}.") from error
        try:
            self._socket.settimeout(REQUEST_SECONDS_MAX)
            if security in ("SSL", "SASL_SSL"):
                self._socket = encrypted(self._socket, address[0], connection.config)
            self.api_versions = self._ask_api_versions()
            self._served = {api.api_key: api for api in self.api_versions.api_keys}
            if security in ("SASL_PLAINTEXT", "SASL_SSL"):
                authenticate(self, connection.config)
        except CommandFailed:
            self.close()
            raise

    def __enter__(self) -> Broker:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self._socket.close()

    def ask(
        self, request: Message, response: type[Response], *, lowest: int = 0, highest: int = _ANY_VERSION
    ) -> Response:
        """The answer, of class `response`. The request needs version `lowest` to say what it says, and is
        written for versions up to `highest`."""
        served = self._served.get(request.API_KEY)
        lowest = max(lowest, request.LOWEST_VERSION, served.min_version if served else 0)
        highest = min(highest, request.HIGHEST_VERSION, served.max_version if served else -1)
        if lowest > highest:
            raise CommandFailed(
                f"The broker at {self.name} does not serve {API_NAMES[request.API_KEY]} as this needs it: "
                "its release is too old, or the feature is turned off. `barnabas cluster --apis` shows both."
            )
        return self._exchange(request, response, highest)

    def _ask_api_versions(self) -> ApiVersionsResponse:
        request = ApiVersionsRequest(client_software_name=CLIENT_ID, client_software_version="1")
        for version in _API_VERSIONS_VERSIONS:
            payload = self._send(request, version)
            code = int.from_bytes(payload[:2], "big", signed=True)
            if code != ErrorCode.UNSUPPORTED_VERSION:
                break
        if code:
            raise CommandFailed(f"The broker at {self.name} refuses to talk: {KafkaError.for_code(code)}")
        return self._decode(ApiVersionsResponse, version, payload)

    def _exchange(self, request: Message, response: type[Response], version: int) -> Response:
        payload = self._send(request, version)
        if version >= response.LOWEST_FLEXIBLE_VERSION:
            payload = payload[1:]  # No tagged field of a response header is known so far.
        return self._decode(response, version, payload)

    def _send(self, request: Message, version: int) -> bytes:
        """The response to a request, from behind its correlation id."""
        self._correlation_id += 1
        client_id = CLIENT_ID.encode()
        head = (
            struct.pack(">hhih", request.API_KEY, version, self._correlation_id, len(client_id)) + client_id
        )
        if version >= request.LOWEST_FLEXIBLE_VERSION:
            head += b"\0"
        body = _core.encode(request, version)
        try:
            self._socket.sendall((len(head) + len(body)).to_bytes(4, "big") + head + body)
            size = int.from_bytes(self._receive(4), "big")
            if not 4 <= size <= RESPONSE_BYTES_MAX:
                raise CommandFailed(f"What listens at {self.name} is no Kafka broker, or speaks TLS.")
            answer = self._receive(size)
        except TimeoutError as error:
            raise CommandFailed(
                f"The broker at {self.name} has not answered for {REQUEST_SECONDS_MAX:.0f} seconds."
            ) from error
        except OSError as error:
            raise CommandFailed(
                f"The broker at {self.name} has broken off: {error}. Does it want TLS or SASL "
                "(security.protocol in --command-config)?"
            ) from error
        return answer[4:]

    def _receive(self, count: int) -> bytes:
        data = bytearray()
        while len(data) < count:
            part = self._socket.recv(min(count - len(data), 1 << 20))
            if not part:
                raise ConnectionResetError("the connection was closed")
            data += part
        return bytes(data)

    def _decode(self, response: type[Response], version: int, payload: bytes) -> Response:
        try:
            message = _core.decode(response, version, payload)
        except ValueError as error:
            raise CommandFailed(f"The answer of the broker at {self.name} can't be read: {error}.") from error
        assert isinstance(message, response)
        return message
