"""Where the Schema Registry of a proxy is."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import ssl


class RegistryAt(NamedTuple):
    """A registry, and how it is talked to."""

    url: str
    tls: ssl.SSLContext | None = None
    """Whom it must have its certificate from; None: those whom this machine trusts."""
