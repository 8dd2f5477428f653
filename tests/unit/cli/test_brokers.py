"""One broker over one connection: which version is spoken, and what is said when it can't be."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from barnabas import _core
from barnabas.cli.brokers import Broker
from barnabas.cli.connection import Connection
from barnabas.cli.errors import CommandFailed
from barnabas.protocol import ErrorCode, Message
from barnabas.protocol.generated.api_versions_response import ApiVersion, ApiVersionsResponse
from barnabas.protocol.generated.list_groups_request import ListGroupsRequest
from barnabas.protocol.generated.list_groups_response import ListedGroup, ListGroupsResponse

Answer = Callable[[int, int], bytes]
"""The response to a request of an API in a version, from behind its correlation id."""


@contextmanager
def listening(answer: Answer) -> Iterator[tuple[str, int]]:
    """A broker that takes one connection and answers until it is closed, or until it has nothing to say."""

    def serve() -> None:
        connection, _ = server.accept()
        with connection, connection.makefile("rb") as requests:
            while head := requests.read(4):
                frame = requests.read(int.from_bytes(head, "big"))
                api_key, version = int.from_bytes(frame[:2], "big"), int.from_bytes(frame[2:4], "big")
                payload = answer(api_key, version)
                if not payload:
                    return
                connection.sendall((4 + len(payload)).to_bytes(4, "big") + frame[4:8] + payload)

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=serve)
        thread.start()
        yield server.getsockname()
        thread.join()


def serving(lowest: int, highest: int) -> Answer:
    """A broker that serves ListGroups in some versions, and refuses ApiVersions above 3 as old ones do."""

    def answer(api_key: int, version: int) -> bytes:
        if api_key == ListGroupsRequest.API_KEY:
            groups = ListGroupsResponse(groups=[ListedGroup(f"version {version}")])
            return (b"\0" if version >= groups.LOWEST_FLEXIBLE_VERSION else b"") + _core.encode(
                groups, version
            )
        body: Message = ApiVersionsResponse(api_keys=[ApiVersion(ListGroupsRequest.API_KEY, lowest, highest)])
        if version > 3:
            return _core.encode(ApiVersionsResponse(error_code=ErrorCode.UNSUPPORTED_VERSION), 0)
        return _core.encode(body, version)

    return answer


def connection(**config: str) -> Connection:
    return Connection("unused", {name.replace("_", "."): value for name, value in config.items()})


@pytest.mark.parametrize(
    ("served", "spoken"), [((0, 2), 2), ((0, 99), ListGroupsRequest.HIGHEST_VERSION), ((3, 4), 4)]
)
def test_newest_version_that_both_know_is_spoken(served: tuple[int, int], spoken: int) -> None:
    with listening(serving(*served)) as address, Broker(connection(), address) as broker:
        answer = broker.ask(ListGroupsRequest(), ListGroupsResponse)
    assert [group.group_id for group in answer.groups] == [f"version {spoken}"]


def test_version_may_be_bounded_by_what_the_request_says() -> None:
    with listening(serving(0, 99)) as address, Broker(connection(), address) as broker:
        answer = broker.ask(ListGroupsRequest(), ListGroupsResponse, highest=1)
        assert answer.groups[0].group_id == "version 1"
        with pytest.raises(CommandFailed, match="does not serve ListGroups as this needs it"):
            broker.ask(ListGroupsRequest(), ListGroupsResponse, lowest=4, highest=3)


def test_broker_that_is_too_old_is_told() -> None:
    with (
        listening(serving(0, 3)) as address,
        Broker(connection(), address) as broker,
        pytest.raises(CommandFailed, match="its release is too old, or the feature is turned off"),
    ):
        broker.ask(ListGroupsRequest(), ListGroupsResponse, lowest=4)


def test_connection_that_is_closed_is_told() -> None:
    with (
        listening(lambda *_: b"") as address,
        pytest.raises(CommandFailed, match=r"Does it want TLS or SASL"),
    ):
        Broker(connection(), address)


def test_answer_that_makes_no_sense_is_told() -> None:
    nonsense = b"\0\0nonsense"
    with listening(lambda *_: nonsense) as address, pytest.raises(CommandFailed, match="can't be read"):
        Broker(connection(), address)


def test_what_is_no_broker_is_told() -> None:
    def serve() -> None:
        other, _ = server.accept()
        with other:
            other.recv(100)
            other.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=serve)
        thread.start()
        with pytest.raises(CommandFailed, match=r"is no Kafka broker, or speaks TLS"):
            Broker(connection(), server.getsockname())
        thread.join()


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"sasl_mechanisms": "GSSAPI"}, "authenticates by PLAIN or SCRAM; sasl.mechanism is GSSAPI"),
        ({}, "sasl.mechanism is not set"),
        ({"sasl_mechanisms": "PLAIN", "sasl_username": "a"}, "needs a user and a password"),
    ],
)
def test_sasl_that_is_not_spoken_here_is_refused(config: dict[str, str], message: str) -> None:
    with listening(serving(0, 4)) as address, pytest.raises(CommandFailed, match=message):
        Broker(connection(security_protocol="SASL_PLAINTEXT", **config), address)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"ssl_keystore_location": "a.p12"}, "ssl.keystore.location can't be read here: give PEM files"),
        ({"ssl_ca_location": "/nowhere.pem"}, "The certificates can't be read"),
        ({"ssl_certificate_pem": "nonsense"}, "The certificates can't be read"),
    ],
)
def test_certificates_that_can_not_be_read_are_told(config: dict[str, str], message: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, pytest.raises(CommandFailed, match=message):
        Broker(connection(security_protocol="SSL", **config), server.getsockname())
