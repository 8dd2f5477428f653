"""Configs of TLS and SASL: what files, Java's lines and issuers of tokens make of them."""

import base64
import json
import time
from pathlib import Path
from typing import Any

import pytest

from barnabas.clients.configs import admin_values
from barnabas.clients.tokens import Issuer, Token, kept_fresh
from barnabas.config.errors import InvalidValue, MissingConfig, UnknownConfig
from barnabas.errors import BarnabasError, ConfigError


def values(**keywords: Any) -> dict[str, Any]:
    return admin_values({"bootstrap.servers": "localhost"}, keywords)


KEY = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----"
CERTIFICATES = [
    f"-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----" for text in ("BBBB", "CCCC")
]


def test_a_keystore_is_a_file_with_key_and_certificates(tmp_path: Path) -> None:
    store = tmp_path / "store.pem"
    store.write_text("\n".join(["some words", CERTIFICATES[0], KEY, CERTIFICATES[1]]))
    found = values(security_protocol="SSL", ssl_keystore_location=str(store))
    assert found["ssl.keystore.key"] == KEY
    assert found["ssl.keystore.certificate.chain"] == "\n".join(CERTIFICATES)
    store.write_text(KEY)
    with pytest.raises(InvalidValue, match="must hold a key and certificates"):
        values(security_protocol="SSL", ssl_keystore_location=str(store))
    with pytest.raises(InvalidValue, match="belong together"):
        values(security_protocol="SSL", ssl_keystore_key=KEY)


def test_a_file_that_can_not_be_read_is_told(tmp_path: Path) -> None:
    with pytest.raises(InvalidValue, match="can't be read: No such file"):
        values(security_protocol="SSL", ssl_truststore_location=str(tmp_path / "none"))
    store = tmp_path / "store.jks"
    store.write_bytes(b"\xfe\xed\xfe\xed\0\0")
    with pytest.raises(InvalidValue, match="keytool"):
        values(security_protocol="SSL", ssl_truststore_location=str(store))
    with pytest.raises(InvalidValue):
        values(security_protocol="SSL", ssl_truststore_type="JKS")
    with pytest.raises(UnknownConfig, match="not built"):
        values(security_protocol="SSL", ssl_key_password="secret")


@pytest.mark.parametrize(
    ("jaas", "name", "password"),
    [
        ('x.PlainLoginModule required username="alice" password="se cret";', "alice", "se cret"),
        ('x.ScramLoginModule required username=alice password="a\\"b\\\\c";', "alice", 'a"b\\c'),
    ],
)
def test_name_and_password_are_read_from_javas_line(jaas: str, name: str, password: str) -> None:
    found = values(security_protocol="SASL_SSL", sasl_mechanism="PLAIN", sasl_jaas_config=jaas)
    assert (found["sasl.username"], found["sasl.password"]) == (name, password)
    found = values(
        security_protocol="SASL_SSL", sasl_mechanism="PLAIN", sasl_jaas_config=jaas, sasl_username="bob"
    )
    assert (found["sasl.username"], found["sasl.password"]) == ("bob", password)


def test_a_delegation_token_may_stand_in_javas_line() -> None:
    jaas = 'x.ScramLoginModule required username="id" password="hmac" tokenauth="true";'
    found = values(security_protocol="SASL_SSL", sasl_mechanism="SCRAM-SHA-256", sasl_jaas_config=jaas)
    assert found["sasl.token.authentication"] is True


@pytest.mark.parametrize(
    ("given", "missing"),
    [
        ({}, "sasl.mechanism"),
        ({"sasl_mechanism": "PLAIN"}, "sasl.username"),
        ({"sasl_mechanism": "SCRAM-SHA-256", "sasl_username": "a"}, "sasl.password"),
        ({"sasl_mechanism": "OAUTHBEARER"}, "sasl.oauthbearer.token"),
        ({"sasl_mechanism": "OAUTHBEARER", "sasl_oauthbearer_token_endpoint_url": "http://h"}, "client.id"),
    ],
)
def test_what_is_missing_is_named(given: dict[str, Any], missing: str) -> None:
    with pytest.raises(MissingConfig, match=missing.replace(".", r"\.")):
        values(security_protocol="SASL_PLAINTEXT", **given)


def test_kerberos_is_refused() -> None:
    with pytest.raises(ConfigError):
        values(security_protocol="SASL_SSL", sasl_mechanism="GSSAPI")


def jwt(**claims: Any) -> str:
    def part(value: Any) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")

    return f"{part({'alg': 'none'})}.{part(claims)}."


def test_a_token_that_does_not_end_is_asked_for_once() -> None:
    asked = []

    def provider() -> str:
        asked.append(1)
        return "opaque"

    kept = kept_fresh(provider)
    assert not kept.in_use
    assert asked == [1]


def test_a_token_is_asked_for_again_before_it_ends_and_while_it_is_used() -> None:
    given: list[Token] = []

    def provider() -> Token:
        given.append(Token(f"token {len(given)}", time.time() + 0.1))
        return given[-1]

    from barnabas._core import NativeCalls

    found = values(
        security_protocol="SASL_PLAINTEXT", sasl_mechanism="OAUTHBEARER", sasl_oauthbearer_token=provider
    )
    client = NativeCalls(found)
    end = time.monotonic() + 30
    while len(given) < 2 and time.monotonic() < end:
        time.sleep(0.01)
    assert len(given) >= 2
    assert found["sasl.oauthbearer.token"].in_use
    client.close()


def test_the_end_of_a_jwt_is_read_from_it() -> None:
    from barnabas.clients.tokens import _asked

    assert _asked(lambda: jwt(exp=1234.5)) == Token(jwt(exp=1234.5), 1234.5)
    assert _asked(lambda: (jwt(exp=1234.5), 99.0)).expires_at == 99.0
    assert _asked(lambda: jwt(sub="alice")).expires_at is None
    assert _asked(lambda: "no.jwt").expires_at is None


def test_an_issuer_that_is_not_there_is_told() -> None:
    with pytest.raises(BarnabasError, match="gives no token"):
        Issuer("http://127.0.0.1:1/token", "me", "hush", None)()
    with pytest.raises(BarnabasError, match="must be http"):
        Issuer("file:///etc/passwd", "me", "hush", None)
