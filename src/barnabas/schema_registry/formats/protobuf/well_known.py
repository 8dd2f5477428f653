"""The files that every .proto file may import without a reference: Protobuf's own, and Confluent's two.

Only what compatibility and names need is here: messages, fields and numbers, no comments and no options.
"""

from functools import cache

from barnabas.schema_registry.formats.protobuf.nodes import ProtoFile
from barnabas.schema_registry.formats.protobuf.parser import parse_proto

_EXTENDED = ("File", "Message", "Field", "Oneof", "Enum", "EnumValue", "Service", "Method", "ExtensionRange")

_GOOGLE = {
    "any": "message Any { string type_url = 1; bytes value = 2; }",
    "duration": "message Duration { int64 seconds = 1; int32 nanos = 2; }",
    "empty": "message Empty {}",
    "field_mask": "message FieldMask { repeated string paths = 1; }",
    "source_context": "message SourceContext { string file_name = 1; }",
    "struct": (
        "message Struct { map<string, Value> fields = 1; }"
        "message Value { oneof kind { NullValue null_value = 1; double number_value = 2;"
        " string string_value = 3; bool bool_value = 4; Struct struct_value = 5;"
        " ListValue list_value = 6; } }"
        "message ListValue { repeated Value values = 1; }"
        "enum NullValue { NULL_VALUE = 0; }"
    ),
    "timestamp": "message Timestamp { int64 seconds = 1; int32 nanos = 2; }",
    "wrappers": (
        "message DoubleValue { double value = 1; } message FloatValue { float value = 1; }"
        "message Int64Value { int64 value = 1; } message UInt64Value { uint64 value = 1; }"
        "message Int32Value { int32 value = 1; } message UInt32Value { uint32 value = 1; }"
        "message BoolValue { bool value = 1; } message StringValue { string value = 1; }"
        "message BytesValue { bytes value = 1; }"
    ),
    # What options are extended by; a schema has no use for the rest of it.
    "descriptor": "".join(f"message {name}Options {{ extensions 1000 to max; }}" for name in _EXTENDED),
}
_CONFLUENT = {
    "confluent/type/decimal.proto": (
        'syntax = "proto3"; package confluent.type;'
        "message Decimal { bytes value = 1; uint32 precision = 2; int32 scale = 3; }"
    ),
    "confluent/meta.proto": (
        'syntax = "proto3"; package confluent; import "google/protobuf/descriptor.proto";'
        "message Meta { string doc = 1; map<string, string> params = 2; repeated string tags = 3; }"
        + "".join(
            f"extend google.protobuf.{target} {{ Meta {name}_meta = 1088; }}"
            for target, name in (
                ("FileOptions", "file"),
                ("MessageOptions", "message"),
                ("FieldOptions", "field"),
                ("EnumOptions", "enum"),
                ("EnumValueOptions", "enum_value"),
            )
        )
    ),
}


@cache
def well_known(path: str) -> ProtoFile | None:
    """The file of that path; None if it is none of these."""
    if text := _CONFLUENT.get(path):
        return parse_proto(text)
    name = path.removeprefix("google/protobuf/").removesuffix(".proto")
    if path != f"google/protobuf/{name}.proto" or name not in _GOOGLE:
        return None
    syntax = "proto2" if name == "descriptor" else "proto3"
    return parse_proto(f'syntax = "{syntax}"; package google.protobuf; {_GOOGLE[name]}')
