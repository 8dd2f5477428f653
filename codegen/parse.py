"""The notation of schemas/: one text file for each message. Reading and writing it.

    FetchRequest request 1          name, kind, key (- for none)
    versions 4-18
    flexible 12+
    listeners broker controller
    latest-unstable                 the highest version may still change

    Topics []FetchTopic 0+          name, type, versions
        Topic string 0-12 ignorable
        Cursor Cursor 0+ null=0+ default=null
        Id uuid 3+ tag=0
    struct Cursor 0+                fields that several places share
        TopicName string 0+ key

Attributes: `null=` versions that may be null, `tag=` (tagged in all its versions), `default=` (JSON string
where it has blanks), `ignorable`, `key` (names the element in its array), `rigid` (old encoding always).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from codegen.model import NONE, PRIMITIVES, Field, Message, SchemaError, Struct, Versions

INDENT = "    "


@dataclass
class Node:
    """A line with the lines that are indented below it."""

    words: list[str]
    children: list[Node]


def load(directory: Path) -> list[Message]:
    """All messages below `directory`, by kind and name."""
    messages = [parse(path.read_text()) for path in sorted(directory.glob("*/*.txt"))]
    names = [message.name for message in messages]
    if len(set(names)) != len(names):
        raise SchemaError("two schemas have one name")
    return messages


def parse(text: str) -> Message:
    """Reads one message."""
    lines = [line for line in text.splitlines() if line.strip()]
    name, kind, key = lines[0].split()
    versions, flexible, unstable = NONE, NONE, False
    listeners: tuple[str, ...] = ()
    fields: list[Node] = []
    shared: list[Node] = []
    for node in nest(iter(lines[1:])):
        match node.words:
            case ["versions", value]:
                versions = Versions.parse(value)
            case ["flexible", value]:
                flexible = Versions.parse(value)
            case ["listeners", *names]:
                listeners = tuple(names)
            case ["latest-unstable"]:
                unstable = True
            case ["struct", *_]:
                shared.append(node)
            case _:
                fields.append(node)
    structs: dict[str, Struct] = {}
    for node in shared:
        struct_versions = Versions.parse(node.words[2]) & versions
        structs[node.words[1]] = Struct(
            node.words[1], read_fields(node.children, struct_versions, structs), struct_versions
        )
    message = Message(
        name=name,
        kind=kind,
        key=None if key == "-" else int(key),
        versions=versions,
        flexible=flexible & versions,
        fields=read_fields(fields, versions, structs),
        structs=structs,
        listeners=listeners,
        latest_unstable=unstable,
    )
    structs[name] = message.root
    check(message)
    return message


def nest(lines: Iterator[str]) -> list[Node]:
    """Lines to trees, by indentation."""
    top: list[Node] = []
    open_lists = [top]
    for line in lines:
        depth = (len(line) - len(line.lstrip())) // len(INDENT)
        node = Node(line.split(), [])
        del open_lists[depth + 1 :]
        open_lists[depth].append(node)
        open_lists.append(node.children)
    return top


def read_fields(nodes: list[Node], versions: Versions, structs: dict[str, Struct]) -> tuple[Field, ...]:
    """The fields of one struct; structs written inline are added to `structs`."""
    return tuple(read_field(node, versions, structs) for node in nodes)


def read_field(node: Node, versions: Versions, structs: dict[str, Struct]) -> Field:
    """One field of a struct that exists in `versions`."""
    name, type_, own, *attributes = node.words
    field = Field(name, type_, Versions.parse(own) & versions)
    for attribute in attributes:
        key, _, value = attribute.partition("=")
        match key:
            case "null":
                field = replace(field, nullable=Versions.parse(value) & field.versions)
            case "tag":
                field = replace(field, tag=int(value))
            case "default":
                field = replace(field, default=value)
            case "ignorable":
                field = replace(field, ignorable=True)
            case "key":
                field = replace(field, map_key=True)
            case "rigid":
                field = replace(field, flexible=False)
            case _:
                raise SchemaError(f"{name}: unknown attribute {attribute}")
    if node.children:
        if field.element in structs:
            raise SchemaError(f"struct {field.element} is defined twice")
        structs[field.element] = Struct(
            field.element, read_fields(node.children, field.versions, structs), field.versions
        )
    return field


def check(message: Message) -> None:
    """What the generators rely on."""
    for struct in message.all_structs():
        tags = sorted(item.tag for item in struct.fields if item.tag is not None)
        if tags != list(range(len(tags))):
            raise SchemaError(f"{message.name}.{struct.name}: tags {tags} have gaps")
        for item in struct.fields:
            if item.tag is not None and not message.flexible.covers(item.versions):
                raise SchemaError(f"{message.name}.{item.name} is tagged where nothing is flexible")


def format_message(message: Message) -> str:
    """One message in the notation; `parse` reads it back."""
    key = "-" if message.key is None else str(message.key)
    lines = [f"{message.name} {message.kind} {key}", f"versions {message.versions}"]
    lines.append(f"flexible {format_versions(message.flexible, message)}")
    if message.listeners:
        lines.append("listeners " + " ".join(message.listeners))
    if message.latest_unstable:
        lines.append("latest-unstable")
    lines.append("")
    inline = inline_structs(message)
    lines += format_fields(message.fields, message, inline, 0)
    for struct in message.all_structs():
        if struct.name not in inline and struct is not message.root:
            lines.append(f"struct {struct.name} {format_versions(struct.versions, message)}")
            lines += format_fields(struct.fields, message, inline, 1)
    return "\n".join(lines) + "\n"


def format_versions(versions: Versions, message: Message) -> str:
    """Open at the end where the range ends with the message's."""
    if versions and versions.highest == message.versions.highest:
        return f"{versions.lowest}+"
    return str(versions)


def inline_structs(message: Message) -> set[str]:
    """Structs that one field alone names."""
    uses = [item.element for struct in message.all_structs() for item in struct.fields]
    return {name for name in uses if name not in PRIMITIVES and uses.count(name) == 1}


def format_fields(fields: tuple[Field, ...], message: Message, inline: set[str], depth: int) -> list[str]:
    """The lines of the fields of one struct."""
    lines = []
    for item in fields:
        words = [item.name, item.type, format_versions(item.versions, message)]
        if item.nullable:
            words.append(f"null={format_versions(item.nullable, message)}")
        if item.tag is not None:
            words.append(f"tag={item.tag}")
        if item.default is not None:
            words.append(f"default={item.default}")
        words += ["ignorable"] * item.ignorable + ["key"] * item.map_key + ["rigid"] * (not item.flexible)
        lines.append(INDENT * depth + " ".join(words))
        if item.element in inline:
            lines += format_fields(message.structs[item.element].fields, message, inline, depth + 1)
    return lines
