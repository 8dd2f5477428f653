"""Configs of a resource, as they are set and reset on the command line, and what came of it."""

from collections.abc import Callable, Sequence
from functools import wraps
from typing import TYPE_CHECKING, Any, TypeVar

import click

from barnabas.cli.errors import CommandFailed, sentence
from barnabas.cli.output import print_json

if TYPE_CHECKING:
    from barnabas.clients.results import Results

Command = TypeVar("Command", bound=Callable[..., Any])


def change_options(command: Command) -> Command:
    """Adds --set and --reset; the command gets `changes`, None for what is to have its default back."""

    @wraps(command)
    def with_changes(*args: Any, settings: Sequence[str], resets: Sequence[str], **kwargs: Any) -> Any:
        changes: dict[str, str | None] = dict(settings_of(settings))
        return command(*args, changes=changes | dict.fromkeys(resets), **kwargs)

    decorated: Any = with_changes
    for option in (
        click.option(
            "--reset",
            "resets",
            multiple=True,
            metavar="KEY",
            help="Give a config its default back. May be repeated.",
        ),
        click.option(
            "--set", "settings", multiple=True, metavar="KEY=VALUE", help="Set a config. May be repeated."
        ),
    ):
        decorated = option(decorated)
    result: Command = decorated
    return result


def settings_of(texts: Sequence[str]) -> dict[str, str]:
    """Names and values of `--set`. Raises BadParameter."""
    settings = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals:
            raise click.BadParameter(f"'{text}' must be written as key=value", param_hint="--set")
        settings[key.strip()] = value
    return settings


def report(
    results: "Results[Any, Any]",
    done: str,
    *,
    as_json: bool,
    ignored: tuple[type[Exception], ...] = (),
    name: str | None = None,
) -> None:
    """Prints the outcome for each resource, or for the one with this `name`; raises CommandFailed at the end
    when one failed."""
    failures = []
    errors = results.errors
    for key in results:
        resource, problem = name or str(key), None
        error = errors.get(key)
        if error is not None and not isinstance(error, ignored):
            problem = sentence(error)
            failures.append(f"{resource}: {problem}")
        if as_json:
            print_json({"name": resource, "ok": problem is None, "error": problem})
        elif problem is None:
            click.echo(f"{resource} {done}")
    if failures:
        raise CommandFailed("\n".join(failures))
