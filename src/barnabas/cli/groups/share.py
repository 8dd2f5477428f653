"""`barnabas share`: what `barnabas groups` does, about share groups alone."""

from __future__ import annotations

from collections.abc import Sequence

import click

from barnabas.cli.brokers import Brokers
from barnabas.cli.connection import Connection, connection_options
from barnabas.cli.groups.commands import describe_named, lag_of_named
from barnabas.cli.groups.configs import configs
from barnabas.cli.groups.delete import DeleteOptions, delete_groups, delete_options
from barnabas.cli.groups.lookup import list_groups
from barnabas.cli.groups.model import SHARE
from barnabas.cli.groups.options import (
    group_arguments,
    json_option,
    long_option,
)
from barnabas.cli.groups.reset import ResetOptions, reset_group, reset_options
from barnabas.cli.groups.show import show_list
from barnabas.cli.share_consume import consume


@click.group()
def share() -> None:
    """List share groups, see how far they are, move their start offsets, set their configs, delete them; take
    records.

    \b
      barnabas share list
      barnabas share describe orders-workers
      barnabas share offsets orders-workers
      barnabas share reset orders-workers --topic orders --to-latest
      barnabas share configs orders-workers --set share.ordering=key
      barnabas share consume orders --group orders-workers

    `barnabas groups` does the same for groups of all kinds, but for `consume`.
    """


share.add_command(configs)
share.add_command(consume)


@share.command("list")
@long_option
@json_option
@connection_options
def list_command(connection: Connection, long: bool, as_json: bool) -> None:
    """Print the names of all share groups."""
    with Brokers(connection) as brokers:
        found = [group for group in list_groups(brokers) if group.kind == SHARE]
    show_list(found, long=long, as_json=as_json)


@share.command()
@group_arguments(required=True)
@json_option
@connection_options
def describe(connection: Connection, names: Sequence[str], as_json: bool) -> None:
    """Show share groups' states, members, start offsets and lag."""
    describe_named(connection, names, as_json=as_json, kind=SHARE)


@share.command()
@group_arguments(required=False)
@json_option
@connection_options
def offsets(connection: Connection, names: Sequence[str], as_json: bool) -> None:
    """Show where share groups are in each partition: all of them, or those named."""
    lag_of_named(connection, names, by_partition=True, lag_max=None, as_json=as_json, kind=SHARE)


@share.command()
@click.argument("name", metavar="GROUP")
@reset_options
@connection_options
def reset(connection: Connection, name: str, options: ResetOptions) -> None:
    """Move the start offsets of a share group. Its members must be stopped.

    The plan is shown first; a person at the terminal is asked. A group that there is not yet is made by it:
    so one can begin at the end, or in the past.

    \b
      barnabas share reset orders-workers --topic orders --to-earliest
      barnabas share reset orders-workers --all-topics --by-duration 1h --dry-run
    """
    reset_group(connection, name, options, SHARE)


@share.command()
@group_arguments(required=True)
@delete_options("TOPIC", "")
@connection_options
def delete(connection: Connection, names: Sequence[str], options: DeleteOptions) -> None:
    """Delete share groups, or where they are in a topic. Their members must be stopped."""
    delete_groups(connection, names, options, SHARE)
