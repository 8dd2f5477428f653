"""`barnabas schemas`: list, get, register, check, compare and delete schemas of a registry."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from barnabas.cli import exit_codes
from barnabas.cli.errors import CommandFailed
from barnabas.cli.output import print_error, print_json, print_table
from barnabas.cli.schemas.client import RegistryAddress, RegistryClient, registry_options

if TYPE_CHECKING:
    from barnabas.serde.registry import Reference, Schema

Command = TypeVar("Command", bound=Callable[..., Any])

TYPES = {".avsc": "AVRO", ".json": "JSON", ".proto": "PROTOBUF"}
"""Types of schemas by the names of their files."""

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON lines.")
type_option = click.option(
    "-t",
    "--type",
    "schema_type",
    type=click.Choice(["avro", "json", "protobuf"], case_sensitive=False),
    help="Type of the schema.  [default: by the file's name, else avro]",
)
reference_option = click.option(
    "--reference",
    "references",
    multiple=True,
    metavar="NAME=SUBJECT:VERSION",
    help="A schema that it refers to. May be repeated.",
)


@click.group()
def schemas() -> None:
    """Schemas of a Schema Registry, ours or any other.

    \b
      barnabas schemas list
      barnabas schemas register orders-value order.avsc
      barnabas schemas check orders-value order.avsc
      barnabas schemas diff orders-value order.avsc
      barnabas schemas get orders-value --version 2
    """


@schemas.command("list")
@click.argument("prefix", default="")
@click.option("--deleted", is_flag=True, help="Those that were deleted, but not for good, too.")
@json_option
@registry_options
def list_schemas(prefix: str, registry: RegistryAddress, deleted: bool, as_json: bool) -> None:
    """Print subjects and their versions; those that begin with PREFIX."""
    client = RegistryClient(registry)
    rows = []
    for subject in client.get("subjects", subjectPrefix=f":*:{prefix}", deleted=deleted):
        versions = client.get("subjects", subject, "versions", deleted=deleted)
        latest = client.get("subjects", subject, "versions", str(versions[-1]), deleted=deleted)
        rows.append((subject, latest.get("schemaType", "AVRO"), versions, latest["id"]))
    if as_json:
        for subject, schema_type, versions, id_ in rows:
            print_json({"subject": subject, "type": schema_type, "versions": versions, "latest_id": id_})
        return
    table = [(subject, type_, _ranges(versions), id_) for subject, type_, versions, id_ in rows]
    print_table(("SUBJECT", "TYPE", "VERSIONS", "LATEST ID"), table)


@schemas.command()
@click.argument("subject", required=False)
@click.option("--version", default="latest", show_default=True, help="Which version of SUBJECT.")
@click.option("--id", "id_", type=int, help="The schema with this id, instead of a subject's.")
@json_option
@registry_options
def get(subject: str | None, version: str, id_: int | None, registry: RegistryAddress, as_json: bool) -> None:
    """Print a schema."""
    if (subject is None) == (id_ is None):
        raise click.UsageError("name a SUBJECT, or an --id")
    client = RegistryClient(registry)
    if subject is None:
        found = client.get("schemas", "ids", str(id_))
    else:
        found = client.get("subjects", subject, "versions", version)
    if as_json:
        print_json(found)
    else:
        click.echo(found["schema"])


@schemas.command()
@click.argument("subject")
@click.argument("file", type=click.File("r", encoding="utf-8"))
@type_option
@reference_option
@click.option("--normalize", is_flag=True, help="In the form that all its spellings share.")
@registry_options
def register(
    subject: str,
    file: Any,
    schema_type: str | None,
    references: tuple[str, ...],
    normalize: bool,
    registry: RegistryAddress,
) -> None:
    """Register the schema in FILE (- is standard input) under SUBJECT, and print its id."""
    body = _body(file, schema_type, references)
    answer = RegistryClient(registry).post("subjects", subject, "versions", body=body, normalize=normalize)
    click.echo(answer["id"])


@schemas.command()
@click.argument("subject")
@click.argument("file", type=click.File("r", encoding="utf-8"))
@type_option
@reference_option
@click.option("--version", help="Compare with this version alone.")
@registry_options
def check(
    subject: str,
    file: Any,
    schema_type: str | None,
    references: tuple[str, ...],
    version: str | None,
    registry: RegistryAddress,
) -> int:
    """Tell whether a schema could be registered.

    The one in FILE (- is standard input), under SUBJECT. If it could not, why, and the exit code is 1.
    """
    path = ["compatibility", "subjects", subject, "versions", *([] if version is None else [version])]
    body = _body(file, schema_type, references)
    answer = RegistryClient(registry).post(*path, body=body, verbose=True)
    if answer["is_compatible"]:
        click.echo("compatible")
        return exit_codes.OK
    from barnabas.cli.schemas.messages import readable

    print_error(f"the schema is incompatible with what is registered under {subject}")
    for message in answer.get("messages", ()):
        for line in readable(message):
            click.echo(f"  {line}", err=True)
    return exit_codes.FAILED


@schemas.command()
@click.argument("subject")
@click.argument("file", type=click.File("r", encoding="utf-8"), required=False)
@type_option
@reference_option
@click.option(
    "--version", help="The old one of the two.  [default: the latest; without FILE, that before the new one]"
)
@click.option("--to", metavar="VERSION", help="The new one, where there is no FILE.  [default: the latest]")
@json_option
@registry_options
def diff(
    subject: str,
    file: Any,
    schema_type: str | None,
    references: tuple[str, ...],
    version: str | None,
    to: str | None,
    as_json: bool,
    registry: RegistryAddress,
) -> None:
    """Show how two schemas differ, and who can't read whom.

    The schema in FILE (- is standard input) and a version of SUBJECT, or two versions: their texts line by
    line, and what readers with one of them could not read of what was written with the other.

    \b
      barnabas schemas diff orders-value order.avsc
      barnabas schemas diff orders-value                      the last change
      barnabas schemas diff orders-value --version 1 --to 3

    It judges nothing: `barnabas schemas check` knows which of it the subject's level forbids.
    """
    from barnabas.cli.schemas.diff import Side, compare, version_before

    client = RegistryClient(registry)
    if file is None:
        new = Side.of_version(client, subject, to or "latest")
        version = version or version_before(client, subject, new)
    elif to is not None:
        raise click.UsageError("a FILE is the new schema: leave out --to, or FILE")
    else:
        new = Side(file.name, _schema(file, schema_type, references))
    compare(client, Side.of_version(client, subject, version or "latest"), new, as_json=as_json)


@schemas.command()
@click.argument("subject")
@click.option("--version", help="This version alone; `latest` for the newest.")
@click.option("--permanent", is_flag=True, help="For good; what was deleted before without it.")
@registry_options
def delete(subject: str, version: str | None, permanent: bool, registry: RegistryAddress) -> None:
    """Delete a subject, or one version of it, and print what was deleted."""
    client = RegistryClient(registry)
    if version is None:
        deleted = client.delete("subjects", subject, permanent=permanent)
    else:
        deleted = [client.delete("subjects", subject, "versions", version, permanent=permanent)]
    click.echo(f"{subject}: {_ranges(deleted)}")


def _body(file: Any, schema_type: str | None, references: tuple[str, ...]) -> dict[str, Any]:
    schema = _schema(file, schema_type, references)
    body: dict[str, Any] = {"schema": schema.text, "schemaType": schema.type}
    if references:
        body["references"] = [reference._asdict() for reference in schema.references]
    return body


def _schema(file: Any, schema_type: str | None, references: tuple[str, ...]) -> Schema:
    from barnabas.serde.registry import Schema

    try:
        text = file.read()
    except UnicodeDecodeError as error:
        raise CommandFailed(f"{file.name} is no text: {error}") from error
    named = TYPES.get(Path(file.name).suffix, "AVRO") if file is not sys.stdin else "AVRO"
    type_ = schema_type.upper() if schema_type else named
    return Schema(type_, text, tuple(map(_reference, references)))


def _reference(text: str) -> Reference:
    from barnabas.serde.registry import Reference

    name, equals, place = text.partition("=")
    subject, colon, version = place.rpartition(":")
    if not (equals and colon and version.isdecimal()):
        raise click.BadParameter(
            f"'{text}' must be written as name=subject:version", param_hint="--reference"
        )
    return Reference(name, subject, int(version))


def _ranges(numbers: list[int]) -> str:
    """Numbers with runs of them drawn together: `1-3, 5`."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    return ", ".join(str(first) if first == last else f"{first}-{last}" for first, last in runs)
