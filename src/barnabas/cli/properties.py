"""Properties in librdkafka's names, as `-X` takes them, for barnabas's own clients."""

from __future__ import annotations

from collections.abc import Container, Mapping
from pathlib import Path

from barnabas.cli.errors import CommandFailed
from barnabas.clients.configs import admin_keys, consumer_keys, producer_keys, share_consumer_keys
from barnabas.config.client import SERDES

_KAFKA = {
    "sasl.mechanisms": "sasl.mechanism",
    "ssl.ca.location": "ssl.truststore.location",
    "ssl.ca.pem": "ssl.truststore.certificates",
    "ssl.certificate.pem": "ssl.keystore.certificate.chain",
    "ssl.key.pem": "ssl.keystore.key",
}
_FILES = {
    "ssl.certificate.location": "ssl.keystore.certificate.chain",
    "ssl.key.location": "ssl.keystore.key",
}
"""Names whose files are to be read."""


def kafka_properties(config: Mapping[str, str], keys: Container[str] | None = None) -> dict[str, str]:
    """Those among `keys` (what an admin client has), in Kafka's names. Raises CommandFailed for what our own
    clients can't do."""
    if config.get("enable.ssl.certificate.verification") == "false":
        raise CommandFailed("Certificates are always verified here: name a trusted one with ssl.ca.location.")
    found = {}
    for name, value in config.items():
        if name in _FILES:
            found[_FILES[name]] = _text(name, value)
        else:
            found[_KAFKA.get(name, name)] = value
    if found.get("ssl.endpoint.identification.algorithm") == "none":
        found["ssl.endpoint.identification.algorithm"] = ""
    if "security.protocol" in found:
        found["security.protocol"] = found["security.protocol"].upper()
    # A file of properties may be for producers and consumers as well.
    known = admin_keys() if keys is None else keys
    # Commands read and write keys and values themselves.
    return {name: value for name, value in found.items() if name in known and name not in SERDES}


def known_properties() -> frozenset[str]:
    """What any of our clients can be told, by Kafka's names and by librdkafka's."""
    kafka = (
        admin_keys().keys() | consumer_keys().keys() | producer_keys().keys() | share_consumer_keys().keys()
    )
    return frozenset({*kafka, *_KAFKA, *_FILES, "enable.ssl.certificate.verification"})


def _text(name: str, location: str) -> str:
    try:
        return Path(location).read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise CommandFailed(f"{name}={location} can't be read: {error}.") from error
