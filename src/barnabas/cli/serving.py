"""What commands have in common that serve over HTTP in the foreground."""

from __future__ import annotations

import logging
import signal
from collections.abc import Callable, Mapping
from functools import wraps
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import click

from barnabas.cli.errors import CommandFailed, address_advice
from barnabas.config.properties import read_properties

if TYPE_CHECKING:
    import asyncio
    import ssl

    from barnabas.cli.connection import Connection
    from barnabas.http.limits import Rates
    from barnabas.http.listeners import Listeners, TlsFiles
    from barnabas.http.logins import Logins

F = TypeVar("F", bound=Callable[..., Any])

logger = logging.getLogger("barnabas")

MECHANISMS = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER")
"""How principals may log in at the cluster."""


class Entrance(NamedTuple):
    """Who is let in to a service, and how much each may ask for."""

    requests_per_second: float | None
    bytes_per_second: float | None
    access_log: bool
    certificate: str | None
    key: str | None
    client_authority: str | None
    login: str | None = None
    certificate_logins: str | None = None
    principal_rules: str | None = None

    @property
    def rates(self) -> Rates:
        from barnabas.http.limits import Rates

        return Rates(self.requests_per_second, self.bytes_per_second)

    @property
    def tls(self) -> TlsFiles | None:
        """Raises UsageError where something is missing, or can't be read."""
        if self.certificate is None and self.key is None and self.client_authority is None:
            return None
        if self.certificate is None or self.key is None:
            raise click.UsageError("TLS needs both a certificate and its key.")
        from barnabas.http.listeners import AddressUnusable, TlsFiles

        files = TlsFiles(self.certificate, self.key, self.client_authority)
        try:
            files.texts()
        except AddressUnusable as error:
            raise click.UsageError(str(error)) from error
        return files

    def trusting(self, authority: str | None) -> ssl.SSLContext:
        """How other services are talked to over TLS: with this one's certificate, where it has one.
        `authority`: who signs theirs; None: those whom this machine trusts. Raises UsageError."""
        import ssl

        try:
            context = ssl.create_default_context(cafile=authority)
            if self.certificate is not None:
                context.load_cert_chain(self.certificate, self.key)
        except (OSError, ssl.SSLError) as error:
            raise click.UsageError(f"TLS: {error}") from error
        return context

    @property
    def scheme(self) -> str:
        """Of the service's address."""
        return "http" if self.certificate is None else "https"

    @property
    def logins(self) -> Logins | None:
        """Raises UsageError where options don't go together, or files can't be read."""
        from barnabas.http.logins import CertificateLogins, Logins
        from barnabas.http.principals import DEFAULT, PrincipalRules, PrincipalRulesInvalid

        if self.certificate_logins is None:
            if self.principal_rules is not None:
                raise click.UsageError("--principal-rules are for --certificate-logins.")
            return None if self.login is None else Logins(self.login)
        if self.login in (None, "OAUTHBEARER") or self.client_authority is None:
            raise click.UsageError("--certificate-logins needs --client-authority, and a --login by name.")
        try:
            rules = PrincipalRules(self.principal_rules or DEFAULT)
        except PrincipalRulesInvalid as error:
            raise click.BadParameter(str(error), param_hint="--principal-rules") from error
        return Logins(str(self.login), CertificateLogins(rules, read_properties(self.certificate_logins)))


_BOUNDS_AND_TLS: dict[str, dict[str, Any]] = {
    "requests_per_second": {"type": click.FloatRange(min=0.01), "help": "Requests of one client."},
    "bytes_per_second": {
        "type": click.FloatRange(min=1),
        "help": "Bytes of the bodies of one client's requests.",
    },
    "access_log": {"is_flag": True, "help": "Write a line for each request to the log."},
    "certificate": {
        "metavar": "FILE",
        "help": "Speak TLS: certificate and those above it, in PEM.",
    },
    "key": {"metavar": "FILE", "help": "The certificate's key, in PEM."},
    "client_authority": {
        "metavar": "FILE",
        "help": "Let in only clients with a certificate that these authorities have signed, in PEM.",
    },
}
_LOGINS: dict[str, dict[str, Any]] = {
    "login": {
        "type": click.Choice(MECHANISMS, case_sensitive=False),
        "metavar": f"[{'|'.join(MECHANISMS)}]",
        "help": "Have requests bring credentials, and log in with them at the cluster: name and password "
        "(Authorization: Basic), or with OAUTHBEARER a token (Bearer).",
    },
    "certificate_logins": {
        "metavar": "FILE",
        "help": "Log in for clients that show a certificate and nothing else: properties with a password "
        "for each principal.",
    },
    "principal_rules": {
        "metavar": "RULES",
        "help": "How names of certificates become principals, as ssl.principal.mapping.rules of brokers.",
    },
}


def entrance_options(command: F) -> F:
    """Adds what bounds and secures a service; the command gets it as `entrance`."""
    return _with_entrance(command, {**_LOGINS, **_BOUNDS_AND_TLS}, "")


def services_options(command: F) -> F:
    """The same for all services beside a broker, in options that begin with `--services-`. Log-ins are none
    of them: the broker beside them knows no principals."""
    return _with_entrance(command, _BOUNDS_AND_TLS, "services_")


def _with_entrance(command: F, options: dict[str, dict[str, Any]], prefix: str) -> F:
    @wraps(command)
    def with_entrance(*args: Any, **kwargs: Any) -> Any:
        entrance = Entrance(**{name: kwargs.pop(f"{prefix}{name}") for name in options})
        return command(*args, entrance=entrance, **kwargs)

    decorated: Any = with_entrance
    for name, attributes in reversed(options.items()):
        option = "--" + f"{prefix}{name}".replace("_", "-")
        decorated = click.option(option, f"{prefix}{name}", **attributes)(decorated)
    result: F = decorated
    return result


def client_configs(connection: Connection) -> Mapping[str, Any]:
    """What all clients of a service have in common, by Kafka's names."""
    from barnabas.cli.properties import kafka_properties
    from barnabas.clients.configs import admin_keys, consumer_keys, producer_keys

    common = admin_keys().keys() & producer_keys().keys() & consumer_keys().keys()
    return {**kafka_properties(connection.config, common), "bootstrap.servers": connection.bootstrap}


def listening_options(default_port: int) -> Callable[[F], F]:
    """Adds `--host`, `--port` and `--threads`."""
    host = click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
    port = click.option(
        "--port",
        type=click.IntRange(0, 65535),
        default=default_port,
        show_default=True,
        help="Port to listen on; 0 takes a free one.",
    )
    threads = click.option(
        "--threads",
        type=click.IntRange(1, 64),
        default=2,
        show_default=True,
        help="Threads that talk to clients.",
    )
    return lambda command: host(port(threads(command)))


def listen(
    listeners: Listeners,
    name: str,
    host: str,
    port: int,
    in_pieces: str | None = None,
    tls: TlsFiles | None = None,
) -> tuple[int, int]:
    """Lets clients of a service in: its number and its port. Raises CommandFailed."""
    from barnabas.http.listeners import AddressUnusable

    try:
        return listeners.listen(name, host, port, in_pieces, tls)
    except AddressUnusable as error:
        raise CommandFailed(address_advice(error)) from error


def stop_asked() -> asyncio.Event:
    """An event of the running loop that Ctrl-C and SIGTERM set; a second one ends the process at once."""
    import asyncio

    loop, stopping = asyncio.get_running_loop(), asyncio.Event()

    def stop(number: signal.Signals) -> None:
        logger.info("%s: stopping; once more stops at once", number.name)
        stopping.set()
        for which in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(which)
            signal.signal(which, signal.SIG_DFL)

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop, number)
    return stopping
