"""What a broker says about itself: API versions and features, which librdkafka does not pass on."""

import socket
from typing import TYPE_CHECKING

from barnabas.cli.connection import CONNECT_SECONDS_MAX, Connection, split_address
from barnabas.cli.errors import CommandFailed

if TYPE_CHECKING:
    from barnabas.protocol.generated.api_versions_response import ApiVersionsResponse

_VERSIONS = (4, 3)
"""Versions to ask in: 4 names features whose lowest level is 0 too, 3 is for brokers before 3.9."""
_UNSUPPORTED_VERSION = (35).to_bytes(2, "big")
_CORRELATION_ID = 1
_RESPONSE_BYTES_MAX = 1 << 20


def ask_api_versions(connection: Connection) -> "ApiVersionsResponse":
    """The answer of the first bootstrap server that takes a connection. Raises CommandFailed."""
    from barnabas import _core
    from barnabas.protocol.generated.api_versions_response import ApiVersionsResponse

    if connection.config.get("security.protocol", "PLAINTEXT").upper() != "PLAINTEXT":
        raise CommandFailed("Features and API versions can be asked for over PLAINTEXT only, for now.")
    version, payload = 0, b""
    for version in _VERSIONS:
        payload = _exchange(connection, _request(version))
        if not payload.startswith(_UNSUPPORTED_VERSION):
            break
    try:
        response = _core.decode(ApiVersionsResponse, version, payload)
    except ValueError as error:
        raise CommandFailed(f"The broker's answer can't be read: {error}.") from error
    assert isinstance(response, ApiVersionsResponse)
    return response


def _request(version: int) -> bytes:
    from barnabas import _core
    from barnabas.protocol.generated.api_versions_request import ApiVersionsRequest

    client_id = b"barnabas-cli"
    header = ApiVersionsRequest.API_KEY.to_bytes(2, "big") + version.to_bytes(2, "big")
    header += _CORRELATION_ID.to_bytes(4, "big") + len(client_id).to_bytes(2, "big") + client_id + b"\0"
    body = _core.encode(
        ApiVersionsRequest(client_software_name="barnabas-cli", client_software_version="1"), version
    )
    return (len(header) + len(body)).to_bytes(4, "big") + header + body


def _exchange(connection: Connection, request: bytes) -> bytes:
    """Sends a request; the body of its response."""
    problem: OSError | None = None
    for server in connection.bootstrap.split(","):
        try:
            with socket.create_connection(split_address(server.strip()), CONNECT_SECONDS_MAX) as broker:
                broker.sendall(request)
                size = int.from_bytes(_receive(broker, 4), "big")
                if not 4 <= size <= _RESPONSE_BYTES_MAX:
                    raise CommandFailed(f"What listens at {server} is no Kafka broker.")
                return _receive(broker, size)[4:]
        except OSError as error:
            problem = error
    raise CommandFailed(f"The cluster at {connection.bootstrap} does not answer: {problem}.")


def _receive(broker: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        part = broker.recv(count - len(data))
        if not part:
            raise ConnectionResetError("the connection was closed")
        data += part
    return data
