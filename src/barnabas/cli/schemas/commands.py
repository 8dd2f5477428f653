"""`barnabas schemas`: list, get, register, check and delete schemas of a registry."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from barnabas.cli import exit_codes
from barnabas.cli.errors import CommandFailed
from barnabas.cli.output import print_error, print_json, print_table

if TYPE_CHECKING:
    from barnabas.cli.schemas.client import RegistryClient

Command = TypeVar("Command", bound=Callable[..., Any])

TYPES = {".avsc": "AVRO", ".json": "JSON", ".proto": "PROTOBUF"}
"""Types of schemas by the names of their files."""

registry_option = click.option(
    "-r",
    "--registry",
    envvar="BARNABAS_REGISTRY",
    default="http://127.0.0.1:8081",
    show_default=True,
    metavar="URL",
    help="The schema registry.",
)
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
      barnabas schemas get orders-value --version 2
    """


@schemas.command("list")
@click.argument("prefix", default="")
@click.option("--deleted", is_flag=True, help="Those that were deleted, but not for good, too.")
@json_option
@registry_option
def list_schemas(prefix: str, registry: str, deleted: bool, as_json: bool) -> None:
    """Print subjects and their versions; those that begin with PREFIX."""
    client = _client(registry)
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
@registry_option
def get(subject: str | None, version: str, id_: int | None, registry: str, as_json: bool) -> None:
    """Print a schema."""
    if (subject is None) == (id_ is None):
        raise click.UsageError("name a SUBJECT, or an --id")
    client = _client(registry)
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
@registry_option
def register(
    subject: str,
    file: Any,
    schema_type: str | None,
    references: tuple[str, ...],
    normalize: bool,
    registry: str,
) -> None:
    """Register the schema in FILE (- is standard input) under SUBJECT, and print its id."""
    body = _body(file, schema_type, references)
    answer = _client(registry).post("subjects", subject, "versions", body=body, normalize=normalize)
    click.echo(answer["id"])


@schemas.command()
@click.argument("subject")
@click.argument("file", type=click.File("r", encoding="utf-8"))
@type_option
@reference_option
@click.option("--version", help="Compare with this version alone.")
@registry_option
def check(
    subject: str,
    file: Any,
    schema_type: str | None,
    references: tuple[str, ...],
    version: str | None,
    registry: str,
) -> int:
    """Tell whether the schema in FILE could be registered under SUBJECT; if not, why, and exit with 1."""
    path = ["compatibility", "subjects", subject, "versions", *([] if version is None else [version])]
    body = _body(file, schema_type, references)
    answer = _client(registry).post(*path, body=body, verbose=True)
    if answer["is_compatible"]:
        click.echo("compatible")
        return exit_codes.OK
    print_error(f"the schema is incompatible with what is registered under {subject}")
    for message in answer.get("messages", ()):
        click.echo(f"  {message}", err=True)
    return exit_codes.FAILED


@schemas.command()
@click.argument("subject")
@click.option("--version", help="This version alone; `latest` for the newest.")
@click.option("--permanent", is_flag=True, help="For good; what was deleted before without it.")
@registry_option
def delete(subject: str, version: str | None, permanent: bool, registry: str) -> None:
    """Delete a subject, or one version of it, and print what was deleted."""
    client = _client(registry)
    if version is None:
        deleted = client.delete("subjects", subject, permanent=permanent)
    else:
        deleted = [client.delete("subjects", subject, "versions", version, permanent=permanent)]
    click.echo(f"{subject}: {_ranges(deleted)}")


def _client(url: str) -> RegistryClient:
    from barnabas.cli.schemas.client import RegistryClient

    return RegistryClient(url)


def _body(file: Any, schema_type: str | None, references: tuple[str, ...]) -> dict[str, Any]:
    try:
        text = file.read()
    except UnicodeDecodeError as error:
        raise CommandFailed(f"{file.name} is no text: {error}") from error
    named = TYPES.get(Path(file.name).suffix, "AVRO") if file is not sys.stdin else "AVRO"
    body = {"schema": text, "schemaType": schema_type.upper() if schema_type else named}
    if references:
        body["references"] = [_reference(reference) for reference in references]
    return body


def _reference(text: str) -> dict[str, Any]:
    name, equals, place = text.partition("=")
    subject, colon, version = place.rpartition(":")
    if not (equals and colon and version.isdecimal()):
        raise click.BadParameter(
            f"'{text}' must be written as name=subject:version", param_hint="--reference"
        )
    return {"name": name, "subject": subject, "version": int(version)}


def _ranges(numbers: list[int]) -> str:
    """Numbers with runs of them drawn together: `1-3, 5`."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    return ", ".join(str(first) if first == last else f"{first}-{last}" for first, last in runs)
