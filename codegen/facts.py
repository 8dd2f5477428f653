"""The two lists beside the messages: APIs with their flags, error codes with their texts."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from codegen.model import Message, SchemaError


@dataclass(frozen=True)
class Api:
    """An API that brokers or controllers serve."""

    key: int
    name: str
    request: Message
    forwardable: bool
    """Whether brokers forward it to the active controller."""
    cluster_action: bool
    """Whether only nodes of the cluster may send it."""


@dataclass(frozen=True)
class ErrorFact:
    """An error code."""

    code: int
    name: str
    retriable: bool
    message: str


def load_apis(schemas: Path, messages: list[Message]) -> list[Api]:
    """The APIs by key; every request must be among them and the reverse."""
    requests = {message.key: message for message in messages if message.kind == "request"}
    apis = []
    for line in facts(schemas / "apis.txt"):
        key, name, *flags = line.split()
        if unknown := set(flags) - {"forwardable", "cluster-action"}:
            raise SchemaError(f"{name}: unknown flags {sorted(unknown)}")
        request = requests.pop(int(key), None)
        if request is None or request.name != f"{name}Request":
            raise SchemaError(f"API {key} {name} has no request schema")
        apis.append(Api(int(key), name, request, "forwardable" in flags, "cluster-action" in flags))
    if requests:
        raise SchemaError(f"requests that are no API: {sorted(r.name for r in requests.values())}")
    return apis


def load_errors(schemas: Path) -> list[ErrorFact]:
    """The error codes, by code."""
    errors = []
    for line in facts(schemas / "errors.txt"):
        code, name, message = line.split(maxsplit=2)
        errors.append(ErrorFact(int(code), name, message.startswith("* "), message.removeprefix("* ")))
    if [error.code for error in errors] != list(range(-1, len(errors) - 1)):
        raise SchemaError("error codes have gaps")
    return errors


def facts(path: Path) -> list[str]:
    """The lines of a file that are no comments."""
    return [line for line in path.read_text().splitlines() if line and not line.startswith("#")]
