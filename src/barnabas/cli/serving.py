"""What commands have in common that serve over HTTP in the foreground."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable
from typing import TypeVar

import click

F = TypeVar("F", bound=Callable[..., object])


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


def stop_asked() -> asyncio.Event:
    """An event of the running loop that Ctrl-C and SIGTERM set."""
    loop, stopping = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopping.set)
    return stopping
