"""`barnabas produce`: lines of standard input become records."""

import sys
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, BinaryIO

import click

from barnabas.cli.connection import CONNECT_SECONDS_MAX, REQUEST_SECONDS_MAX, Connection, connection_options
from barnabas.cli.errors import CommandFailed, sentence
from barnabas.cli.output import counted, print_json
from barnabas.cli.record_input import InputRecord, from_json, from_line
from barnabas.errors import BarnabasError, KafkaError

if TYPE_CHECKING:
    from barnabas import Producer, RecordMetadata


@click.command()
@click.argument("topic")
@click.option(
    "--json",
    "as_json",
    is_flag=True,
    help="Each line is a JSON object: key, value, headers, partition, timestamp.",
)
@click.option("-K", "--key-separator", metavar="TEXT", help="Each line is KEY TEXT VALUE; \\t is a tab.")
@click.option("-k", "--key", metavar="TEXT", help="Key of every record.")
@click.option(
    "-H",
    "--header",
    "headers",
    multiple=True,
    metavar="NAME=VALUE",
    help="Header of every record. May be repeated.",
)
@click.option("-p", "--partition", type=click.IntRange(0), metavar="N", help="Write to this partition only.")
@click.option(
    "-z",
    "--compression",
    type=click.Choice(["none", "gzip", "snappy", "lz4", "zstd"]),
    default="none",
    show_default=True,
)
@click.option("--acks", type=click.Choice(["all", "1", "0"]), default="all", show_default=True)
@click.option("--report", is_flag=True, help="Print partition and offset of each record, as JSON lines.")
@connection_options
def produce(
    connection: Connection,
    topic: str,
    as_json: bool,
    key_separator: str | None,
    key: str | None,
    headers: Sequence[str],
    partition: int | None,
    compression: str,
    acks: str,
    report: bool,
) -> None:
    """Write each line of standard input to TOPIC as one record.

    \b
      echo hello | barnabas produce greetings
      barnabas produce orders -K : < orders.txt              lines such as  42:paid
      barnabas produce orders --json < orders.jsonl          {"key": "42", "value": {"state": "paid"}}
      barnabas consume -b a:9092 t --format json | barnabas produce -b b:9092 t --json

    In JSON, a value that is no string is written as JSON, null is a delete marker, and key_base64 and
    value_base64 hold bytes. The exit code is 1 when a record could not be written.
    """
    if as_json and key_separator is not None:
        raise click.UsageError("--json and --key-separator are two ways to write a key: use one.")
    separator = key_separator.replace("\\t", "\t").encode() if key_separator is not None else None
    sending = _Sending(
        topic,
        [_header(text) for text in headers],
        key.encode() if key is not None else None,
        partition,
        report,
    )
    producer = _producer(connection, topic, compression, acks)
    interactive = sys.stdin.isatty()
    if interactive:
        click.echo(f"Each line is a record for {topic}; Ctrl-D ends.", err=True)
    try:
        for number, line in enumerate(_lines(sys.stdin.buffer), start=1):
            try:
                record = from_json(line) if as_json else from_line(line, separator)
            except ValueError as error:
                raise CommandFailed(f"line {number}: {error}.") from None
            sending.send(producer, record)
            if interactive:
                producer.flush_all(REQUEST_SECONDS_MAX)
    finally:
        producer.flush_all(REQUEST_SECONDS_MAX)
        producer.stop()
        if interactive or sys.stderr.isatty():
            click.echo(sending.summary(), err=True)
    if sending.failure is not None or sending.left:
        raise CommandFailed(sending.failure or f"{sending.left} records were not acknowledged in time.")


class _Sending:
    """What is the same for all records of one call, and how many have arrived."""

    def __init__(
        self,
        topic: str,
        headers: list[tuple[str, bytes | None]],
        key: bytes | None,
        partition: int | None,
        report: bool,
    ) -> None:
        self.topic = topic
        self.headers = headers
        self.key = key
        self.partition = partition
        self.report = report
        self.written = 0
        self.left = 0
        """Records of which nothing is known yet."""
        self.failure: str | None = None
        """Why a record was not written; the first of them."""
        self._started = time.monotonic()

    def send(self, producer: "Producer", record: InputRecord) -> None:
        """Hands a record in, waiting while there is no room. Raises CommandFailed once one has failed."""
        if self.failure is None:
            self.left += 1
            try:
                producer.produce(
                    self.topic,
                    record.value,
                    self.key or record.key,
                    record.partition if self.partition is None else self.partition,
                    self._delivered,
                    record.timestamp_ms,
                    self.headers + record.headers,
                )
            except BarnabasError as error:
                self._delivered(error, None)
            producer.poll(0)
        if self.failure is not None:
            raise CommandFailed(self.failure)

    def summary(self) -> str:
        """How many records were written and how fast, in words."""
        seconds = max(time.monotonic() - self._started, 1e-9)
        return f"{counted(self.written, 'record')} written to {self.topic} in {seconds:.1f} s."

    def _delivered(self, error: Exception | None, metadata: "RecordMetadata | None") -> None:
        self.left -= 1
        if metadata is None:
            self.failure = self.failure or f"A record was not written to {self.topic}: {sentence(error)}"
            return
        self.written += 1
        if self.report:
            print_json({"topic": self.topic, "partition": metadata.partition, "offset": metadata.offset})


def _producer(connection: Connection, topic: str, compression: str, acks: str) -> "Producer":
    """A producer for a topic that is there, or that the brokers have just created."""
    try:
        producer = connection.producer({"compression.type": compression, "acks": acks})
    except KafkaError as error:
        raise CommandFailed(sentence(error)) from error
    try:
        producer.partitions_for(topic, CONNECT_SECONDS_MAX * 2)
    except KafkaError as error:
        producer.stop()
        raise CommandFailed(f"Topic {topic} can't be written: {sentence(error)}") from error
    except BarnabasError as error:
        producer.stop()
        where = connection.bootstrap
        raise CommandFailed(f"The cluster at {where} does not answer: {sentence(error)}") from error
    return producer


def _lines(stream: BinaryIO) -> Any:
    for line in stream:
        yield line.removesuffix(b"\n").removesuffix(b"\r")


def _header(text: str) -> tuple[str, bytes | None]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise click.BadParameter(f"'{text}' must be written as name=value", param_hint="--header")
    return name, value.encode()
