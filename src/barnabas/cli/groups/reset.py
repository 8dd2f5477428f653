"""`barnabas groups reset`: show where a group would go, then move it there."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import click

from barnabas.cli.brokers import EARLIEST, LATEST, Brokers, list_offsets
from barnabas.cli.brokers.offsets import Partition
from barnabas.cli.connection import Connection
from barnabas.cli.errors import CommandFailed
from barnabas.cli.groups.alter import alter_offsets
from barnabas.cli.groups.details import describe_groups
from barnabas.cli.groups.lookup import known_groups
from barnabas.cli.groups.model import CLASSIC, Position
from barnabas.cli.groups.options import confirmed, dry_run_option, gathered, json_option, yes_option
from barnabas.cli.groups.plan import (
    Bounds,
    Destination,
    Move,
    Selection,
    Way,
    moves_of,
    parse_selection,
    plan,
)
from barnabas.cli.groups.positions import positions_of
from barnabas.cli.groups.show import or_dash
from barnabas.cli.output import counted, print_json, print_table
from barnabas.cli.start_position import parse_duration, parse_moment


class ResetOptions(NamedTuple):
    """What was asked for: a destination for the selected topics, or a file with offsets."""

    selections: tuple[Selection, ...]
    all_topics: bool
    destination: Destination | None
    file: str | None
    dry_run: bool
    yes: bool
    as_json: bool


def reset_group(connection: Connection, name: str, options: ResetOptions, kind: str | None = None) -> None:
    """Shows the plan for a group, and carries it out unless it is a dry run."""
    with Brokers(connection) as brokers:
        known = list(known_groups(brokers, [name], kind).values())
        group = describe_groups(brokers, known)[0] if known else None
        if group and group.active and not options.dry_run:
            raise CommandFailed(
                f"{name} is {group.state} with {counted(len(group.members), 'member')}: stop them first. "
                "--dry-run shows the plan meanwhile."
            )
        positions = positions_of(brokers, [group])[name] if group else []
        moves = _moves(brokers, name, options, positions)
        _show(name, moves, as_json=options.as_json)
        if options.dry_run:
            return
        confirmed(f"Move {name} in {counted(len(moves), 'partition')}?", yes=options.yes)
        alter_offsets(brokers, name, group.kind if group else kind or CLASSIC, moves)
        if not options.as_json:
            click.echo(f"{name} moved in {counted(len(moves), 'partition')}")


def _moves(brokers: Brokers, name: str, options: ResetOptions, positions: Sequence[Position]) -> list[Move]:
    current = {position.place: position.offset for position in positions if position.offset is not None}
    if options.file is not None:
        return _from_file(brokers, options.file, name, current)
    assert options.destination is not None
    places = _places(brokers, name, options, positions)
    at_time = {}
    if options.destination.way is Way.TIME:
        at_time = list_offsets(brokers, dict.fromkeys(places, options.destination.value))
    return plan(options.destination, places, current, _bounds(brokers, places, at_time))


def _from_file(brokers: Brokers, file: str, name: str, current: Mapping[Partition, int]) -> list[Move]:
    try:
        wanted = moves_of(Path(file).read_text(encoding="utf-8").splitlines(), name)
    except ValueError as error:
        raise CommandFailed(f"{file}: {error}") from error
    if not wanted:
        raise CommandFailed(f"{file} has no offset for {name}.")
    bounds = _bounds(brokers, list(wanted), {})
    return [
        move
        for place, offset in sorted(wanted.items())
        for move in plan(Destination(Way.OFFSET, offset), [place], current, bounds)
    ]


def _places(
    brokers: Brokers, name: str, options: ResetOptions, positions: Sequence[Position]
) -> list[Partition]:
    if options.all_topics:
        if not positions:
            raise CommandFailed(f"{name} has no offsets yet: name the topics with --topic.")
        return [position.place for position in positions]
    topics = brokers.topics(selection.topic for selection in options.selections)
    places: list[Partition] = []
    for topic, chosen in options.selections:
        if topic not in topics:
            raise CommandFailed(f"There is no topic {topic}.")
        there = sorted(partition.partition_index for partition in topics[topic].partitions)
        if missing := sorted(set(chosen or ()) - set(there)):
            raise CommandFailed(f"{topic} has no partition {missing[0]}: they go from 0 to {there[-1]}.")
        places += [(topic, index) for index in (there if chosen is None else chosen)]
    return list(dict.fromkeys(places))


def _bounds(brokers: Brokers, places: Sequence[Partition], at_time: Mapping[Partition, int]) -> Bounds:
    return Bounds(
        list_offsets(brokers, dict.fromkeys(places, EARLIEST)),
        list_offsets(brokers, dict.fromkeys(places, LATEST)),
        at_time,
    )


def _show(name: str, moves: Sequence[Move], *, as_json: bool) -> None:
    if as_json:
        for move in moves:
            print_json(move.as_document(name))
        return
    print_table(
        ("TOPIC", "PARTITION", "FROM", "TO", "RECORDS"),
        [(move.topic, move.partition, or_dash(move.old), move.new, move) for move in moves],
    )


def _options(given: dict[str, Any]) -> ResetOptions:
    now_ms = time.time_ns() // 1_000_000
    try:
        selections = tuple(parse_selection(text) for text in given["topics"])
        destinations = _destinations(given, now_ms)
    except ValueError as error:
        raise click.UsageError(f"{error}.") from error
    file = given["file"]
    if len(destinations) + (file is not None) != 1:
        raise click.UsageError(
            "Say where to go, in one way: --to-earliest, --to-latest, --to-current, --to-offset, --shift-by, "
            "--to-datetime, --by-duration or --from-file."
        )
    if (file is None) != (bool(selections) != given["all_topics"]):
        raise click.UsageError(
            "Say which topics: --topic or --all-topics, one of them; --from-file has its own."
        )
    return ResetOptions(
        selections,
        given["all_topics"],
        destinations[0] if destinations else None,
        file,
        given["dry_run"],
        given["yes"],
        given["as_json"],
    )


def _destinations(given: dict[str, Any], now_ms: int) -> list[Destination]:
    """All that were named; one is right."""
    words = {"to_earliest": Way.EARLIEST, "to_latest": Way.LATEST, "to_current": Way.CURRENT}
    found = [Destination(way) for name, way in words.items() if given[name]]
    if given["to_offset"] is not None:
        found.append(Destination(Way.OFFSET, given["to_offset"]))
    if given["shift_by"] is not None:
        found.append(Destination(Way.SHIFT, given["shift_by"]))
    if given["to_datetime"] is not None:
        found.append(Destination(Way.TIME, parse_moment(given["to_datetime"])))
    if given["by_duration"] is not None:
        found.append(Destination(Way.TIME, max(now_ms - parse_duration(given["by_duration"]), 0)))
    return found


_OPTIONS: tuple[Callable[[Any], Any], ...] = (
    click.option(
        "-t",
        "--topic",
        "topics",
        multiple=True,
        metavar="TOPIC[:0,2-5]",
        help="A topic, or some of its partitions. May be repeated.",
    ),
    click.option("--all-topics", is_flag=True, help="All topics in which the group has offsets."),
    click.option("--to-earliest", is_flag=True, help="To the beginning."),
    click.option("--to-latest", is_flag=True, help="To the end."),
    click.option("--to-current", is_flag=True, help="To where it is; to the end without an offset."),
    click.option("--to-offset", type=click.IntRange(0), metavar="N", help="To this offset."),
    click.option("--shift-by", type=int, metavar="N", help="N records on; back with a negative N."),
    click.option(
        "--to-datetime", metavar="TIME", help="To the first record that isn't older: 2026-11-21T08:00, @MS."
    ),
    click.option("--by-duration", metavar="TIME", help="So far back from now: 90s, 1h30m, PT1H30M."),
    click.option(
        "--from-file",
        "file",
        type=click.Path(exists=True, dir_okay=False),
        metavar="FILE",
        help="To the offsets of a plan: what --json has printed, or Kafka's topic,partition,offset.",
    ),
    dry_run_option,
    yes_option,
    json_option,
)
_OPTION_NAMES = (
    "topics",
    "all_topics",
    "to_earliest",
    "to_latest",
    "to_current",
    "to_offset",
    "shift_by",
    "to_datetime",
    "by_duration",
    "file",
    "dry_run",
    "yes",
    "as_json",
)

reset_options = gathered(_OPTIONS, _OPTION_NAMES, _options)
"""Adds the options of a reset."""
