"""`barnabas registry`: a Schema Registry in the foreground, for any Kafka cluster."""

from __future__ import annotations

import asyncio
import gc
import logging
import socket
import sys
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import click

from barnabas.cli import exit_codes
from barnabas.cli.connection import Connection, answering, connection_options
from barnabas.cli.log_format import configure_logging, logging_options
from barnabas.cli.serving import (
    Entrance,
    client_configs,
    entrance_options,
    listen,
    listening_options,
    stop_asked,
)
from barnabas.config.listeners import format_address

if TYPE_CHECKING:
    from barnabas.http.listeners import Listeners
    from barnabas.schema_registry.service import Candidacy, RegistrySettings

logger = logging.getLogger("barnabas")


@click.command()
@connection_options
@entrance_options
@listening_options(8081)
@click.option(
    "--advertise",
    metavar="URL",
    help="Where other instances reach this one. Without it, where it listens.",
)
@click.option(
    "--group",
    default="schema-registry",
    show_default=True,
    help="Group in which the instances elect the one that writes.",
)
@click.option(
    "--eligible/--not-eligible", default=True, show_default=True, help="Whether this one may be elected."
)
@click.option(
    "--instances-authority",
    metavar="FILE",
    help="Who signs certificates of other instances, in PEM. Without it, those whom this machine trusts.",
)
@click.option("--alone", is_flag=True, help="Elect nobody: this is the only instance.")
@logging_options
def registry(
    connection: Connection,
    entrance: Entrance,
    host: str,
    port: int,
    threads: int,
    advertise: str | None,
    group: str,
    eligible: bool,
    instances_authority: str | None,
    alone: bool,
    log_format: str,
    log_level: str,
) -> int:
    """Run a Schema Registry until Ctrl-C.

    \b
      barnabas registry                              for the cluster at 127.0.0.1:9092
      barnabas registry -b broker:9092 --port 8085
      barnabas registry --login PLAIN                the cluster's ACLs decide who reads and who writes

    Schemas are kept in the topic _schemas of the cluster, as other registries keep them. Any number of
    instances may run for a cluster: all of them read, and they elect the one that writes.
    """
    configure_logging(log_format, log_level)
    from barnabas.http.listeners import Listeners
    from barnabas.schema_registry.service import RegistrySettings

    listeners, scheme = Listeners(threads), entrance.scheme
    service, port = listen(listeners, "registry", host, port, tls=entrance.tls)
    settings = RegistrySettings(
        client_configs(connection),
        None if alone else _candidacy(advertise, scheme, host, port, group, eligible=eligible),
        entrance.logins,
        entrance.rates,
        entrance.access_log,
        entrance.trusting(instances_authority),
    )
    with answering(connection):
        asyncio.run(_run(settings, listeners, service, f"{scheme}://{format_address(host, port)}"))
    return exit_codes.OK


def _candidacy(
    advertise: str | None, scheme: str, host: str, port: int, group: str, *, eligible: bool
) -> Candidacy:
    from barnabas.schema_registry.primary.identity import Identity
    from barnabas.schema_registry.service import Candidacy

    if advertise is not None:
        try:
            parts = urlsplit(advertise)
            scheme, port = parts.scheme, parts.port or (443 if parts.scheme == "https" else 80)
        except ValueError as error:
            raise click.BadParameter(f"{advertise!r} is no URL: {error}", param_hint="--advertise") from error
        if scheme not in ("http", "https") or not parts.hostname:
            raise click.BadParameter(f"{advertise!r} is no URL of http or https", param_hint="--advertise")
        host = parts.hostname
    elif host in ("0.0.0.0", "::"):
        host = socket.getfqdn()
    return Candidacy(Identity(host, port, scheme, eligible), group)


async def _run(settings: RegistrySettings, listeners: Listeners, service: int, url: str) -> None:
    from barnabas.schema_registry.service import serve

    def ready() -> None:
        gc.freeze()
        gc.enable()
        click.echo(f"schema registry is ready at {click.style(url, bold=True)}")
        click.echo(f"  cluster  {settings.configs['bootstrap.servers']}")
        sys.stdout.flush()

    # What is read at the start stays for good: it need not be looked through for garbage again and again.
    gc.disable()
    await serve(settings, listeners, service, stop_asked(), ready)
    logger.info("stopped")
