"""Reads the message schemas inside the jars of an Apache Kafka release and writes schemas/.

Only facts are taken: names, types, versions, tags, nullability, defaults. Traps: the files are JSON with
comments; records of the tiered-storage log call themselves `metadata` but count their keys from 0 again;
requests that were removed have no versions and no fields; a field without `versions` has those of its tag.
"""

from __future__ import annotations

import json
import re
import subprocess
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from codegen.model import PRIMITIVES, Field, Message, SchemaError, Struct, Versions
from codegen.parse import check, format_message

ARTIFACTS = (
    "kafka-clients",
    "kafka-metadata",
    "kafka-raft",
    "kafka-group-coordinator",
    "kafka-transaction-coordinator",
    "kafka-share-coordinator",
    "kafka-storage",
)

# Kafka's own value for a field that has no default.
PLAIN_DEFAULTS = {"0", "false", ""}


def fetch(release: str, directory: Path) -> None:
    """Copies the jars of `release` into `directory` with Maven."""
    directory.mkdir(parents=True, exist_ok=True)
    for artifact in ARTIFACTS:
        if not (directory / f"{artifact}-{release}.jar").exists():
            coordinates = f"org.apache.kafka:{artifact}:{release}"
            subprocess.run(
                [
                    "mvn",
                    "-q",
                    "dependency:copy",
                    f"-Dartifact={coordinates}",
                    f"-DoutputDirectory={directory}",
                ],
                check=True,
            )


def refresh(jars: Path, schemas: Path) -> int:
    """Writes a file for each message in the jars of a directory; returns how many."""
    written = set()
    for text in schema_texts(jars):
        message = convert(json.loads(without_comments(text)))
        if message is not None:
            path = schemas / message.kind / f"{message.name}.txt"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(format_message(message))
            written.add(path)
    for path in schemas.glob("*/*.txt"):
        if path not in written:
            path.unlink()
    return len(written)


def schema_texts(jars: Path) -> Iterator[str]:
    """The schema files of all jars of a directory."""
    for jar in sorted(jars.glob("*.jar")):
        with zipfile.ZipFile(jar) as archive:
            for name in sorted(archive.namelist()):
                if re.fullmatch(r"(common/)?(message|metadata)/\w+\.json", name):
                    yield archive.read(name).decode()


def without_comments(text: str) -> str:
    """JSON without `/* */` and without `//` to the end of a line, both outside strings."""
    pattern = r'("(?:[^"\\]|\\.)*")|/\*.*?\*/|//[^\n]*'
    return re.sub(pattern, lambda match: match[1] or "", text, flags=re.DOTALL)


def convert(schema: dict[str, Any]) -> Message | None:
    """One schema; None when no version of it is left."""
    versions = Versions.parse(schema["validVersions"])
    if not versions:
        return None
    name: str = schema["name"]
    kind: str = schema["type"]
    if kind == "metadata" and name.startswith("Remote"):
        kind = "tiered"
    structs: dict[str, Struct] = {}
    for shared in schema.get("commonStructs", ()):
        own = Versions.parse(shared["versions"]) & versions
        structs[shared["name"]] = Struct(shared["name"], convert_fields(shared["fields"], own, structs), own)
    message = Message(
        name=name,
        kind=kind,
        key=schema.get("apiKey"),
        versions=versions,
        flexible=Versions.parse(schema["flexibleVersions"]) & versions,
        fields=convert_fields(schema["fields"], versions, structs),
        structs=structs,
        listeners=tuple(schema.get("listeners", ())),
        latest_unstable=bool(schema.get("latestVersionUnstable", False)),
    )
    structs[name] = message.root
    check(message)
    return message


def convert_fields(
    fields: list[dict[str, Any]], outer: Versions, structs: dict[str, Struct]
) -> tuple[Field, ...]:
    """The fields of one struct, without those of no live version; inline structs are added to `structs`."""
    converted = (convert_field(item, outer, structs) for item in fields)
    return tuple(item for item in converted if item.versions)


def convert_field(item: dict[str, Any], outer: Versions, structs: dict[str, Struct]) -> Field:
    """One field of a struct that exists in the versions `outer`."""
    tagged = Versions.parse(item.get("taggedVersions", "none"))
    versions = Versions.parse(item["versions"]) if "versions" in item else tagged
    if tagged and tagged != versions:
        raise SchemaError(f"{item['name']} is tagged in some of its versions only")
    versions &= outer
    field = Field(
        name=item["name"],
        type=item["type"],
        versions=versions,
        nullable=Versions.parse(item.get("nullableVersions", "none")) & versions,
        tag=item.get("tag"),
        default=default_text(item),
        ignorable=bool(item.get("ignorable", False)),
        map_key=bool(item.get("mapKey", False)),
        flexible=item.get("flexibleVersions", "") != "none",
    )
    if "fields" in item and versions:
        structs[field.element] = Struct(
            field.element, convert_fields(item["fields"], versions, structs), versions
        )
    return field


def default_text(item: dict[str, Any]) -> str | None:
    """The default in the notation; None where it is what its type has anyway."""
    value = item.get("default")
    if value is None or item["type"] == "records":
        return None  # A bare null says nothing, unlike "null".
    text = str(value).lower() if isinstance(value, bool) else str(value)
    if text in PLAIN_DEFAULTS:
        return None
    if text == "null" or item["type"] == "bool":
        return text
    if item["type"].removeprefix("[]") in PRIMITIVES - {"string", "bytes", "uuid"}:
        return str(int(text, 0))
    raise SchemaError(f"{item['name']}: default {text!r} of {item['type']}")
