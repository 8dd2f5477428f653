"""`barnabas consume`: the records of a topic on standard output. Without --group it joins no group and
commits nothing."""

import time
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import click

from barnabas.cli import start_position
from barnabas.cli.connection import CONNECT_SECONDS_MAX, REQUEST_SECONDS_MAX, Connection, connection_options
from barnabas.cli.errors import CommandFailed, sentence
from barnabas.cli.record_format import Formatter, Record
from barnabas.cli.record_output import print_records, record_of, record_options
from barnabas.cli.start_position import StartPosition
from barnabas.errors import BarnabasError, KafkaError, UnknownTopicOrPartition

if TYPE_CHECKING:
    from barnabas.clients.consumer import Consumer, TopicPartition

_BATCH_MAX = 500
_POLL_SECONDS = 0.5


@click.command()
@click.argument("topic")
@click.option(
    "--from",
    "start",
    default=start_position.BEGINNING,
    show_default=True,
    metavar="POSITION",
    help="beginning, end, an offset (42), records before the end (-10), time ago (-1h30m), or a date.",
)
@click.option(
    "-p",
    "--partition",
    "partitions",
    type=click.IntRange(0),
    multiple=True,
    metavar="N",
    help="Only this partition. May be repeated.",
)
@click.option(
    "-g", "--group", metavar="GROUP", help="Read as a member of this group, and commit what was printed."
)
@click.option("-n", "--max", "count_max", type=click.IntRange(1), metavar="N", help="Stop after N records.")
@click.option(
    "-f",
    "--follow/--exit-at-end",
    default=None,
    help="Wait for more at the end, or stop there.  [default: stop, unless --from end]",
)
@record_options
@click.option(
    "--isolation",
    type=click.Choice(["read_committed", "read_uncommitted"]),
    default="read_uncommitted",
    show_default=True,
    help="Whether records of open and aborted transactions are shown.",
)
@connection_options
def consume(
    connection: Connection,
    topic: str,
    start: str,
    partitions: Sequence[int],
    group: str | None,
    count_max: int | None,
    follow: bool | None,
    formatter: Formatter,
    isolation: str,
) -> None:
    """Print the records of TOPIC, from the beginning to the end.

    \b
      barnabas consume greetings                      all there is
      barnabas consume greetings --from end           what comes from now on (Ctrl-C ends)
      barnabas consume orders --from -1h -f           the last hour, then what comes
      barnabas consume orders -p 0 --from 42 -n 1     one record
      barnabas consume orders --group billing -f      what the group has not had yet, shared with its members
      barnabas consume orders --format '%p:%o %k=%v'
      barnabas consume orders --json | jq .value
      barnabas consume orders --decode                values of Avro, JSON Schema and Protobuf as JSON

    Columns of text are separated by tabs. Without --group it joins no group and commits nothing. With it,
    --from only says where the group begins in a partition that it has not read yet. Fields of templates:
    %k key, %v value, %K and %V their lengths (-1 for null), %h headers, %t topic, %p partition, %o offset,
    %T timestamp in ms, %d timestamp as a date, %% a percent sign; \\n, \\t, \\r, \\0 and \\\\ are escapes.
    """
    try:
        position = start_position.parse_start(start, time.time_ns() // 1_000_000)
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    if follow is None:
        follow = position.word == start_position.END
    if group is not None:
        _consume_group(
            connection, topic, partitions, group, position, isolation, formatter, count_max, follow
        )
        return
    with _consumer(connection, isolation) as consumer:
        assignment = _assignment(consumer, connection, topic, partitions, position)
        ends = None if follow else _ends(consumer, assignment)
        consumer.assign(assignment)
        print_records(_records(consumer, lambda: ends), formatter, count_max)


def _consume_group(
    connection: Connection,
    topic: str,
    partitions: Sequence[int],
    group: str,
    start: StartPosition,
    isolation: str,
    formatter: Formatter,
    count_max: int | None,
    follow: bool,
) -> None:
    from barnabas.cli import consume_group

    if partitions:
        raise click.UsageError("--group decides which partitions are read: leave out --partition.")
    reset = consume_group.reset_of(start)
    # What is printed is committed, and nothing else.
    configs = {"group.id": group, "auto.offset.reset": reset, "enable.auto.commit": False}
    with _consumer(connection, isolation, **configs) as consumer:
        _partitions(consumer, connection, topic)  # Its members would wait for a topic that is mistyped.
        reading = consume_group.Reading(consumer, topic)
        ends = reading.no_ends if follow else reading.ends
        print_records(_records(consumer, ends), formatter, count_max, reading.printed)


def _consumer(connection: Connection, isolation: str, **configs: Any) -> "Consumer":
    try:
        return connection.consumer(
            {
                "auto.offset.reset": start_position.EARLIEST,
                "isolation.level": isolation,
                # A name that is mistyped is told, and becomes no topic.
                "allow.auto.create.topics": "false",
                **configs,
            }
        )
    except KafkaError as error:
        raise CommandFailed(sentence(error)) from error


def _assignment(
    consumer: "Consumer", connection: Connection, topic: str, wanted: Sequence[int], start: StartPosition
) -> "list[TopicPartition]":
    """The partitions to read and where to begin in each."""
    from barnabas.clients.consumer import TopicPartition

    known = _partitions(consumer, connection, topic)
    if missing := set(wanted) - set(known):
        last = len(known) - 1
        raise CommandFailed(f"Topic {topic} has no partition {min(missing)}: they go from 0 to {last}.")
    try:
        chosen = sorted(set(wanted) or known)
        return [TopicPartition(topic, index, _offset(consumer, topic, index, start)) for index in chosen]
    except BarnabasError as error:
        where = connection.bootstrap
        raise CommandFailed(f"The cluster at {where} does not answer: {sentence(error)}") from error


def _partitions(consumer: "Consumer", connection: Connection, topic: str) -> Sequence[int]:
    """The partitions that the topic has."""
    try:
        return consumer.partitions_for(topic, CONNECT_SECONDS_MAX * 2)
    except UnknownTopicOrPartition as error:
        raise CommandFailed(f"There is no topic {topic}.") from error
    except KafkaError as error:
        raise CommandFailed(f"Topic {topic} can't be read: {sentence(error)}") from error
    except BarnabasError as error:
        where = connection.bootstrap
        raise CommandFailed(f"The cluster at {where} does not answer: {sentence(error)}") from error


def _offset(consumer: "Consumer", topic: str, partition: int, start: StartPosition) -> int:
    low = consumer.beginning_offset(topic, partition, REQUEST_SECONDS_MAX)
    if start.word == start_position.BEGINNING:
        return low
    high = consumer.end_offset(topic, partition, REQUEST_SECONDS_MAX)
    if start.word == start_position.END:
        return high
    if start.timestamp_ms is not None:
        found = consumer.offset_for_time(topic, partition, start.timestamp_ms, REQUEST_SECONDS_MAX)
        return high if found is None else found.offset
    if start.before_end is not None:
        return max(low, high - start.before_end)
    return min(max(low, start.offset or 0), high)


Ends = dict[tuple[str, int], int]
"""Offsets at which reading ends, by topic and partition."""


def _ends(consumer: "Consumer", partitions: "Sequence[TopicPartition]") -> Ends:
    """Where partitions end now."""
    places = [(topic, index) for topic, index, _ in partitions]
    return {place: consumer.end_offset(*place, REQUEST_SECONDS_MAX) for place in places}


def _records(consumer: "Consumer", ends: Callable[[], Ends | None]) -> Iterator[list[Record]]:
    """Batches of records, in each partition's order; ends when all partitions are read up to their ends,
    which are None while nobody knows them, or where it is to follow."""
    while True:
        limits = ends()
        if limits is not None and all(consumer.position(*place) >= end for place, end in limits.items()):
            return
        try:
            yield [record_of(record) for record in consumer.poll(_POLL_SECONDS, _BATCH_MAX)]
        except KafkaError as error:
            raise CommandFailed(f"Reading stopped: {sentence(error)}") from error
