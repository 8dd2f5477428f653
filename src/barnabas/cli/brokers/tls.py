"""TLS for the command line's own requests, configured by librdkafka's properties (PEM only)."""

from __future__ import annotations

import ssl
import tempfile
from collections.abc import Mapping
from pathlib import Path
from socket import socket

from barnabas.cli.errors import CommandFailed

_UNREADABLE = ("ssl.keystore.location", "ssl.engine.location")


def encrypted(plain: socket, host: str, config: Mapping[str, str]) -> ssl.SSLSocket:
    """The connection under TLS, after its handshake. CommandFailed says why there is none."""
    context = _context(config)
    try:
        return context.wrap_socket(plain, server_hostname=host)
    except OSError as error:
        plain.close()
        raise CommandFailed(f"There is no TLS with {host}: {error}.") from error


def _context(config: Mapping[str, str]) -> ssl.SSLContext:
    if found := [name for name in _UNREADABLE if name in config]:
        raise CommandFailed(
            f"{found[0]} can't be read here: give PEM files "
            "(ssl.ca.location, ssl.certificate.location, ssl.key.location)."
        )
    ca_location, ca_pem = config.get("ssl.ca.location"), config.get("ssl.ca.pem")
    try:
        context = ssl.create_default_context(cafile=ca_location, cadata=ca_pem)
        _load_certificate(context, config)
    except (OSError, ValueError) as error:
        raise CommandFailed(f"The certificates can't be read: {error}.") from error
    if config.get("ssl.endpoint.identification.algorithm", "https") == "none":
        context.check_hostname = False
    if config.get("enable.ssl.certificate.verification", "true") == "false":
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _load_certificate(context: ssl.SSLContext, config: Mapping[str, str]) -> None:
    """The client's own certificate, if it has one."""
    password = config.get("ssl.key.password")
    if location := config.get("ssl.certificate.location"):
        context.load_cert_chain(location, config.get("ssl.key.location"), password)
    elif "ssl.certificate.pem" in config:
        # Python reads a chain from files only.
        with tempfile.TemporaryDirectory(prefix="barnabas-") as directory:
            chain = Path(directory, "chain.pem")
            chain.touch(mode=0o600)
            chain.write_text(f"{config['ssl.certificate.pem']}\n{config.get('ssl.key.pem', '')}\n")
            context.load_cert_chain(chain, None, password)
