"""Static tables of all messages, for the table-driven codec."""

from __future__ import annotations

from codegen.error_counts import Counted, ErrorCounts
from codegen.facts import Api
from codegen.model import NONE, PRIMITIVES, Field, Message, Struct, Versions, snake
from codegen.rust import HEADER


def schema_file(message: Message, index: int, counts: ErrorCounts) -> str:
    """The tables of one message; `index` is its place among all."""
    structs = message.all_structs()
    counting = any(counts.of(message, struct) for struct in structs)
    used = ["CountedError", "Counts"] * counting
    used += ["Default", "Field"] * bool(message.fields) + ["Kind", "Schema", "Struct"]
    used += ["Type"] * bool(message.fields) + ["Versions"]
    lines = [HEADER, f"//! {message.name}.\n", f"use crate::table::{{{', '.join(used)}}};\n"]
    for place, struct in enumerate(structs):
        lines += struct_table(message, struct, place, counts)
    key = -1 if message.key is None else message.key
    kind = "".join(part.capitalize() for part in message.kind.split("-"))
    names = ", ".join("&" + static_name(struct) for struct in structs)
    lines += [
        "/// The message.",
        "pub static SCHEMA: Schema = Schema {",
        f'    name: "{message.name}",',
        f'    module: "{message.module}",',
        f"    index: {index},",
        f"    kind: Kind::{kind},",
        f"    key: {key},",
        f"    versions: {versions(message.versions)},",
        f"    flexible: {versions(message.flexible)},",
        f"    root: &{static_name(message.root)},",
        f"    structs: &[{names}],",
        "};",
        "",
    ]
    return "\n".join(lines)


def static_name(struct: Struct) -> str:
    """Name of the static of a struct."""
    return snake(struct.name).upper()


def versions(value: Versions) -> str:
    """A range of versions as an expression."""
    value = value or NONE
    return f"Versions {{ lowest: {value.lowest}, highest: {value.highest} }}"


def struct_table(message: Message, struct: Struct, index: int, counts: ErrorCounts) -> list[str]:
    """The static of one struct."""
    tagged = sorted((item.tag, place) for place, item in enumerate(struct.fields) if item.tag is not None)
    lines = [f"static {static_name(struct)}: Struct = Struct {{"]
    lines += [f'    name: "{struct.name}",', f"    index: {index},", "    fields: &["]
    lines += ["        " + field_table(message, struct, item) + "," for item in struct.fields]
    errors = ", ".join(counted_error(struct, counted) for counted in counts.of(message, struct))
    lines += ["    ],", f"    tagged: &[{', '.join(str(place) for _, place in tagged)}],"]
    return [*lines, f"    errors: &[{errors}],", "};", ""]


def counted_error(struct: Struct, counted: Counted) -> str:
    """A field that counts as an expression."""
    rule = "".join(part.capitalize() for part in counted.rule.split("-"))
    if counted.array is not None:
        rule += f"({struct.fields.index(counted.array)})"
    return f"CountedError {{ field: {struct.fields.index(counted.field)}, counts: Counts::{rule} }}"


def field_table(message: Message, struct: Struct, item: Field) -> str:
    """One field as an expression."""
    kind = item.element.capitalize() if item.element in PRIMITIVES else None
    type_ = f"Type::{kind}" if kind else f"Type::Struct(&{static_name(message.structs[item.element])})"
    smallest = message.smallest(item.element, item.versions) if item.is_array else 0
    values = [
        f'name: "{item.snake_name}"',
        f'path: "{struct.name}.{item.name}"',
        f"versions: {versions(item.versions)}",
        f"nullable: {versions(item.nullable)}",
        f"tag: {-1 if item.tag is None else item.tag}",
        f"kind: {type_}",
        f"array: {str(item.is_array).lower()}",
        f"element_bytes: {smallest}",
        f"default: {default(item)}",
        f"ignorable: {str(item.ignorable).lower()}",
        f"rigid: {str(not item.flexible).lower()}",
    ]
    return f"Field {{ {', '.join(values)} }}"


def default(item: Field) -> str:
    """The default as an expression."""
    if item.default == "null" or item.type == "records":
        return "Default::Null"
    if item.default is None:
        return "Default::Plain"
    if item.type == "bool":
        return "Default::True"
    return f"Default::Integer({item.default})"


def index_file(messages: list[Message], apis: list[Api]) -> str:
    """All schemas by name, those of the APIs by key, those of the metadata records by type."""
    ordered = sorted(messages, key=lambda message: message.name)
    by_name = {message.name: message for message in messages}
    lines = [
        HEADER,
        "//! The tables of all messages.\n",
        "use crate::api::ApiKey;",
        "use crate::table::Schema;",
        "",
    ]
    lines += [
        f"pub mod {message.module};" for message in sorted(messages, key=lambda message: message.module)
    ]
    lines += ["", "/// All messages, by name.", f"pub static ALL: [&Schema; {len(ordered)}] = ["]
    lines += [f"    &{message.module}::SCHEMA," for message in ordered] + ["];", ""]
    for side in ("Request", "Response"):
        lines += [f"/// The {side.lower()} of an API."]
        lines += [f"pub fn {side.lower()}(api: ApiKey) -> &'static Schema {{", "    match api {"]
        lines += [
            f"        ApiKey::{api.name} => &{by_name[api.name + side].module}::SCHEMA," for api in apis
        ]
        lines += ["    }", "}", ""]
    metadata = [message for message in messages if message.kind == "metadata"]
    records = sorted(((message.key or 0, message) for message in metadata), key=lambda pair: pair[0])
    lines += ["/// The metadata record of a type."]
    lines += [
        "pub fn metadata_record(record_type: i16) -> Option<&'static Schema> {",
        "    Some(match record_type {",
    ]
    lines += [f"        {key} => &{message.module}::SCHEMA," for key, message in records]
    lines += ["        _ => return None,", "    })", "}", ""]
    return "\n".join(lines)
