"""`barnabas top`: a node as it is now, in the terminal."""

import os
import select
import shutil
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import click

from barnabas.cli.connection import Connection, answering, connection_options, split_address
from barnabas.cli.errors import CommandFailed
from barnabas.cli.output import print_json
from barnabas.cli.scrape import Scrape, ScrapeFailed, figures, scrape
from barnabas.cli.top_view import picture
from barnabas.config.listeners import format_address

FIRST_SECONDS = 1.0
"""Rates need two readings: so far apart are the first two."""
_ENTER = "\x1b[?1049h\x1b[?25l"
_LEAVE = "\x1b[?25h\x1b[?1049l"
_HOME = "\x1b[H"
_CLEAR_LINE = "\x1b[K"
_CLEAR_BELOW = "\x1b[J"


@click.command()
@click.option("--url", metavar="URL", help="A node's /metrics; found through --bootstrap when left out.")
@click.option(
    "--interval",
    type=click.FloatRange(min=0.2),
    default=2.0,
    show_default=True,
    help="Seconds between pictures.",
)
@click.option("--once", is_flag=True, help="Print one picture and end.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON: one object for each picture.")
@connection_options
def top(connection: Connection, url: str | None, interval: float, once: bool, as_json: bool) -> None:
    """Watch a barnabas node: throughput, latency, connections, memory, busiest topics. q quits.

    \b
      barnabas top
      barnabas top --once --json | jq .bytes_in_per_s
      barnabas top --url http://10.0.0.7:9404/metrics --interval 5
    """
    url = url or find_metrics(connection)
    before = _scrape(url)
    live = not (once or as_json) and sys.stdin.isatty() and sys.stdout.isatty()
    if live:
        _watch(url, before, interval)
        return
    wait = FIRST_SECONDS
    while True:
        time.sleep(wait)
        now = _scrape(url)
        if as_json:
            print_json(figures(before, now).as_json())
        else:
            size = shutil.get_terminal_size()
            click.echo("\n".join(picture(figures(before, now), url, size.columns, size.lines)))
        if once:
            return
        before, wait = now, interval


def find_metrics(connection: Connection) -> str:
    """Where the broker that answers serves its metrics. Raises CommandFailed when it serves none."""
    from barnabas.clients.admin.configs import ConfigResource

    with connection.admin() as admin, answering(connection):
        node = min(admin.describe_cluster().nodes, key=lambda one: one.id)
        resource = ConfigResource.broker(node.id)
        configs = admin.describe_configs(resource)[resource]
    port = configs.get("barnabas.metrics.port")
    if port is None or port.value is None:
        raise CommandFailed(f"The broker at {connection.bootstrap} is no barnabas: it tells of no metrics.")
    if int(port.value) < 0:
        raise CommandFailed("The broker serves no metrics: start it with --set barnabas.metrics.port=9404.")
    host = configs["barnabas.metrics.host"].value or ""
    if host in ("", "0.0.0.0", "::"):
        host, _ = split_address(f"{node.host}:{node.port}")
    return f"http://{format_address(host, int(port.value))}/metrics"


def _scrape(url: str) -> Scrape:
    try:
        return scrape(url)
    except ScrapeFailed as error:
        raise CommandFailed(str(error)) from error


def _watch(url: str, before: Scrape, interval: float) -> None:
    """Draws until q is pressed. A change of the terminal's size draws anew."""
    with _screen() as woken:
        wait, shown = FIRST_SECONDS, None
        due = time.monotonic() + wait
        while True:
            ready, _, _ = select.select([sys.stdin, woken], [], [], max(0.0, due - time.monotonic()))
            if sys.stdin in ready and os.read(sys.stdin.fileno(), 64)[:1] in (b"q", b"Q", b"\x03", b""):
                return
            if woken in ready:
                os.read(woken, 64)
            if time.monotonic() >= due:
                now = _scrape(url)
                shown, before = figures(before, now), now
                due = time.monotonic() + interval
            if shown is not None:
                size = shutil.get_terminal_size()
                lines = picture(shown, url, size.columns, size.lines)
                text = _HOME + "\r\n".join(f"{line}{_CLEAR_LINE}" for line in lines) + _CLEAR_BELOW
                sys.stdout.write(text)
                sys.stdout.flush()


@contextmanager
def _screen() -> Iterator[int]:
    """Another screen, keys without waiting for a line; as before afterwards. Gives a descriptor that is
    readable when the terminal's size has changed."""
    import termios
    import tty

    keyboard = sys.stdin.fileno()
    as_it_was = termios.tcgetattr(keyboard)
    woken, wake = os.pipe()
    os.set_blocking(wake, False)
    handler = signal.signal(signal.SIGWINCH, lambda *_: None)
    descriptor = signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
    try:
        tty.setcbreak(keyboard)
        sys.stdout.write(_ENTER)
        yield woken
    finally:
        sys.stdout.write(_LEAVE)
        sys.stdout.flush()
        termios.tcsetattr(keyboard, termios.TCSADRAIN, as_it_was)
        signal.set_wakeup_fd(descriptor)
        signal.signal(signal.SIGWINCH, handler)
        os.close(woken)
        os.close(wake)
