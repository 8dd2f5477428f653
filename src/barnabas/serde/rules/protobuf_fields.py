"""The fields of a Protobuf message that rules look at one by one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from barnabas.serde.rules.running import Change, FieldOf, Run, Walk

_INTS = ("INT32", "SINT32", "UINT32", "FIXED32", "SFIXED32")
_LONGS = ("INT64", "SINT64", "UINT64", "FIXED64", "SFIXED64")


def protobuf_walk(tags: Mapping[str, list[str]]) -> Walk:
    """Goes through messages, and changes them in place. `tags` of fields, by the names of their messages, the
    package left out, and their own."""

    def walk(run: Run, value: Any, change: Change) -> Any:
        _message(run, tags, value, change)
        return value

    return walk


def _message(run: Run, tags: Mapping[str, list[str]], message: Any, change: Change) -> None:
    for field in message.DESCRIPTOR.fields:
        if field.has_presence and not message.HasField(field.name):
            continue  # What is not there is not made to be there.
        if field.message_type is not None and field.message_type.full_name.startswith("google.protobuf."):
            continue  # A moment or the like is one value, no message of the user's.
        package = field.file.package
        name = field.full_name.removeprefix(f"{package}." if package else "")
        part = run.field(message, field.full_name, field.name, field_type(field), tags.get(name, ()))
        value = getattr(message, field.name)
        if is_map(field):
            _map(run, tags, field, part, value, change)
        elif field.message_type is not None:
            for each in value if is_repeated(field) else (value,):
                _message(run, tags, each, change)
        elif run.concerns(part):
            if is_repeated(field):
                value[:] = [run.changed(part, each, change) for each in value]
            else:
                setattr(message, field.name, run.changed(part, value, change))


def _map(
    run: Run, tags: Mapping[str, list[str]], field: Any, part: FieldOf, entries: Any, change: Change
) -> None:
    if field.message_type.fields_by_name["value"].message_type is not None:
        for each in entries.values():
            _message(run, tags, each, change)
    elif run.concerns(part):
        for key in list(entries):
            entries[key] = run.changed(part, entries[key], change)


def is_repeated(field: Any) -> bool:
    """Whether a field is a list or a map."""
    found = getattr(field, "is_repeated", None)  # of protobuf 6 and later
    return bool(field.label == field.LABEL_REPEATED) if found is None else bool(found)


def is_map(field: Any) -> bool:
    """Whether a field is a map."""
    message = field.message_type
    return is_repeated(field) and message is not None and bool(message.GetOptions().map_entry)


def field_type(field: Any) -> str:
    """The type of a field as rules name it."""
    if is_map(field):
        return "MAP"
    if field.type in (field.TYPE_MESSAGE, field.TYPE_GROUP):
        return "RECORD"
    for name, kinds in (("INT", _INTS), ("LONG", _LONGS)):
        if field.type in (getattr(field, f"TYPE_{kind}") for kind in kinds):
            return name
    names = {"ENUM": "ENUM", "STRING": "STRING", "BYTES": "BYTES", "FLOAT": "FLOAT", "DOUBLE": "DOUBLE"}
    names["BOOL"] = "BOOLEAN"
    return next(name for kind, name in names.items() if field.type == getattr(field, f"TYPE_{kind}"))
