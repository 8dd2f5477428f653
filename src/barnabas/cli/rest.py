"""`barnabas rest`: a REST Proxy in the foreground, for any Kafka cluster."""

from __future__ import annotations

import asyncio
import logging
import re
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from barnabas.cli import exit_codes
from barnabas.cli.connection import Connection, connection_options, librdkafka_config
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
from barnabas.config.properties import read_properties

if TYPE_CHECKING:
    from barnabas.http.listeners import Listeners
    from barnabas.rest.registry import RegistryAt
    from barnabas.rest.service import RestSettings

logger = logging.getLogger("barnabas")

NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*")
"""What names of clusters are made of."""


@click.command()
@connection_options
@click.option(
    "--cluster",
    "clusters",
    multiple=True,
    metavar="NAME=HOST:PORT,…",
    help="A cluster instead of --bootstrap, under a name; may be repeated, and the first is the usual one.",
)
@click.option(
    "--cluster-config",
    "cluster_configs",
    multiple=True,
    metavar="NAME=FILE",
    help="Client properties for one of the clusters, above those of --command-config and -X.",
)
@click.option("--registry", metavar="URL", help="Schema Registry, for records with schemas.")
@click.option(
    "--registry-authority",
    metavar="FILE",
    help="Who signs the registry's certificate, in PEM. Without it, those whom this machine trusts.",
)
@entrance_options
@listening_options(8082)
@logging_options
def rest(
    connection: Connection,
    clusters: tuple[str, ...],
    cluster_configs: tuple[str, ...],
    registry: str | None,
    registry_authority: str | None,
    entrance: Entrance,
    host: str,
    port: int,
    threads: int,
    log_format: str,
    log_level: str,
) -> int:
    """Run a REST Proxy until Ctrl-C.

    \b
      barnabas rest                                  for the cluster at 127.0.0.1:9092
      barnabas rest -b broker:9092 --registry http://registry:8081
      barnabas rest --cluster eu=one:9092 --cluster us=two:9092 --cluster-config us=us.properties

    Any number of instances may run for a cluster. Instances of consumers (API v2) live in the one that has
    made them.
    """
    configure_logging(log_format, log_level)
    from barnabas.http.listeners import Listeners
    from barnabas.rest.beside import IN_PIECES
    from barnabas.rest.service import RestSettings

    settings = RestSettings(
        _clusters(connection, clusters, cluster_configs),
        _registry(registry, entrance, registry_authority),
        entrance.logins,
        entrance.rates,
        entrance.access_log,
    )
    listeners = Listeners(threads)
    service, port = listen(listeners, "rest", host, port, IN_PIECES, entrance.tls)
    url = f"{entrance.scheme}://{format_address(host, port)}"
    asyncio.run(_run(settings, listeners, service, url))
    return exit_codes.OK


def _registry(url: str | None, entrance: Entrance, authority: str | None) -> RegistryAt | None:
    from barnabas.rest.registry import RegistryAt

    if url is None:
        return None
    from barnabas.serde.registry import SchemaRegistry

    try:
        SchemaRegistry(url)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--registry") from error
    tls = entrance.trusting(authority) if url.startswith("https:") else None
    return RegistryAt(url, tls)


def _clusters(
    connection: Connection, named: tuple[str, ...], files: tuple[str, ...]
) -> dict[str, Mapping[str, Any]]:
    """Configs of clients of each cluster, by name."""
    from barnabas.rest.behind import THE_FIRST

    bootstraps, own = _by_name(named, "--cluster"), _by_name(files, "--cluster-config")
    if unknown := own.keys() - bootstraps.keys():
        raise click.UsageError(f"--cluster-config is for a --cluster, and {sorted(unknown)[0]} is none.")
    if not bootstraps:
        return {THE_FIRST: client_configs(connection)}
    given = click.get_current_context().get_parameter_source("bootstrap")
    if given is click.core.ParameterSource.COMMANDLINE:
        raise click.UsageError("--cluster says all that --bootstrap does: leave one out.")
    found = dict[str, Mapping[str, Any]]()
    for name, bootstrap in bootstraps.items():
        config = connection.config
        if name in own:
            config = config | librdkafka_config(read_properties(own[name]))
        found[name] = client_configs(Connection(bootstrap, config))
    return found


def _by_name(texts: tuple[str, ...], option: str) -> dict[str, str]:
    found = dict[str, str]()
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not value or not NAME.fullmatch(name) or name in found:
            raise click.BadParameter(f"{text!r} must be written as name=…, each name once", param_hint=option)
        found[name] = value
    return found


async def _run(settings: RestSettings, listeners: Listeners, service: int, url: str) -> None:
    from barnabas.rest.behind import THE_FIRST
    from barnabas.rest.service import serve

    def ready() -> None:
        click.echo(f"REST proxy is ready at {click.style(url, bold=True)}")
        for name, configs in settings.clusters.items():
            title = "cluster" if name == THE_FIRST else f"cluster {name}"
            click.echo(f"  {title}  {configs['bootstrap.servers']}")
        sys.stdout.flush()

    await serve(settings, listeners, service, stop_asked(), ready)
    logger.info("stopped")
