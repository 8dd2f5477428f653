"""`barnabas rest`: a REST Proxy in the foreground, for any Kafka cluster."""

from __future__ import annotations

import asyncio
import logging
import sys
from typing import TYPE_CHECKING

import click

from barnabas.cli import exit_codes
from barnabas.cli.connection import Connection, connection_options
from barnabas.cli.log_format import configure_logging, logging_options
from barnabas.cli.serving import Entrance, client_configs, entrance_options, listening_options, stop_asked
from barnabas.config.listeners import format_address

if TYPE_CHECKING:
    from barnabas.http.listeners import Listeners
    from barnabas.rest.service import RestSettings

logger = logging.getLogger("barnabas")


@click.command()
@connection_options
@click.option("--registry", metavar="URL", help="Schema Registry, for records with schemas.")
@entrance_options
@listening_options(8082)
@logging_options
def rest(
    connection: Connection,
    registry: str | None,
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

    Any number of instances may run for a cluster. Instances of consumers (API v2) live in the one that has
    made them.
    """
    configure_logging(log_format, log_level)
    from barnabas.http.listeners import Listeners
    from barnabas.rest.beside import IN_PIECES
    from barnabas.rest.service import RestSettings

    settings = RestSettings(
        client_configs(connection), registry, entrance.logins, entrance.rates, entrance.access_log
    )
    listeners = Listeners(threads)
    service, port = listeners.listen("rest", host, port, IN_PIECES, entrance.tls)
    url = f"{entrance.scheme}://{format_address(host, port)}"
    asyncio.run(_run(settings, listeners, service, url))
    return exit_codes.OK


async def _run(settings: RestSettings, listeners: Listeners, service: int, url: str) -> None:
    from barnabas.rest.service import serve

    def ready() -> None:
        click.echo(f"REST proxy is ready at {click.style(url, bold=True)}")
        click.echo(f"  cluster  {settings.configs['bootstrap.servers']}")
        sys.stdout.flush()

    await serve(settings, listeners, service, stop_asked(), ready)
    logger.info("stopped")
