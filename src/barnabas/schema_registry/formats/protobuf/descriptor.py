"""The messages of descriptor.proto as a table: what a FileDescriptorProto has in which field, and its bytes.

Values are dicts by field name, repeated fields lists. Fields that are not in the table are passed over, so
custom options are neither in what is written from a schema, nor read into one.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

from barnabas.schema_registry.formats.model import InvalidSchema

# A message of descriptor.proto by field names.
Fields = dict[str, Any]


class _Field(NamedTuple):
    name: str
    kind: str  # int, bool, text, or the name of a message of the table
    repeated: bool = False


def _table(**fields: Any) -> dict[int, _Field]:
    found = {}
    for name, (number, kind) in fields.items():
        found[number] = _Field(name, kind.removesuffix("*"), kind.endswith("*"))
    return found


_FEATURES = _table(
    field_presence=(1, "int"),
    enum_type=(2, "int"),
    repeated_field_encoding=(3, "int"),
    utf8_validation=(4, "int"),
    message_encoding=(5, "int"),
    json_format=(6, "int"),
)
MESSAGES: dict[str, dict[int, _Field]] = {
    "File": _table(
        name=(1, "text"),
        package=(2, "text"),
        dependency=(3, "text*"),
        message_type=(4, "Message*"),
        enum_type=(5, "Enum*"),
        service=(6, "Service*"),
        extension=(7, "Field*"),
        options=(8, "FileOptions"),
        public_dependency=(10, "int*"),
        syntax=(12, "text"),
        edition=(14, "int"),
    ),
    "Message": _table(
        name=(1, "text"),
        field=(2, "Field*"),
        nested_type=(3, "Message*"),
        enum_type=(4, "Enum*"),
        extension_range=(5, "Range*"),
        extension=(6, "Field*"),
        options=(7, "MessageOptions"),
        oneof_decl=(8, "OneOf*"),
        reserved_range=(9, "Range*"),
        reserved_name=(10, "text*"),
    ),
    "Range": _table(start=(1, "int"), end=(2, "int")),
    "OneOf": _table(name=(1, "text"), options=(2, "OneofOptions")),
    "Field": _table(
        name=(1, "text"),
        extendee=(2, "text"),
        number=(3, "int"),
        label=(4, "int"),
        type=(5, "int"),
        type_name=(6, "text"),
        default_value=(7, "text"),
        options=(8, "FieldOptions"),
        oneof_index=(9, "int"),
        json_name=(10, "text"),
        proto3_optional=(17, "bool"),
    ),
    "Enum": _table(
        name=(1, "text"),
        value=(2, "EnumValue*"),
        options=(3, "EnumOptions"),
        reserved_range=(4, "Range*"),
        reserved_name=(5, "text*"),
    ),
    "EnumValue": _table(name=(1, "text"), number=(2, "int"), options=(3, "EnumValueOptions")),
    "Service": _table(name=(1, "text"), method=(2, "Method*"), options=(3, "ServiceOptions")),
    "Method": _table(
        name=(1, "text"),
        input_type=(2, "text"),
        output_type=(3, "text"),
        options=(4, "MethodOptions"),
        client_streaming=(5, "bool"),
        server_streaming=(6, "bool"),
    ),
    "FileOptions": _table(
        java_package=(1, "text"),
        java_outer_classname=(8, "text"),
        optimize_for=(9, "int"),
        java_multiple_files=(10, "bool"),
        go_package=(11, "text"),
        cc_generic_services=(16, "bool"),
        java_generic_services=(17, "bool"),
        py_generic_services=(18, "bool"),
        java_generate_equals_and_hash=(20, "bool"),
        deprecated=(23, "bool"),
        java_string_check_utf8=(27, "bool"),
        cc_enable_arenas=(31, "bool"),
        objc_class_prefix=(36, "text"),
        csharp_namespace=(37, "text"),
        swift_prefix=(39, "text"),
        php_class_prefix=(40, "text"),
        php_namespace=(41, "text"),
        php_metadata_namespace=(44, "text"),
        ruby_package=(45, "text"),
        features=(50, "Features"),
    ),
    "MessageOptions": _table(
        message_set_wire_format=(1, "bool"),
        no_standard_descriptor_accessor=(2, "bool"),
        deprecated=(3, "bool"),
        map_entry=(7, "bool"),
        deprecated_legacy_json_field_conflicts=(11, "bool"),
        features=(12, "Features"),
    ),
    "FieldOptions": _table(
        ctype=(1, "int"),
        packed=(2, "bool"),
        deprecated=(3, "bool"),
        lazy=(5, "bool"),
        jstype=(6, "int"),
        weak=(10, "bool"),
        unverified_lazy=(15, "bool"),
        debug_redact=(16, "bool"),
        features=(21, "Features"),
    ),
    "OneofOptions": _table(features=(1, "Features")),
    "EnumOptions": _table(
        allow_alias=(2, "bool"),
        deprecated=(3, "bool"),
        deprecated_legacy_json_field_conflicts=(6, "bool"),
        features=(7, "Features"),
    ),
    "EnumValueOptions": _table(deprecated=(1, "bool"), features=(2, "Features"), debug_redact=(3, "bool")),
    "ServiceOptions": _table(deprecated=(33, "bool"), features=(34, "Features")),
    "MethodOptions": _table(
        deprecated=(33, "bool"), idempotency_level=(34, "int"), features=(35, "Features")
    ),
    "Features": _FEATURES,
}
# The words that options of kind int are written with.
WORDS: dict[str, dict[str, int]] = {
    "optimize_for": {"SPEED": 1, "CODE_SIZE": 2, "LITE_RUNTIME": 3},
    "ctype": {"STRING": 0, "CORD": 1, "STRING_PIECE": 2},
    "jstype": {"JS_NORMAL": 0, "JS_STRING": 1, "JS_NUMBER": 2},
    "idempotency_level": {"IDEMPOTENCY_UNKNOWN": 0, "NO_SIDE_EFFECTS": 1, "IDEMPOTENT": 2},
    "field_presence": {"EXPLICIT": 1, "IMPLICIT": 2, "LEGACY_REQUIRED": 3},
    "enum_type": {"OPEN": 1, "CLOSED": 2},
    "repeated_field_encoding": {"PACKED": 1, "EXPANDED": 2},
    "utf8_validation": {"VERIFY": 2, "NONE": 3},
    "message_encoding": {"LENGTH_PREFIXED": 1, "DELIMITED": 2},
    "json_format": {"ALLOW": 1, "LEGACY_BEST_EFFORT": 2},
}
EDITIONS = {"2023": 1000, "2024": 1001}
# Numbers of the scalars as types of fields.
SCALAR_TYPES = {
    "double": 1,
    "float": 2,
    "int64": 3,
    "uint64": 4,
    "int32": 5,
    "fixed64": 6,
    "fixed32": 7,
    "bool": 8,
}
SCALAR_TYPES |= {
    "string": 9,
    "bytes": 12,
    "uint32": 13,
    "sfixed32": 15,
    "sfixed64": 16,
    "sint32": 17,
    "sint64": 18,
}
GROUP, MESSAGE, ENUM = 10, 11, 14
LABELS = {"optional": 1, "required": 2, "repeated": 3}


def encode(message: str, fields: Fields) -> bytes:
    """The bytes of a message of the table."""
    found = bytearray()
    for number, field in MESSAGES[message].items():
        if field.name in fields:
            value = fields[field.name]
            for each in value if field.repeated else (value,):
                found += _encoded(number, field, each)
    return bytes(found)


def decode(message: str, data: bytes) -> Fields:
    """The fields of a message of the table; raises InvalidSchema if the bytes are none."""
    table = MESSAGES[message]
    fields: Fields = {}
    for number, value in _parts(data):
        field = table.get(number)
        if field is None:
            continue
        whole = isinstance(value, int)
        if whole != (field.kind in ("int", "bool")):
            if field.repeated and field.kind == "int" and isinstance(value, bytes):
                fields.setdefault(field.name, []).extend(_signed(each) for each in _varints(value))
                continue
            raise InvalidSchema(f"descriptor: field {field.name} is of another type")
        read = _decoded(field, value)
        if field.repeated:
            fields.setdefault(field.name, []).append(read)
        else:
            fields[field.name] = read
    return fields


def varint(value: int) -> bytes:
    """Seven bits a byte, the lowest first; negative numbers take ten bytes."""
    value &= (1 << 64) - 1
    found = bytearray()
    while value > 0x7F:
        found.append(value & 0x7F | 0x80)
        value >>= 7
    found.append(value)
    return bytes(found)


def _encoded(number: int, field: _Field, value: Any) -> bytes:
    if field.kind in ("int", "bool"):
        return varint(number << 3) + varint(int(value))
    data = value.encode() if field.kind == "text" else encode(field.kind, value)
    return varint(number << 3 | 2) + varint(len(data)) + data


def _decoded(field: _Field, value: int | bytes) -> Any:
    if isinstance(value, int):
        return bool(value) if field.kind == "bool" else _signed(value)
    if field.kind != "text":
        return decode(field.kind, value)
    try:
        return value.decode()
    except UnicodeDecodeError:
        raise InvalidSchema(f"descriptor: field {field.name} is no UTF-8") from None


def _signed(value: int) -> int:
    return value - (1 << 64) if value >= 1 << 63 else value


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        if at >= len(data) or shift > 63:
            raise InvalidSchema("descriptor: the bytes end inside a number")
        value |= (data[at] & 0x7F) << shift
        shift += 7
        at += 1
        if data[at - 1] < 0x80:
            return value & (1 << 64) - 1, at


def _varints(data: bytes) -> Iterator[int]:
    at = 0
    while at < len(data):
        value, at = _varint(data, at)
        yield value


def _parts(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Numbers of fields and their values: numbers as int, all else as bytes."""
    at = 0
    while at < len(data):
        tag, at = _varint(data, at)
        wire = tag & 7
        if wire == 0:
            value, at = _varint(data, at)
            yield tag >> 3, value
            continue
        if wire == 2:
            size, at = _varint(data, at)
        elif wire in (1, 5):
            size = 8 if wire == 1 else 4
        else:
            raise InvalidSchema(f"descriptor: wire type {wire} is not used in descriptors")
        if size > len(data) - at:
            raise InvalidSchema("descriptor: the bytes end inside a field")
        at += size
        yield tag >> 3, data[at - size : at]
