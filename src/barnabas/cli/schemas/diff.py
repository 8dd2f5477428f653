"""How two schemas differ: their texts line by line, and what readers of one can't read of the other."""

from __future__ import annotations

import json
from difflib import unified_diff
from typing import NamedTuple

import click

from barnabas.cli.errors import CommandFailed
from barnabas.cli.output import print_json
from barnabas.cli.schemas.client import RegistryClient, refused
from barnabas.schema_registry.formats import (
    Incompatibility,
    InvalidSchema,
    ParsedSchema,
    ResolvedReference,
    Roles,
    incompatibilities,
    parse,
)
from barnabas.serde.registry import Reference, RegistryError, Schema, SchemaRegistry

_COLOURS = {"-": "red", "+": "green", "@": "cyan"}


class Side(NamedTuple):
    """One of the two."""

    name: str
    schema: Schema
    version: int | None = None

    @classmethod
    def of_version(cls, client: RegistryClient, subject: str, version: str) -> Side:
        """A version of a subject, `latest` too. Raises CommandFailed."""
        found = client.get("subjects", subject, "versions", version)
        references = tuple(
            Reference(each["name"], each["subject"], each["version"]) for each in found.get("references", ())
        )
        schema = Schema(found.get("schemaType", "AVRO"), found["schema"], references)
        return cls(f"{subject} version {found['version']}", schema, found["version"])


def version_before(client: RegistryClient, subject: str, new: Side) -> str:
    """The version that comes before another. Raises CommandFailed where there is none."""
    assert new.version is not None, "it is a version of the subject"
    before = [each for each in client.get("subjects", subject, "versions") if each < new.version]
    if not before:
        raise CommandFailed(
            f"{new.name} is the first: there is nothing to compare it with but a FILE, or a later one (--to)."
        )
    return str(before[-1])


def compare(client: RegistryClient, old: Side, new: Side, *, as_json: bool) -> None:
    """Prints how they differ. Raises CommandFailed."""
    lines = list(unified_diff(_lines(old), _lines(new), old.name, new.name, lineterm=""))
    try:
        parsed = [_parsed(client.registry, side) for side in (new, old)]
    except RegistryError as error:
        raise refused(error) from error
    backward = incompatibilities(parsed[0], parsed[1], Roles("new", "old"))
    forward = incompatibilities(parsed[1], parsed[0], Roles("old", "new"))
    if as_json:
        told = {"old": old.name, "new": new.name, "diff": lines}
        print_json(told | {"backward": _told(backward), "forward": _told(forward)})
        return
    for line in lines:
        click.secho(line, fg=_COLOURS.get(line[:1]), bold=line.startswith(("---", "+++")))
    if not lines:
        click.echo(f"{old.name} and {new.name} are the same.")
    for level, reader, writer, found in (
        ("BACKWARD", "new", "old", backward),
        ("FORWARD", "old", "new", forward),
    ):
        verdict = f"no, the {reader} schema can't read" if found else f"yes, the {reader} schema reads"
        click.echo(f"{level}: {verdict} what was written with the {writer} one")
        for each in found:
            click.echo(f"  {each.type}: {each.message}")


def _lines(side: Side) -> list[str]:
    """The text in lines, as people write it."""
    text = side.schema.text
    if side.schema.type != "PROTOBUF":
        try:
            text = json.dumps(json.loads(text), indent=2, ensure_ascii=False)
        except (ValueError, RecursionError) as error:
            raise CommandFailed(f"{side.name} is no JSON: {error}") from error
    return text.splitlines()


def _parsed(registry: SchemaRegistry, side: Side) -> ParsedSchema:
    schema = side.schema
    others = [
        ResolvedReference(reference.name, reference.subject, reference.version, other.text)
        for reference, other in registry.closure(schema)
    ]
    try:
        return parse(schema.type, schema.text, others)
    except InvalidSchema as error:
        raise CommandFailed(f"{side.name} can't be compared: {error}") from error


def _told(found: list[Incompatibility]) -> list[dict[str, str]]:
    return [{"type": each.type, "path": each.path, "message": each.message} for each in found]
