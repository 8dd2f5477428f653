"""`barnabas registry`: a Schema Registry in the foreground, for any Kafka cluster."""

from __future__ import annotations

import asyncio
import gc
import logging
import signal
import sys
from typing import TYPE_CHECKING

import click

from barnabas.cli import exit_codes
from barnabas.cli.connection import DEFAULT_BOOTSTRAP
from barnabas.cli.log_format import configure_logging
from barnabas.config.listeners import format_address

if TYPE_CHECKING:
    from barnabas.http.listeners import Listeners

logger = logging.getLogger("barnabas")


@click.command()
@click.option(
    "-b",
    "--bootstrap",
    "--bootstrap-server",
    envvar="BARNABAS_BOOTSTRAP",
    default=DEFAULT_BOOTSTRAP,
    show_default=True,
    metavar="HOST:PORT,…",
    help="Brokers of the cluster that keeps the schemas.",
)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8081,
    show_default=True,
    help="Port to listen on; 0 takes a free one.",
)
@click.option(
    "--threads",
    type=click.IntRange(1, 64),
    default=2,
    show_default=True,
    help="Threads that talk to clients.",
)
@click.option("--log-format", type=click.Choice(["text", "json"]), default="text", show_default=True)
@click.option(
    "--log-level",
    type=click.Choice(["debug", "info", "warning", "error"]),
    default="info",
    show_default=True,
)
def registry(bootstrap: str, host: str, port: int, threads: int, log_format: str, log_level: str) -> int:
    """Run a Schema Registry until Ctrl-C.

    \b
      barnabas registry                              for the cluster at 127.0.0.1:9092
      barnabas registry -b broker:9092 --port 8085

    Schemas are kept in the topic _schemas of the cluster, as other registries keep them. Run one instance
    for a cluster: instances do not agree yet on who writes.
    """
    configure_logging(log_format, log_level)
    from barnabas.http.listeners import Listeners

    listeners = Listeners(threads)
    service, port = listeners.listen("registry", host, port)
    asyncio.run(_run(bootstrap, listeners, service, format_address(host, port)))
    return exit_codes.OK


async def _run(bootstrap: str, listeners: Listeners, service: int, address: str) -> None:
    from barnabas.schema_registry.service import serve

    loop, stopping = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopping.set)

    def ready() -> None:
        # What was read stays for good: it need not be looked through for garbage again and again.
        gc.freeze()
        click.echo(f"schema registry is ready at {click.style(f'http://{address}', bold=True)}")
        click.echo(f"  cluster  {bootstrap}")
        sys.stdout.flush()

    await serve(bootstrap, listeners, service, stopping, ready)
    logger.info("stopped")
