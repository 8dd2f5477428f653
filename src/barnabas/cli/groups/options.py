"""Options that commands about groups share, and the completion of groups' names."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any, TypeVar

import click
from click.shell_completion import CompletionItem

from barnabas.cli.connection import connection_of
from barnabas.errors import BarnabasError

Command = TypeVar("Command", bound=Callable[..., Any])

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON lines.")
long_option = click.option("-l", "--long", is_flag=True, help="With kinds and states.")
yes_option = click.option("-y", "--yes", is_flag=True, help="Don't ask.")
dry_run_option = click.option("-n", "--dry-run", is_flag=True, help="Only show what would be done.")


def complete_groups(context: click.Context, _: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Names of the cluster's groups; none when it can't be asked."""
    from barnabas.cli.brokers import Brokers
    from barnabas.cli.groups.lookup import list_groups

    given = context.params
    try:
        with context.scope(cleanup=False):  # click completes outside of it.
            connection = connection_of(
                given["bootstrap"], given.get("command_config"), given.get("properties") or ()
            )
        with Brokers(connection) as brokers:
            names = [group.name for group in list_groups(brokers)]
    except (BarnabasError, click.ClickException):
        return []
    return [CompletionItem(name) for name in names if name.startswith(incomplete)]


def group_arguments(*, required: bool) -> Callable[[Command], Command]:
    """One or more names of groups, as `names`."""
    return click.argument(
        "names", metavar="GROUP...", nargs=-1, required=required, shell_complete=complete_groups
    )


def gathered(
    options: Sequence[Callable[[Any], Any]], names: Sequence[str], make: Callable[[dict[str, Any]], Any]
) -> Callable[[Command], Command]:
    """Adds options that have these names; the command gets what `make` makes of them as `options`."""

    def decorate(command: Command) -> Command:
        @wraps(command)
        def with_options(*args: Any, **given: Any) -> Any:
            own = {name: given.pop(name) for name in names}
            return command(*args, options=make(own), **given)

        decorated: Any = with_options
        for option in reversed(options):
            decorated = option(decorated)
        result: Command = decorated
        return result

    return decorate


def confirmed(question: str, *, yes: bool) -> None:
    """Asks a person at the terminal; ends the command unless the answer is yes. Pipes are not asked."""
    if not yes and sys.stdin.isatty():
        click.confirm(question, abort=True, err=True)
