"""`barnabas consume`: the records of a topic on standard output. Without --group it joins no group and
commits nothing."""

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from barnabas.cli import record_format, start_position
from barnabas.cli.connection import CONNECT_SECONDS_MAX, REQUEST_SECONDS_MAX, Connection, connection_options
from barnabas.cli.errors import CommandFailed, sentence
from barnabas.cli.record_format import Formatter, Record
from barnabas.cli.start_position import StartPosition

if TYPE_CHECKING:
    from confluent_kafka import Consumer, TopicPartition

_BATCH_MAX = 500
_POLL_SECONDS = 0.5
_END_WAIT_MS = 20


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
@click.option(
    "-o",
    "--format",
    "form",
    default="text",
    metavar="FORMAT",
    help="text, json, hex, or a template such as '%k: %v'.  [default: text]",
)
@click.option("--json", "as_json", is_flag=True, help="The same as --format json.")
@click.option("--keys", is_flag=True, help="Text: the key before the value.")
@click.option("--headers", is_flag=True, help="Text: the headers before the value.")
@click.option("--timestamps", is_flag=True, help="Text: the timestamp before the value.")
@click.option("--offsets", is_flag=True, help="Text: partition:offset before the value.")
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
    form: str,
    as_json: bool,
    keys: bool,
    headers: bool,
    timestamps: bool,
    offsets: bool,
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

    Columns of text are separated by tabs. Without --group it joins no group and commits nothing. With it,
    --from only says where the group begins in a partition that it has not read yet. Fields of templates:
    %k key, %v value, %K and %V their lengths (-1 for null), %h headers, %t topic, %p partition, %o offset,
    %T timestamp in ms, %d timestamp as a date, %% a percent sign; \\n, \\t, \\r, \\0 and \\\\ are escapes.
    """
    try:
        position = start_position.parse_start(start, time.time_ns() // 1_000_000)
        formatter = _formatter("json" if as_json else form, keys, headers, timestamps, offsets)
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    if follow is None:
        follow = position.word == start_position.END
    if group is not None:
        _consume_group(
            connection, topic, partitions, group, position, isolation, formatter, count_max, follow
        )
        return
    consumer = _consumer(connection, isolation, follow=follow)
    try:
        assignment = _assignment(consumer, connection, topic, partitions, position)
        consumer.assign(assignment)
        _print(_records(consumer, lambda: len(assignment), follow=follow), formatter, count_max)
    finally:
        consumer.close()


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
    consumer = _consumer(
        connection,
        isolation,
        follow=follow,
        group_id=group,
        auto_offset_reset=reset,
        enable_auto_commit=True,
        enable_auto_offset_store=False,
    )
    try:
        strategy = connection.config.get("partition.assignment.strategy", "")
        # Consumer groups (KIP-848) are given and lose single partitions too.
        cooperative = "cooperative" in strategy or connection.config.get("group.protocol") == "consumer"
        consume_group.subscribe(consumer, topic, reset, cooperative=cooperative)
        batches = _records(consumer, partial(consume_group.assigned_count, consumer), follow=follow)
        _print(batches, formatter, count_max, partial(consume_group.note_printed, consumer))
    finally:
        consumer.close()


def _formatter(form: str, keys: bool, headers: bool, timestamps: bool, offsets: bool) -> Formatter:
    match form:
        case "text":
            return record_format.text_formatter(
                keys=keys, headers=headers, timestamps=timestamps, offsets=offsets
            )
        case "json":
            return record_format.json_line
        case "hex":
            return record_format.hex_dump
        case _ if "%" in form:
            return record_format.template_formatter(form)
    raise ValueError(f"'{form}' is no format: text, json, hex, or a template such as '%k: %v'")


def _consumer(connection: Connection, isolation: str, *, follow: bool, **config: Any) -> "Consumer":
    from confluent_kafka import Consumer, KafkaException

    connection.check_reachable()
    try:
        return Consumer(
            connection.client_config(
                **{
                    "group_id": "barnabas-cli",
                    "enable_auto_commit": False,
                    "enable_partition_eof": True,
                    "auto_offset_reset": "earliest",
                    "isolation_level": isolation,
                    # The end of a partition is told by a fetch that waited in vain: it need not wait long.
                    "fetch_wait_max_ms": int(_POLL_SECONDS * 1000) if follow else _END_WAIT_MS,
                    **config,
                }
            )
        )
    except KafkaException as error:
        raise CommandFailed(sentence(error)) from error


def _assignment(
    consumer: "Consumer", connection: Connection, topic: str, wanted: Sequence[int], start: StartPosition
) -> "list[TopicPartition]":
    """The partitions to read and where to begin in each."""
    from confluent_kafka import KafkaException, TopicPartition

    try:
        metadata = consumer.list_topics(topic, timeout=CONNECT_SECONDS_MAX * 2).topics[topic]
        if metadata.error is not None:
            raise CommandFailed(f"Topic {topic} can't be read: {sentence(metadata.error)}")
        if missing := set(wanted) - set(metadata.partitions):
            last = len(metadata.partitions) - 1
            raise CommandFailed(f"Topic {topic} has no partition {min(missing)}: they go from 0 to {last}.")
        partitions = [TopicPartition(topic, index) for index in sorted(set(wanted) or metadata.partitions)]
        if start.timestamp_ms is not None:
            for partition in partitions:
                partition.offset = start.timestamp_ms
            return consumer.offsets_for_times(partitions, timeout=REQUEST_SECONDS_MAX)
        for partition in partitions:
            partition.offset = _offset(consumer, partition, start)
        return partitions
    except KafkaException as error:
        raise CommandFailed(
            f"The cluster at {connection.bootstrap} does not answer: {sentence(error)}"
        ) from error


def _offset(consumer: "Consumer", partition: "TopicPartition", start: StartPosition) -> int:
    from confluent_kafka import OFFSET_BEGINNING, OFFSET_END

    if start.word is not None:
        return OFFSET_BEGINNING if start.word == start_position.BEGINNING else OFFSET_END
    low, high = consumer.get_watermark_offsets(partition, timeout=REQUEST_SECONDS_MAX)
    if start.before_end is not None:
        return max(low, high - start.before_end)
    return min(max(low, start.offset or 0), high)


def _records(
    consumer: "Consumer", partitions: Callable[[], int | None], *, follow: bool
) -> Iterator[list[Record]]:
    """Batches of records, in each partition's order; ends when all partitions are read, unless it follows.
    `partitions` says how many there are, None while nobody knows."""
    from confluent_kafka import KafkaError

    ended: set[int] = set()
    while follow or len(ended) < (partitions() or len(ended) + 1):
        batch = []
        # `consume` would wait until the batch is full: wait for one record, then take what is there.
        first = consumer.poll(_POLL_SECONDS)
        for message in [first, *consumer.consume(_BATCH_MAX, 0)] if first is not None else []:
            error = message.error()
            if error is None:
                batch.append(_record(message))
            elif error.code() == KafkaError._PARTITION_EOF:
                ended.add(message.partition() or 0)
            elif not error.retriable() and error.code() != KafkaError._ALL_BROKERS_DOWN:
                raise CommandFailed(f"Reading stopped: {sentence(error)}")
        yield batch


def _record(message: Any) -> Record:
    kind, timestamp = message.timestamp()
    return Record(
        topic=message.topic(),
        partition=message.partition(),
        offset=message.offset(),
        timestamp_ms=timestamp if kind else None,
        timestamp_type=kind,
        key=message.key(),
        value=message.value(),
        headers=message.headers() or [],
    )


def _print(
    batches: Iterator[list[Record]],
    formatter: Formatter,
    count_max: int | None,
    printed: Callable[[list[Record]], None] = lambda _: None,
) -> None:
    out = sys.stdout.buffer
    left = count_max
    for batch in batches:
        shown = batch if left is None else batch[:left]
        out.write(b"".join(map(formatter, shown)))
        out.flush()
        printed(shown)
        if left is not None:
            left -= len(shown)
            if left == 0:
                return
