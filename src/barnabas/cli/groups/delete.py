"""`barnabas groups delete`: whole groups, or what they have committed for topics."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import click

from barnabas.cli.brokers import COORDINATOR_ERRORS, Brokers, retried
from barnabas.cli.brokers.cluster import check
from barnabas.cli.brokers.offsets import Partition
from barnabas.cli.connection import Connection
from barnabas.cli.errors import CommandFailed
from barnabas.cli.groups.alter import delete_offsets, explained
from barnabas.cli.groups.details import describe_groups
from barnabas.cli.groups.lookup import find_groups, known_groups
from barnabas.cli.groups.model import SHARE, Group, ListedGroup, Position
from barnabas.cli.groups.options import (
    Command,
    confirmed,
    dry_run_option,
    gathered,
    json_option,
    yes_option,
)
from barnabas.cli.groups.plan import Selection, parse_selection
from barnabas.cli.groups.positions import positions_of
from barnabas.cli.groups.show import or_dash
from barnabas.cli.output import counted, print_json, print_table
from barnabas.errors import KafkaError
from barnabas.protocol.generated.delete_groups_request import DeleteGroupsRequest
from barnabas.protocol.generated.delete_groups_response import DeleteGroupsResponse


class DeleteOptions(NamedTuple):
    """What is to go, and how."""

    selections: tuple[Selection, ...]
    """Of which topics; none when whole groups are to go."""
    if_exists: bool
    dry_run: bool
    yes: bool
    as_json: bool


def delete_groups(
    connection: Connection, names: Sequence[str], options: DeleteOptions, kind: str | None = None
) -> None:
    """Shows what is to go, and deletes it unless it is a dry run."""
    dry_run, yes, as_json = options.dry_run, options.yes, options.as_json
    with Brokers(connection) as brokers:
        if options.if_exists:
            known = known_groups(brokers, names, kind)
            listed = [known[name] for name in dict.fromkeys(names) if name in known]
        else:
            listed = find_groups(brokers, names, kind)
        if options.selections:
            _delete_offsets(brokers, listed, options.selections, dry_run=dry_run, yes=yes, as_json=as_json)
        else:
            _delete_whole(brokers, listed, dry_run=dry_run, yes=yes, as_json=as_json)


def _options(given: dict[str, Any]) -> DeleteOptions:
    try:
        selections = tuple(parse_selection(text) for text in given.pop("topics"))
    except ValueError as error:
        raise click.UsageError(f"{error}.") from error
    return DeleteOptions(selections, **given)


def delete_options(topics: str, of_them: str) -> Callable[[Command], Command]:
    """Adds the options of a deletion; `topics` and `of_them` say what of topics may be named."""
    options = (
        click.option(
            "-t",
            "--topic",
            "topics",
            multiple=True,
            metavar=topics,
            help=f"Delete only the offsets of this topic{of_them}. May be repeated.",
        ),
        click.option("--if-exists", is_flag=True, help="Be content when there is no such group."),
        dry_run_option,
        yes_option,
        json_option,
    )
    return gathered(options, ("topics", "if_exists", "dry_run", "yes", "as_json"), _options)


def _delete_whole(
    brokers: Brokers, listed: Sequence[ListedGroup], *, dry_run: bool, yes: bool, as_json: bool
) -> None:
    if dry_run:
        described = describe_groups(brokers, listed)
        _show_groups(described, positions_of(brokers, described), as_json=as_json)
        return
    if listed:
        names = ", ".join(group.name for group in listed)
        confirmed(f"Delete {counted(len(listed), 'group')} with all offsets: {names}?", yes=yes)
    problems = {}
    for node_id in {group.coordinator for group in listed}:
        mine = [group.name for group in listed if group.coordinator == node_id]
        problems.update(_delete_at(brokers, node_id, mine))
    for group in listed:
        problem = problems.get(group.name)
        if as_json:
            print_json({"name": group.name, "ok": problem is None, "error": problem})
        elif problem is None:
            click.echo(f"{group.name} deleted")
    if problems:
        raise CommandFailed("\n".join(f"{name}: {problem}" for name, problem in problems.items()))


def _delete_at(brokers: Brokers, node_id: int, names: Sequence[str]) -> dict[str, str]:
    """Why groups of one coordinator could not be deleted, by name. What is not ready is asked again."""
    left, problems = list(names), {}

    def attempt() -> None:
        answer = brokers.ask(DeleteGroupsRequest(left), DeleteGroupsResponse, node_id=node_id)
        waiting: KafkaError | None = None
        for result in answer.results:
            try:
                check(result.error_code, result.error_message)
            except COORDINATOR_ERRORS as error:
                waiting = error
                continue
            except KafkaError as error:
                problems[result.group_id] = explained(error)
            left.remove(result.group_id)
        if waiting is not None:
            raise waiting

    retried(attempt)
    return problems


def _show_groups(groups: Sequence[Group], positions: dict[str, list[Position]], *, as_json: bool) -> None:
    if as_json:
        for group in groups:
            print_json(
                {
                    "name": group.name,
                    "kind": group.kind,
                    "state": group.state,
                    "members": len(group.members),
                    "partitions": len(positions[group.name]),
                }
            )
        return
    print_table(
        ("GROUP", "KIND", "STATE", "MEMBERS", "PARTITIONS"),
        [
            (group.name, group.kind, group.state, len(group.members), len(positions[group.name]))
            for group in groups
        ],
    )


def _delete_offsets(
    brokers: Brokers,
    listed: Sequence[ListedGroup],
    selections: Sequence[Selection],
    *,
    dry_run: bool,
    yes: bool,
    as_json: bool,
) -> None:
    positions = positions_of(brokers, describe_groups(brokers, listed))
    meant = {
        group.name: [
            position
            for selection in selections
            for position in _meant(group, selection, positions[group.name])
        ]
        for group in listed
    }
    lines = [(name, position) for name, mine in meant.items() for position in mine]
    if as_json:
        for name, position in lines:
            print_json({"group": name} | position.as_document())
    else:
        print_table(
            ("GROUP", "TOPIC", "PARTITION", "OFFSET"),
            [(name, one.topic, one.partition, or_dash(one.offset)) for name, one in lines],
        )
    if dry_run:
        return
    confirmed(f"Delete {counted(len(lines), 'offset')}?", yes=yes)
    for group in listed:
        places: list[Partition] = [position.place for position in meant[group.name]]
        delete_offsets(brokers, group.name, group.kind, places)
        if not as_json:
            click.echo(f"{group.name}: {counted(len(places), 'offset')} deleted")


def _meant(group: ListedGroup, selection: Selection, positions: Sequence[Position]) -> list[Position]:
    topic, partitions = selection
    if group.kind == SHARE and partitions is not None:
        raise CommandFailed(
            f"{group.name} is a share group: its offsets go for whole topics, --topic {topic}."
        )
    found = [
        position
        for position in positions
        if position.topic == topic
        and (partitions is None or position.partition in partitions)
        and position.offset is not None
    ]
    if not found:
        raise CommandFailed(f"{group.name} has no offset there: {topic}.")
    return found
