"""`barnabas transactions`: list, describe, producers, find-hanging, abort."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import datetime

import click

from barnabas.cli.brokers import Brokers
from barnabas.cli.brokers.offsets import Partition
from barnabas.cli.connection import Connection, connection_options
from barnabas.cli.errors import CommandFailed
from barnabas.cli.groups.options import confirmed, dry_run_option, json_option, yes_option
from barnabas.cli.groups.plan import parse_selection
from barnabas.cli.groups.show import or_dash, partition_list
from barnabas.cli.output import counted, print_json, print_table
from barnabas.cli.start_position import parse_duration
from barnabas.cli.transactions.abort import fence, open_at, write_abort_marker
from barnabas.cli.transactions.asking import (
    describe_producers,
    describe_transactions,
    leader,
    leaders,
    list_transactions,
)
from barnabas.cli.transactions.hanging import find_hanging
from barnabas.cli.transactions.model import STATES, Producer, Transaction


def _partition(context: click.Context, parameter: click.Parameter, text: str | None) -> Partition | None:
    """One partition, written as `orders:3`."""
    if text is None:
        return None
    try:
        topic, partitions = parse_selection(text)
    except ValueError as error:
        raise click.BadParameter(f"{error}.", context, parameter) from error
    if partitions is None or len(partitions) != 1:
        raise click.BadParameter(f"'{text}' must be written as TOPIC:PARTITION.", context, parameter)
    return topic, partitions[0]


def _duration(context: click.Context, parameter: click.Parameter, text: str | None) -> int | None:
    """A span of time, in milliseconds."""
    try:
        return None if text is None else parse_duration(text)
    except ValueError as error:
        raise click.BadParameter(f"{error}.", context, parameter) from error


@click.group()
def transactions() -> None:
    """Find transactions and their producers; abort those that hang.

    \b
      barnabas transactions list --state ongoing
      barnabas transactions describe payments-1
      barnabas transactions find-hanging
      barnabas transactions abort payments-1
    """


@transactions.command("list")
@click.option("-l", "--long", is_flag=True, help="With states and producers.")
@click.option(
    "--state",
    "states",
    multiple=True,
    type=click.Choice(STATES, case_sensitive=False),
    help="Only those in this state. May be repeated.",
)
@click.option(
    "--producer-id", "producer_ids", multiple=True, type=int, metavar="N", help="Only of this producer."
)
@click.option(
    "--running-longer-than",
    "running_ms",
    callback=_duration,
    metavar="TIME",
    help="Open for longer: 90s, 1h30m.",
)
@click.option("--pattern", metavar="REGEX", help="Only ids that match (RE2, the whole id).")
@json_option
@connection_options
def list_command(
    connection: Connection,
    long: bool,
    states: Sequence[str],
    producer_ids: Sequence[int],
    running_ms: int | None,
    pattern: str | None,
    as_json: bool,
) -> None:
    """Print all transactional ids.

    \b
      barnabas transactions list --long
      barnabas transactions list --state ongoing --running-longer-than 10m
    """
    with Brokers(connection) as brokers:
        found = list_transactions(brokers, states, producer_ids, running_ms, pattern)
    if as_json:
        for one in found:
            print_json(one.as_document())
    elif long:
        print_table(
            ("TRANSACTIONAL ID", "STATE", "PRODUCER", "COORDINATOR"),
            [(one.name, one.state, one.producer_id, one.coordinator) for one in found],
        )
    else:
        for one in found:
            click.echo(one.name)


@transactions.command()
@click.argument("names", metavar="TRANSACTIONAL_ID...", nargs=-1, required=True)
@json_option
@connection_options
def describe(connection: Connection, names: Sequence[str], as_json: bool) -> None:
    """Show what transactional ids are doing: state, producer, partitions, for how long."""
    with Brokers(connection) as brokers:
        found = describe_transactions(brokers, names)
    if missing := [name for name in names if name not in found]:
        raise CommandFailed(
            f"There is no transactional id {missing[0]}. "
            "`barnabas transactions list` shows those that there are."
        )
    for name in dict.fromkeys(names):
        if as_json:
            print_json(found[name].as_document())
        else:
            _show(found[name])


@transactions.command()
@click.argument("place", metavar="TOPIC:PARTITION", callback=_partition)
@click.option("--broker", type=int, metavar="ID", help="[default: the leader]")
@json_option
@connection_options
def producers(connection: Connection, place: Partition, broker: int | None, as_json: bool) -> None:
    """Show the producers that a partition knows, and their open transactions.

    \b
      barnabas transactions producers orders:0
    """
    with Brokers(connection) as brokers:
        node_id = leader(brokers, place) if broker is None else broker
        found = describe_producers(brokers, node_id, [place])
    _show_producers(found, as_json=as_json)


@transactions.command("find-hanging")
@click.option("-t", "--topic", "topics", multiple=True, metavar="TOPIC[:0,2-5]", help="Only in this topic.")
@click.option("--broker", type=int, metavar="ID", help="Only what this broker leads.")
@click.option(
    "--older-than",
    "older_than_ms",
    callback=_duration,
    default="15m",
    show_default=True,
    metavar="TIME",
    help="Without a record for so long: at least transaction.max.timeout.ms.",
)
@json_option
@connection_options
def find_hanging_command(
    connection: Connection, topics: Sequence[str], broker: int | None, older_than_ms: int, as_json: bool
) -> None:
    """Find transactions that are open in a partition and that no coordinator will end.

    They hold up read_committed consumers and compaction. Without options all partitions are looked at.
    """
    try:
        selections = [parse_selection(text) for text in topics]
    except ValueError as error:
        raise click.UsageError(f"{error}.") from error
    with Brokers(connection) as brokers:
        names = [selection.topic for selection in selections] or None
        places = leaders(brokers, names)
        if missing := set(names or ()) - {topic for topic, _ in places}:
            raise CommandFailed(f"There is no topic {min(missing)}.")
        chosen = {
            place: node_id
            for place, node_id in places.items()
            if broker in (None, node_id)
            and (
                not selections
                or any(
                    place[0] == one.topic and (one.partitions is None or place[1] in one.partitions)
                    for one in selections
                )
            )
        }
        found = find_hanging(brokers, chosen, older_than_ms, _now_ms())
    if not found and not as_json:
        click.echo(f"No transaction hangs in {counted(len(chosen), 'partition')}.")
        return
    _show_producers(found, as_json=as_json)
    if not as_json:
        click.echo()
        for one in found:
            click.echo(
                f"barnabas transactions abort --partition {one.topic}:{one.partition} "
                f"--start-offset {one.start_offset}"
            )


@transactions.command()
@click.argument("name", metavar="[TRANSACTIONAL_ID]", required=False)
@click.option(
    "-p",
    "--partition",
    "place",
    callback=_partition,
    metavar="TOPIC:PARTITION",
    help="Only in this partition.",
)
@click.option(
    "--start-offset", type=click.IntRange(0), metavar="N", help="Where the transaction begins in it."
)
@dry_run_option
@yes_option
@json_option
@connection_options
def abort(
    connection: Connection,
    name: str | None,
    place: Partition | None,
    start_offset: int | None,
    dry_run: bool,
    yes: bool,
    as_json: bool,
) -> None:
    """Abort a transaction, by its id or where it hangs.

    With an id its coordinator aborts what is open, and the producer is fenced: it can't go on. With a
    partition and an offset, which `find-hanging` prints, an abort marker is written there; that is for
    transactions whose coordinator has forgotten them, and tears any other.

    \b
      barnabas transactions abort payments-1
      barnabas transactions abort --partition orders:0 --start-offset 1234
    """
    if (name is None) == (place is None) or (place is None) != (start_offset is None):
        raise click.UsageError("Name a transactional id, or give --partition and --start-offset.")
    with Brokers(connection) as brokers:
        if name is not None:
            _abort_named(brokers, name, dry_run=dry_run, yes=yes, as_json=as_json)
        elif place is not None and start_offset is not None:
            producer = open_at(brokers, place, start_offset)
            _show_producers([producer], as_json=as_json)
            if not dry_run:
                confirmed(f"Write an abort marker to {place[0]}:{place[1]}?", yes=yes)
                write_abort_marker(brokers, producer)


def _abort_named(brokers: Brokers, name: str, *, dry_run: bool, yes: bool, as_json: bool) -> None:
    found = describe_transactions(brokers, [name]).get(name)
    if found is None:
        raise CommandFailed(f"There is no transactional id {name}.")
    if as_json:
        print_json(found.as_document())
    else:
        _show(found)
    if dry_run:
        return
    confirmed(f"Abort what is open under {name}, and fence its producer?", yes=yes)
    fence(brokers, name)
    if not as_json:
        click.echo(f"{name} aborted")


def _show(one: Transaction) -> None:
    topics: dict[str, list[int]] = {}
    for topic, index in one.partitions:
        topics.setdefault(topic, []).append(index)
    click.echo(f"{click.style(one.name, bold=True)}: {one.state}")
    click.echo(f"  producer {one.producer_id}, epoch {one.producer_epoch}, coordinator {one.coordinator}")
    if one.started_ms is not None:
        seconds = max(_now_ms() - one.started_ms, 0) / 1000
        click.echo(
            f"  open for {seconds:.1f} s of {one.timeout_ms / 1000:.0f} s, since {_moment(one.started_ms)}"
        )
    if topics:
        click.echo(f"  partitions {partition_list(topics)}")


def _show_producers(found: Sequence[Producer], *, as_json: bool) -> None:
    if as_json:
        for one in found:
            print_json(one.as_document())
        return
    print_table(
        ("TOPIC", "PARTITION", "PRODUCER", "EPOCH", "COORDINATOR EPOCH", "OPEN SINCE OFFSET", "LAST RECORD"),
        [
            (
                one.topic,
                one.partition,
                one.producer_id,
                one.producer_epoch,
                one.coordinator_epoch,
                or_dash(one.start_offset),
                _moment(one.last_timestamp_ms) if one.last_timestamp_ms >= 0 else "-",
            )
            for one in found
        ],
    )


def _moment(timestamp_ms: int) -> str:
    return datetime.fromtimestamp(timestamp_ms / 1000).astimezone().isoformat(timespec="seconds")


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
