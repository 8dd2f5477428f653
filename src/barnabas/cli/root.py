"""The root command: finds commands by name, and turns what they raise into a sentence and an exit code."""

import os
import sys
from importlib import import_module
from typing import Any

import click

from barnabas.cli import exit_codes
from barnabas.cli.output import print_error
from barnabas.errors import BarnabasError

_COMMANDS = {
    "up": ("barnabas.cli.up", "up", "Run a broker."),
    "produce": ("barnabas.cli.produce", "produce", "Write lines from standard input to a topic."),
    "consume": ("barnabas.cli.consume", "consume", "Print the records of a topic."),
    "topics": ("barnabas.cli.topics", "topics", "List, create, describe, alter and delete topics."),
    "groups": ("barnabas.cli.groups.commands", "groups", "Groups of all kinds: their lag, their offsets."),
    "share": ("barnabas.cli.groups.share", "share", "The same for share groups alone."),
    "transactions": (
        "barnabas.cli.transactions.commands",
        "transactions",
        "Find transactions and their producers; abort those that hang.",
    ),
    "registry": ("barnabas.cli.registry", "registry", "Run a Schema Registry for any cluster."),
    "rest": ("barnabas.cli.rest", "rest", "Run a REST Proxy for any cluster."),
    "schemas": (
        "barnabas.cli.schemas.commands",
        "schemas",
        "List, get, register, check, compare and delete schemas of a registry.",
    ),
    "cluster": ("barnabas.cli.cluster", "cluster", "Show a cluster's id, brokers and controller."),
    "top": ("barnabas.cli.top", "top", "Watch a node: throughput, latency, memory, busiest topics."),
    "completion": (
        "barnabas.cli.completion",
        "completion",
        "Print a script that completes commands in a shell.",
    ),
}
"""Module, attribute and summary of each command; the summary spares `--help` the import."""


class LazyGroup(click.Group):
    """A group whose commands are imported when they are called."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in _COMMANDS:
            return None
        module, attribute, _ = _COMMANDS[cmd_name]
        command = getattr(import_module(module), attribute)
        assert isinstance(command, click.Command)
        return command

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except BrokenPipeError:  # Whoever read us has enough.
            _write_no_more()
            return exit_codes.OK

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Commands"):
            formatter.write_dl([(name, summary) for name, (_, _, summary) in _COMMANDS.items()])


def _write_no_more() -> None:
    """Keeps Python from complaining once more when it flushes standard output."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


@click.group(
    cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.version_option(package_name="barnabas", message="barnabas %(version)s")
@click.pass_context
def root(context: click.Context) -> None:
    """Apache Kafka and the platform round it, in one package.

    \b
      barnabas up                                  run a broker on 127.0.0.1:9092
      echo hello | barnabas produce greetings      write a record
      barnabas consume greetings                   read it back

    All commands but `up` work against any Kafka cluster: name it with --bootstrap HOST:PORT or
    BARNABAS_BOOTSTRAP. Each of them has --help with examples.
    """
    if "NO_COLOR" in os.environ:
        context.color = False


def run(arguments: list[str] | None = None) -> None:
    """Runs the command line and exits with the code of its outcome."""
    sys.exit(outcome(arguments))


def outcome(arguments: list[str] | None = None) -> int:
    """Runs the command line; the exit code."""
    try:
        result: Any = root.main(arguments, prog_name="barnabas", standalone_mode=False)
        return result if isinstance(result, int) else exit_codes.OK
    except click.exceptions.Exit as stop:
        return stop.exit_code
    except click.Abort:
        return 130
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except BarnabasError as error:
        print_error(error)
        return exit_codes.FAILED
    except OSError as error:
        if error.filename is None:  # No file that a command would have named.
            print_error(f"The output can't be written: {error}")
            _write_no_more()
        else:
            print_error(error)
        return exit_codes.FAILED
    except KeyboardInterrupt:
        return 130
