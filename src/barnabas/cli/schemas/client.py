"""Which Schema Registry a command means, and requests to it, whosever it is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import wraps
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar
from urllib.parse import quote, urlencode

import click

from barnabas.cli.errors import CommandFailed

if TYPE_CHECKING:
    from barnabas.serde.registry import RegistryError, SchemaRegistry

Command = TypeVar("Command", bound=Callable[..., Any])

SECONDS_MAX = 30.0


class RegistryAddress(NamedTuple):
    """Where a registry is."""

    url: str
    """Several with commas between them, of which any may be asked; name and password may stand in each."""
    authority: str | None
    """A file with who has signed its certificate; None: those whom this machine trusts."""

    def connect(self) -> SchemaRegistry:
        """A client of the registry, which connects with its first question. Raises CommandFailed."""
        import ssl

        from barnabas.serde.registry import SchemaRegistry

        try:
            trusted = None if self.authority is None else ssl.create_default_context(cafile=self.authority)
        except OSError as error:  # Errors of TLS are some.
            raise CommandFailed(f"{self.authority} holds no certificates in PEM: {error}") from error
        urls = [url if "//" in url else f"http://{url}" for url in self.url.split(",")]
        try:
            return SchemaRegistry(urls, ssl_context=trusted, timeout=SECONDS_MAX)
        except ValueError as error:
            raise CommandFailed(f"{error}, such as http://127.0.0.1:8081") from error


def registry_options(command: Command) -> Command:
    """Adds --registry and --registry-authority; the command gets them as `registry`."""

    @wraps(command)
    def with_registry(*args: Any, registry_url: str, registry_authority: str | None, **kwargs: Any) -> Any:
        return command(*args, registry=RegistryAddress(registry_url, registry_authority), **kwargs)

    decorated: Any = with_registry
    for option in (
        click.option(
            "--registry-authority",
            metavar="FILE",
            help="Who signs its certificate, in PEM. Without it, those whom this machine trusts.",
        ),
        click.option(
            "-r",
            "--registry",
            "registry_url",
            envvar="BARNABAS_REGISTRY",
            default="http://127.0.0.1:8081",
            show_default=True,
            metavar="URL",
            help="The Schema Registry; http://name:password@host logs in.",
        ),
    ):
        decorated = option(decorated)
    result: Command = decorated
    return result


class RegistryClient:
    """Requests by paths whose parts are quoted. What the registry refuses is CommandFailed."""

    def __init__(self, address: RegistryAddress) -> None:
        self.registry = address.connect()

    def get(self, *path: str, **query: Any) -> Any:
        """What is there."""
        return self._ask("GET", path, query, None)

    def post(self, *path: str, body: Mapping[str, Any], **query: Any) -> Any:
        """What comes of a request."""
        return self._ask("POST", path, query, body)

    def delete(self, *path: str, **query: Any) -> Any:
        """What was deleted."""
        return self._ask("DELETE", path, query, None)

    def _ask(
        self, method: str, path: tuple[str, ...], query: Mapping[str, Any], body: Mapping[str, Any] | None
    ) -> Any:
        from barnabas.serde.registry import RegistryError

        target = "".join("/" + quote(part, safe="") for part in path)
        given = {name: str(value).lower() for name, value in query.items() if value is not None}
        if given:
            target += "?" + urlencode(given)
        try:
            return self.registry.ask(method, target, body)
        except RegistryError as error:
            raise refused(error) from error


def refused(error: RegistryError) -> CommandFailed:
    """What a registry says that can't be asked, or refuses, for a person."""
    if error.status == 0:
        return CommandFailed(f"No schema registry: {error.reason}. Name another with --registry.")
    return CommandFailed(f"{error.reason} (error {error.error_code or error.status})")
