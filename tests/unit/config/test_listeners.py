"""Addresses that a node listens on and tells its clients."""

import pytest

from barnabas.config import BrokerSettings, InvalidValue, Listener


def settings(listeners: str, advertised: str | None = None, **more: str) -> BrokerSettings:
    texts = {"listeners": listeners, **{name.replace("_", "."): value for name, value in more.items()}}
    if advertised is not None:
        texts["advertised.listeners"] = advertised
    return BrokerSettings(texts)


@pytest.mark.parametrize(
    ("text", "listener"),
    [
        ("PLAINTEXT://127.0.0.1:9092", Listener("PLAINTEXT", "127.0.0.1", 9092, "PLAINTEXT")),
        ("plaintext://localhost:0", Listener("PLAINTEXT", "localhost", 0, "PLAINTEXT")),
        ("PLAINTEXT://:9092", Listener("PLAINTEXT", "", 9092, "PLAINTEXT")),
        ("PLAINTEXT://[::1]:9092", Listener("PLAINTEXT", "::1", 9092, "PLAINTEXT")),
    ],
)
def test_listener_is_name_host_and_port(text: str, listener: Listener) -> None:
    assert settings(text).listeners == [listener]


def test_address_of_ipv6_is_written_in_brackets() -> None:
    assert str(settings("PLAINTEXT://[::1]:9092").listeners[0]) == "PLAINTEXT://[::1]:9092"


def test_clients_are_told_the_advertised_address() -> None:
    told = settings("PLAINTEXT://0.0.0.0:9092", "PLAINTEXT://kafka.example.org:19092").advertised_listeners
    assert told == [Listener("PLAINTEXT", "kafka.example.org", 19092, "PLAINTEXT")]


def test_names_of_listeners_are_free_when_they_are_mapped() -> None:
    found = settings(
        "INSIDE://a:1,OUTSIDE://b:2", listener_security_protocol_map="INSIDE:PLAINTEXT,OUTSIDE:PLAINTEXT"
    )
    assert [listener.name for listener in found.broker_listeners] == ["INSIDE", "OUTSIDE"]


def test_one_port_may_serve_both_families() -> None:
    found = settings("A://127.0.0.1:9,B://[::1]:9", listener_security_protocol_map="A:PLAINTEXT,B:PLAINTEXT")
    assert len(found.listeners) == 2


@pytest.mark.parametrize(
    ("listeners", "advertised", "message"),
    [
        ("127.0.0.1:9092", None, "must be written as NAME://host:port"),
        ("PLAINTEXT://127.0.0.1", None, "must be written as NAME://host:port"),
        ("PLAINTEXT://127.0.0.1:x", None, "must be written as NAME://host:port"),
        ("PLAINTEXT://127.0.0.1:65536", None, "port 65536 is above 65535"),
        ("PLAINTEXT://::1:9092", None, "an IPv6 address must stand in brackets"),
        ("PLAINTEXT://a:1,PLAINTEXT://b:2", None, "listener PLAINTEXT is there twice"),
        ("FOO://a:1", None, "listener.security.protocol.map has no protocol for FOO"),
        ("SSL://a:1", None, "SSL is not served yet: listeners are PLAINTEXT for now"),
        ("SASL_PLAINTEXT://a:1", None, "SASL_PLAINTEXT is not served yet"),
        ("PLAINTEXT://a:1,CONTROLLER://b:1", None, "port 1 is that of PLAINTEXT://a:1 too"),
        ("PLAINTEXT://0.0.0.0:1", None, "0.0.0.0 is no address that a client can connect to"),
        ("PLAINTEXT://a:1", "CONTROLLER2://a:1", "has no protocol for CONTROLLER2"),
    ],
)
def test_wrong_listener_is_refused_with_the_reason(
    listeners: str, advertised: str | None, message: str
) -> None:
    with pytest.raises(InvalidValue) as caught:
        settings(listeners, advertised)
    assert message in str(caught.value)


def test_advertised_listener_must_be_bound() -> None:
    with pytest.raises(InvalidValue, match="there is no OTHER among listeners"):
        settings(
            "PLAINTEXT://a:1",
            "OTHER://a:1",
            listener_security_protocol_map="PLAINTEXT:PLAINTEXT,OTHER:PLAINTEXT",
        )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("A", "'A' must be written as NAME:PROTOCOL"),
        ("A:FOO", "FOO is none of PLAINTEXT, SSL"),
        ("PLAINTEXT:PLAINTEXT,plaintext:SSL", "listener PLAINTEXT is mapped twice"),
    ],
)
def test_wrong_protocol_map_is_refused(text: str, message: str) -> None:
    with pytest.raises(InvalidValue, match=message):
        settings("PLAINTEXT://a:1", listener_security_protocol_map=text)
