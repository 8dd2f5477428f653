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
from barnabas.cli.serving import listening_options, stop_asked
from barnabas.config.listeners import format_address

if TYPE_CHECKING:
    from barnabas.http.listeners import Listeners
    from barnabas.rest.service import RestSettings

logger = logging.getLogger("barnabas")

MECHANISMS = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER")
"""How principals may log in at the cluster."""


@click.command()
@connection_options
@click.option("--registry", metavar="URL", help="Schema Registry, for records with schemas.")
@click.option(
    "--login",
    type=click.Choice(MECHANISMS, case_sensitive=False),
    help="Have requests bring credentials, and log in with them at the cluster: name and password "
    "(Authorization: Basic), or with OAUTHBEARER a token (Bearer).",
)
@click.option("--requests-per-second", type=click.FloatRange(min=0.01), help="Requests of one client.")
@click.option(
    "--bytes-per-second", type=click.FloatRange(min=1), help="Bytes of the bodies of one client's requests."
)
@click.option("--access-log", is_flag=True, help="Write a line for each request to the log.")
@click.option("--certificate", metavar="FILE", help="Speak TLS: certificate and those above it, in PEM.")
@click.option("--key", metavar="FILE", help="The certificate's key, in PEM.")
@click.option(
    "--client-authority",
    metavar="FILE",
    help="Let in only clients with a certificate that these authorities have signed, in PEM.",
)
@listening_options(8082)
@logging_options
def rest(
    connection: Connection,
    registry: str | None,
    login: str | None,
    requests_per_second: float | None,
    bytes_per_second: float | None,
    access_log: bool,
    certificate: str | None,
    key: str | None,
    client_authority: str | None,
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
    from barnabas.cli.properties import kafka_properties
    from barnabas.clients.configs import admin_keys, consumer_keys, producer_keys
    from barnabas.http.limits import Rates
    from barnabas.http.listeners import Listeners, TlsFiles
    from barnabas.rest.beside import IN_PIECES
    from barnabas.rest.service import RestSettings

    common = admin_keys().keys() & producer_keys().keys() & consumer_keys().keys()
    configs = kafka_properties(connection.config, common)
    rates = Rates(requests_per_second, bytes_per_second)
    settings = RestSettings(connection.bootstrap, registry, configs, login, rates, access_log)
    tls = None
    if certificate is not None and key is not None:
        tls = TlsFiles(certificate, key, client_authority)
    elif certificate or key or client_authority:
        raise click.UsageError("TLS needs both --certificate and --key.")
    listeners = Listeners(threads)
    service, port = listeners.listen("rest", host, port, IN_PIECES, tls)
    scheme = "http" if tls is None else "https"
    asyncio.run(_run(settings, listeners, service, f"{scheme}://{format_address(host, port)}"))
    return exit_codes.OK


async def _run(settings: RestSettings, listeners: Listeners, service: int, url: str) -> None:
    from barnabas.rest.service import serve

    def ready() -> None:
        click.echo(f"REST proxy is ready at {click.style(url, bold=True)}")
        click.echo(f"  cluster  {settings.bootstrap}")
        sys.stdout.flush()

    await serve(settings, listeners, service, stop_asked(), ready)
    logger.info("stopped")
