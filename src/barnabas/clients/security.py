"""Configs of TLS and SASL, from files and tokens to what the engine takes."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from barnabas.config.errors import InvalidValue, MissingConfig

if TYPE_CHECKING:
    from barnabas.clients.tokens import TokenProvider

TOKEN = "sasl.oauthbearer.token"
"""A token, or a callable that gives one; has no place in a properties file, so none in the tables either."""

_PEM = re.compile(r"-----BEGIN [A-Z0-9 ]+-----.*?-----END [A-Z0-9 ]+-----", re.DOTALL)
_JAAS_OPTION = re.compile(r'(\w+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s;"]+))')


def secured(values: dict[str, Any], token: str | Callable[[], Any] | None) -> dict[str, Any]:
    """The values with what files and issuers of tokens add. Raises ConfigError, or what the issuer raises."""
    protocol = str(values["security.protocol"])
    if protocol.endswith("SSL"):
        _read_stores(values)
    if protocol.startswith("SASL"):
        _read_jaas(values)
        mechanism = values["sasl.mechanism"]
        if mechanism is None:
            raise MissingConfig("sasl.mechanism")
        if mechanism == "OAUTHBEARER":
            from barnabas.clients.tokens import kept_fresh

            values[TOKEN] = kept_fresh(_provider(values, token))
        elif values["sasl.username"] is None or values["sasl.password"] is None:
            missing = "sasl.username" if values["sasl.username"] is None else "sasl.password"
            raise MissingConfig(missing)
    return values


def _text(name: str, location: str) -> str:
    try:
        return Path(location).read_text()
    except UnicodeDecodeError:
        advice = "is no PEM file; Java's stores are turned into PEM by keytool and openssl"
        raise InvalidValue(name, location, advice) from None
    except OSError as error:
        raise InvalidValue(name, location, f"can't be read: {error.strerror}") from error


def _read_stores(values: dict[str, Any]) -> None:
    if location := values["ssl.truststore.location"]:
        values["ssl.truststore.certificates"] = _text("ssl.truststore.location", location)
    if location := values["ssl.keystore.location"]:
        pieces = _PEM.findall(_text("ssl.keystore.location", location))
        keys = [piece for piece in pieces if "PRIVATE KEY-----" in piece[:40]]
        chain = [piece for piece in pieces if "CERTIFICATE-----" in piece[:40]]
        if not keys or not chain:
            raise InvalidValue("ssl.keystore.location", location, "must hold a key and certificates, in PEM")
        values["ssl.keystore.key"], values["ssl.keystore.certificate.chain"] = keys[0], "\n".join(chain)
    if bool(values["ssl.keystore.key"]) != bool(values["ssl.keystore.certificate.chain"]):
        found = "ssl.keystore.key" if values["ssl.keystore.key"] else "ssl.keystore.certificate.chain"
        raise InvalidValue(found, "…", "key and certificates belong together")


def _read_jaas(values: dict[str, Any]) -> None:
    """Takes name and password of Java's clients' config, where no others are given."""
    jaas = values["sasl.jaas.config"]
    if not jaas:
        return
    options = {name: quoted or plain for name, quoted, plain in _JAAS_OPTION.findall(str(jaas))}
    for config, option in (("sasl.username", "username"), ("sasl.password", "password")):
        if values[config] is None and option in options:
            values[config] = re.sub(r"\\(.)", r"\1", options[option])
    if options.get("tokenauth") == "true":
        values["sasl.token.authentication"] = True


def _provider(values: dict[str, Any], token: str | Callable[[], Any] | None) -> TokenProvider:
    if isinstance(token, str):
        return lambda: token
    if token is not None:
        return token
    url = values["sasl.oauthbearer.token.endpoint.url"]
    client = values["sasl.oauthbearer.client.credentials.client.id"]
    secret = values["sasl.oauthbearer.client.credentials.client.secret"]
    if url and client is not None and secret is not None:
        from barnabas.clients.tokens import Issuer

        return Issuer(str(url), str(client), str(secret), values["sasl.oauthbearer.scope"])
    raise MissingConfig(
        TOKEN if not url else "sasl.oauthbearer.client.credentials.client.id and …client.secret"
    )
