"""`barnabas share consume`: records of a topic on standard output, taken as a member of a share group."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from barnabas.cli.connection import REQUEST_SECONDS_MAX, Connection, connection_options
from barnabas.cli.errors import CommandFailed, sentence
from barnabas.cli.output import print_error
from barnabas.cli.record_format import Formatter, Record
from barnabas.cli.record_output import print_records, record_of, record_options
from barnabas.errors import BarnabasError, KafkaError

if TYPE_CHECKING:
    from barnabas.clients.share_consumer import ShareConsumer

_POLL_SECONDS = 0.5


@click.command()
@click.argument("topic")
@click.option("-g", "--group", required=True, metavar="GROUP", help="The share group.")
@click.option("-n", "--max", "count_max", type=click.IntRange(1), metavar="N", help="Stop after N records.")
@click.option(
    "--idle", type=click.FloatRange(0), metavar="SECONDS", help="Stop when nothing has come for so long."
)
@record_options
@connection_options
def consume(
    connection: Connection,
    topic: str,
    group: str,
    count_max: int | None,
    idle: float | None,
    formatter: Formatter,
) -> None:
    """Print records of TOPIC as a member of a share group, as they come; Ctrl-C ends.

    \b
      barnabas share consume jobs --group workers
      barnabas share consume jobs --group workers -n 1 --json
      barnabas share consume jobs --group workers --idle 5

    What is printed is accepted. Members share the records of each partition; a group that is new begins
    with what is written from then on, unless `barnabas share reset` has told it to begin earlier. Formats
    are those of `barnabas consume`.
    """
    try:
        consumer = connection.share_consumer({"group.id": group, "share.acquire.mode": "record_limit"})
    except KafkaError as error:
        raise CommandFailed(sentence(error)) from error
    with consumer:
        consumer.subscribe(topic)
        print_records(_records(consumer, count_max, idle), formatter, count_max, lambda _: _accept(consumer))


def _records(consumer: ShareConsumer, left: int | None, idle: float | None) -> Iterator[list[Record]]:
    """Batches of records as they come, none beyond the last that is wanted; ends when nothing has come for
    `idle` seconds."""
    last = time.monotonic()
    while idle is None or time.monotonic() - last < idle:
        try:
            records = consumer.poll(_POLL_SECONDS, left)
        except KafkaError as error:
            raise CommandFailed(f"Reading stopped: {sentence(error)}") from error
        if not records:
            continue
        left = None if left is None else left - len(records)
        yield [record_of(record) for record in records]
        last = time.monotonic()


def _accept(consumer: ShareConsumer) -> None:
    sys.stdout.flush()
    try:
        results = consumer.commit(REQUEST_SECONDS_MAX)
    except BarnabasError as error:
        raise CommandFailed(f"What was printed is not accepted: {sentence(error)}") from error
    for (name, partition, _), failure in results.items():
        if failure is not None:
            print_error(f"{name}-{partition}: what was printed is not accepted: {sentence(failure)}")
