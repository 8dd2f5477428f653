"""How commands print records: the options that say so, and the loop that does it."""

import sys
from collections.abc import Callable, Iterator
from functools import wraps
from typing import TYPE_CHECKING, Any, TypeVar

import click

from barnabas.cli import record_format
from barnabas.cli.record_format import Formatter, Record
from barnabas.cli.schemas.client import RegistryAddress, registry_options

if TYPE_CHECKING:
    import barnabas

Command = TypeVar("Command", bound=Callable[..., Any])


def record_options(command: Command) -> Command:
    """Adds --format and what goes with it, --decode too; the command gets a `formatter`."""

    @wraps(command)
    def with_formatter(
        *args: Any,
        form: str,
        as_json: bool,
        keys: bool,
        headers: bool,
        timestamps: bool,
        offsets: bool,
        decode: bool,
        registry: RegistryAddress,
        **kwargs: Any,
    ) -> Any:
        try:
            formatter = _formatter("json" if as_json else form, keys, headers, timestamps, offsets)
        except ValueError as error:
            raise click.UsageError(str(error)) from None
        if decode:
            formatter = _decoded(formatter, form, registry)
        return command(*args, formatter=formatter, **kwargs)

    decorated: Any = registry_options(with_formatter)
    for option in (
        click.option(
            "-d",
            "--decode",
            is_flag=True,
            help="Show what was written with a schema of the registry (Avro, JSON, Protobuf) as JSON.",
        ),
        click.option("--offsets", is_flag=True, help="Text: partition:offset before the value."),
        click.option("--timestamps", is_flag=True, help="Text: the timestamp before the value."),
        click.option("--headers", is_flag=True, help="Text: the headers before the value."),
        click.option("--keys", is_flag=True, help="Text: the key before the value."),
        click.option("--json", "as_json", is_flag=True, help="The same as --format json."),
        click.option(
            "-o",
            "--format",
            "form",
            default="text",
            metavar="FORMAT",
            help="text, json, hex, or a template such as '%k: %v'.  [default: text]",
        ),
    ):
        decorated = option(decorated)
    result: Command = decorated
    return result


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


def _decoded(formatter: Formatter, form: str, registry: RegistryAddress) -> Formatter:
    from barnabas.cli.record_decoding import Decoding  # Most readers need no codecs.

    if form == "hex":
        raise click.UsageError("--format hex shows bytes as they are: leave out --decode.")
    shown = Decoding(registry.connect())
    return lambda record: formatter(shown(record))


def record_of(record: "barnabas.Record") -> Record:
    """A record as it is shown."""
    return Record(
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
        timestamp_ms=None if record.timestamp < 0 else record.timestamp,
        timestamp_type=record.timestamp_type + 1,
        key=record.key,
        value=record.value,
        headers=record.headers,
    )


def print_records(
    batches: Iterator[list[Record]],
    formatter: Formatter,
    count_max: int | None,
    printed: Callable[[list[Record]], None] = lambda _: None,
) -> None:
    """Writes records to standard output, `count_max` of them at most; tells `printed` of those that were."""
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
