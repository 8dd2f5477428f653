"""`barnabas groups`: list, describe, lag, reset, configs and delete groups of every kind."""

from __future__ import annotations

from collections.abc import Sequence

import click

from barnabas.cli.brokers import Brokers
from barnabas.cli.connection import Connection, connection_options
from barnabas.cli.errors import CommandFailed
from barnabas.cli.groups import show
from barnabas.cli.groups.configs import configs
from barnabas.cli.groups.delete import DeleteOptions, delete_groups, delete_options
from barnabas.cli.groups.details import describe_groups
from barnabas.cli.groups.lookup import find_groups, list_groups
from barnabas.cli.groups.model import KINDS, STATES, Group, ListedGroup, Position, total_lag
from barnabas.cli.groups.options import (
    group_arguments,
    json_option,
    long_option,
)
from barnabas.cli.groups.positions import positions_of
from barnabas.cli.groups.reset import ResetOptions, reset_group, reset_options
from barnabas.cli.output import print_json, print_table


@click.group()
def groups() -> None:
    """List groups of all kinds, see how far they are, move their offsets, set their configs, delete them.

    \b
      barnabas groups list --long
      barnabas groups describe orders-app
      barnabas groups lag
      barnabas groups reset orders-app --topic orders --to-earliest --dry-run
      barnabas groups configs orders-app --set consumer.session.timeout.ms=60000
      barnabas groups delete orders-app
    """


groups.add_command(configs)


@groups.command("list")
@long_option
@click.option(
    "--kind",
    "kinds",
    multiple=True,
    type=click.Choice(KINDS, case_sensitive=False),
    help="Only groups of this kind. May be repeated.",
)
@click.option(
    "--state",
    "states",
    multiple=True,
    type=click.Choice(STATES, case_sensitive=False),
    help="Only groups in this state. May be repeated.",
)
@json_option
@connection_options
def list_command(
    connection: Connection, long: bool, kinds: Sequence[str], states: Sequence[str], as_json: bool
) -> None:
    """Print the names of all groups.

    \b
      barnabas groups list --long
      barnabas groups list --kind consumer --state empty
    """
    with Brokers(connection) as brokers:
        found = list_groups(brokers)
    chosen = [
        group
        for group in found
        if (not kinds or group.kind in kinds) and (not states or group.state in states)
    ]
    show.show_list(chosen, long=long, as_json=as_json)


@groups.command()
@group_arguments(required=False)
@click.option("-a", "--all", "everything", is_flag=True, help="All groups.")
@json_option
@connection_options
def describe(connection: Connection, names: Sequence[str], everything: bool, as_json: bool) -> None:
    """Show groups' states, members with their partitions, and offsets with their lag.

    \b
      barnabas groups describe orders-app
      barnabas groups describe --all --json
    """
    if not names and not everything:
        raise click.UsageError("Name a group, or say --all.")
    describe_named(connection, names, as_json=as_json)


def describe_named(
    connection: Connection, names: Sequence[str], *, as_json: bool, kind: str | None = None
) -> None:
    """Prints the named groups; all without names."""
    with Brokers(connection) as brokers:
        described = describe_groups(brokers, _chosen(brokers, names, kind))
        positions = positions_of(brokers, described)
        for place, group in enumerate(described):
            if as_json:
                print_json(show.group_document(group, positions[group.name]))
                continue
            if place:
                click.echo()
            show.show_group(brokers, group, positions[group.name])


@groups.command()
@group_arguments(required=False)
@click.option("-p", "--partitions", "by_partition", is_flag=True, help="A line for each partition.")
@click.option(
    "--max",
    "lag_max",
    type=click.IntRange(0),
    metavar="N",
    help="End with exit code 1 when a group's lag is over N.",
)
@json_option
@connection_options
def lag(
    connection: Connection, names: Sequence[str], by_partition: bool, lag_max: int | None, as_json: bool
) -> None:
    """Show how many records groups are behind: all groups, or those named.

    \b
      barnabas groups lag
      barnabas groups lag orders-app --partitions
      barnabas groups lag orders-app --max 1000 || page-somebody
    """
    lag_of_named(connection, names, by_partition=by_partition, lag_max=lag_max, as_json=as_json)


def lag_of_named(
    connection: Connection,
    names: Sequence[str],
    *,
    by_partition: bool,
    lag_max: int | None,
    as_json: bool,
    kind: str | None = None,
) -> None:
    """Prints the lag of the named groups; of all without names."""
    with Brokers(connection) as brokers:
        described = describe_groups(brokers, _chosen(brokers, names, kind))
        positions = positions_of(brokers, described)
    if by_partition:
        _show_partitions(described, positions, as_json=as_json)
    else:
        _show_totals(described, positions, as_json=as_json)
    if lag_max is None:
        return
    over = [group.name for group in described if (total_lag(positions[group.name]) or 0) > lag_max]
    if over:
        raise CommandFailed(f"The lag is over {lag_max} records: {', '.join(over)}.")


def _show_partitions(groups: Sequence[Group], positions: dict[str, list[Position]], *, as_json: bool) -> None:
    lines = [(group.name, position) for group in groups for position in positions[group.name]]
    if as_json:
        for name, position in lines:
            print_json({"group": name} | position.as_document())
        return
    print_table(
        ("GROUP", "TOPIC", "PARTITION", "OFFSET", "END", "LAG"),
        [(name, *show.position_cells(position)) for name, position in lines],
    )


def _show_totals(groups: Sequence[Group], positions: dict[str, list[Position]], *, as_json: bool) -> None:
    rows = []
    for group in groups:
        mine = positions[group.name]
        behind = sum(1 for position in mine if position.lag)
        total = total_lag(mine)
        if as_json:
            print_json(
                {
                    "group": group.name,
                    "kind": group.kind,
                    "state": group.state,
                    "members": len(group.members),
                    "partitions": len(mine),
                    "behind": behind,
                    "lag": total,
                }
            )
        rows.append(
            (group.name, group.kind, group.state, len(group.members), len(mine), behind, show.or_dash(total))
        )
    if not as_json:
        print_table(("GROUP", "KIND", "STATE", "MEMBERS", "PARTITIONS", "BEHIND", "LAG"), rows)


@groups.command()
@click.argument("name", metavar="GROUP")
@reset_options
@connection_options
def reset(connection: Connection, name: str, options: ResetOptions) -> None:
    """Move a group's offsets. Its members must be stopped.

    The plan is shown first; a person at the terminal is asked. An offset outside of a partition becomes its
    beginning or end. A group that there is not yet is made by it.

    \b
      barnabas groups reset orders-app --topic orders --to-earliest --dry-run
      barnabas groups reset orders-app --topic orders:0,3 --to-offset 1500
      barnabas groups reset orders-app --all-topics --by-duration 1h30m
      barnabas groups reset orders-app --all-topics --to-datetime 2026-11-21T08:00
      barnabas groups reset orders-app --all-topics --shift-by -100
      barnabas groups reset orders-app --all-topics --to-current --dry-run --json > plan
      barnabas groups reset orders-app --from-file plan
    """
    reset_group(connection, name, options)


@groups.command()
@group_arguments(required=True)
@delete_options("TOPIC[:0,1]", ", or of these partitions of it")
@connection_options
def delete(connection: Connection, names: Sequence[str], options: DeleteOptions) -> None:
    """Delete groups, or what they have committed for a topic. Their members must be stopped.

    \b
      barnabas groups delete orders-app --dry-run
      barnabas groups delete orders-app --topic orders:0,1
    """
    delete_groups(connection, names, options)


def _chosen(brokers: Brokers, names: Sequence[str], kind: str | None) -> list[ListedGroup]:
    if names:
        return find_groups(brokers, names, kind)
    return [group for group in list_groups(brokers) if kind in (None, group.kind)]
