"""Where services beside a broker listen, and whom they let in there."""

from __future__ import annotations

import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING

from barnabas.config.listeners import format_address
from barnabas.http.limits import UNLIMITED, Rates
from barnabas.http.listeners import AddressUnusable, TlsFiles

if TYPE_CHECKING:
    import ssl

LOOPBACK = "127.0.0.1"
EVERYWHERE = {"0.0.0.0": LOOPBACK, "::": "::1"}
"""Addresses that mean all of a machine's, and where they are reached from the machine itself."""


@dataclass(frozen=True, slots=True)
class Front:
    """The same for all services beside one broker, apart from their ports."""

    host: str = LOOPBACK
    tls: TlsFiles | None = None
    """None: connections are plain."""
    rates: Rates = UNLIMITED
    """What each client may ask for."""
    access_log: bool = False
    """Whether each request has a line in the log."""

    @property
    def scheme(self) -> str:
        """Of the services' addresses."""
        return "http" if self.tls is None else "https"

    @property
    def name(self) -> str:
        """The host as others reach it."""
        return socket.getfqdn() if self.host in EVERYWHERE else self.host

    def url(self, port: int) -> str:
        """Where a service is, in the words in which it was asked for."""
        return f"{self.scheme}://{format_address(self.host, port)}"

    def url_within(self, port: int) -> str:
        """Where a service is for this machine."""
        return f"{self.scheme}://{format_address(EVERYWHERE.get(self.host, self.host), port)}"

    def trusting(self) -> ssl.SSLContext | None:
        """What services beside one another talk to each other with over TLS: by the certificate that they
        share, whatever names are in it. Raises AddressUnusable."""
        if self.tls is None:
            return None
        import ssl

        try:
            context = ssl.create_default_context(cafile=self.tls.certificate)
            context.load_cert_chain(self.tls.certificate, self.tls.key)
        except (OSError, ssl.SSLError) as error:
            raise AddressUnusable(f"TLS: {error}") from error
        context.check_hostname = False
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
        return context
