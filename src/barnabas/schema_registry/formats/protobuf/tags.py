"""The parts of a .proto file that may have tags: in options `(confluent.message_meta)` and `.field_meta`."""

from collections.abc import Sequence

from barnabas.schema_registry.formats.protobuf.nodes import (
    Aggregate,
    Constant,
    Field,
    Listed,
    Message,
    Option,
    OptionValue,
    ProtoFile,
)
from barnabas.schema_registry.formats.tags import FIELD, RECORD, Entity, TagChange

MESSAGE_META, FIELD_META = "(confluent.message_meta)", "(confluent.field_meta)"

Part = Message | Field


def proto_parts(file: ProtoFile) -> dict[Entity, Part]:
    """Messages and fields by their names, those of nested ones behind the names they are nested in."""
    found: dict[Entity, Part] = {}

    def add(message: Message, path: str) -> None:
        found[Entity(path, RECORD)] = message
        for field in message.all_fields():
            found[Entity(f"{path}.{field.name}", FIELD)] = field
        for nested in message.messages:
            add(nested, f"{path}.{nested.name}")

    for message in file.messages:
        add(message, message.name)
    return found


def proto_tags(part: Part) -> list[str]:
    """The tags of a message or field."""
    found: list[str] = []
    for option in part.options:
        found += _in_option(option, _meta(part))
    return list(dict.fromkeys(found))


def change_proto(file: ProtoFile, change: TagChange, *, strict: bool) -> None:
    """Changes the tags of messages and fields in place. Raises InvalidSchema."""
    for entity, part in change.places(proto_parts(file), strict=strict):
        _set(part, change.applied(entity, proto_tags(part)))


def _meta(part: Part) -> str:
    return MESSAGE_META if isinstance(part, Message) else FIELD_META


def _in_option(option: Option, meta: str) -> Sequence[str]:
    if option.name in (f"{meta}.tags", f"(.{meta[1:]}.tags"):
        return _texts(option.value)
    if option.name in (meta, f"(.{meta[1:]}") and isinstance(option.value, Aggregate):
        return [tag for key, value in option.value.entries if key == "tags" for tag in _texts(value)]
    return ()


def _texts(value: OptionValue) -> Sequence[str]:
    values = value.values if isinstance(value, Listed) else (value,)
    return [each.text for each in values if isinstance(each, Constant)]


def _set(part: Part, tags: Sequence[str]) -> None:
    """Leaves whatever else the option says. Tags come where it stood, or behind the other options."""
    meta = _meta(part)
    entries: list[tuple[str, OptionValue]] = []
    others: list[Option] = []
    place: int | None = None
    for option in part.options:
        name = option.name.replace("(.", "(", 1)
        if name == meta and isinstance(option.value, Aggregate):
            entries += [entry for entry in option.value.entries if entry[0] != "tags"]
        elif name != f"{meta}.tags":
            others.append(option)
            continue
        place = len(others) if place is None else place
    if tags:
        entries.append(("tags", Listed(tuple(Constant("string", tag) for tag in tags))))
    if entries:
        others.insert(len(others) if place is None else place, Option(meta, Aggregate(tuple(entries))))
    part.options = others
