"""Addresses where services listen, before there is anybody who answers."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from barnabas._core import HttpServer
from barnabas.errors import BarnabasError

BODY_BYTES_MAX = 16 * 1024 * 1024
"""Bytes of a request's body."""
PUBLISHED_BYTES_MAX = 32 * 1024 * 1024
"""Bytes of a service's published responses."""


class AddressUnusable(BarnabasError):
    """A service can't listen there; the message says why."""


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """Files in PEM that a listener's TLS is made of."""

    certificate: str
    """The service's certificate, and those between it and its authority."""
    key: str
    client_authority: str | None = None
    """Who signs clients' certificates; None: clients need none."""

    def texts(self) -> tuple[str, str, str | None]:
        """What is in them. Raises AddressUnusable."""
        try:
            authority = None if self.client_authority is None else Path(self.client_authority).read_text()
            return Path(self.certificate).read_text(), Path(self.key).read_text(), authority
        except (OSError, UnicodeDecodeError) as error:
            raise AddressUnusable(f"TLS: {error}") from error


class Listeners:
    """Ports of services. Made before the services are, so that ports are known early: who connects waits
    until a loop answers."""

    def __init__(self, threads: int = 1) -> None:
        self.native = HttpServer(threads, BODY_BYTES_MAX)
        self.ports: dict[int, int] = {}
        """Ports of services, by their numbers."""

    def listen(
        self,
        name: str,
        host: str,
        port: int,
        in_pieces: str | None = None,
        tls: TlsFiles | None = None,
    ) -> tuple[int, int]:
        """Lets clients of a service in: its number and its port. To paths that end with `in_pieces`, bodies
        without a length are handed over as they come. Raises AddressUnusable."""
        texts = None if tls is None else tls.texts()
        try:
            service, port = self.native.listen(name, host, port, PUBLISHED_BYTES_MAX, in_pieces, texts)
        except ValueError as error:
            raise AddressUnusable(f"TLS: {error}") from error
        except OSError as error:
            raise AddressUnusable(str(error)) from error
        self.ports[service] = port
        return service, port
