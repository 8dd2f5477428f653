"""Protobuf: what is read and refused, the stored text, and each kind of difference."""

import pytest

from barnabas.schema_registry.formats import InvalidSchema, ResolvedReference, incompatibilities, parse

FULL = """
// A comment.
syntax = "proto3";
package a.b;
import "google/protobuf/timestamp.proto";
import public "google/protobuf/wrappers.proto";
import "confluent/meta.proto";
option java_package = "x.y";
message Rule { int32 min = 1; repeated string s = 2; }
enum Top { option allow_alias = true; A = 0; B = 0x1; C = 1; D = -5; }
message Outer {
  message Inner { int32 z = 1; message Deep { bytes b = 1; } Deep d = 2; }
  option deprecated = true;
  reserved 5, 7 to 9, 100 to max; reserved "foo", 'bar';
  google.protobuf.Timestamp ts = 1 [
    (confluent.field_meta) = {tags: ["PII"] params: {key: "it's" value: "v"}}
  ];
  map<string, Inner> m = 2 [json_name = "em", deprecated = true];
  optional int32 message = 3; /* a word of the language as a name */
  oneof one { string x = 10; Inner y = 11; }
  enum Color { RED = 0; BLUE = 1 [deprecated = true]; }
  repeated Color colors = 4;
}
service S { rpc R (stream .a.b.Outer) returns (Outer.Inner) { option deprecated = true; } }
"""
STORED = r"""syntax = "proto3";
package a.b;

import "google/protobuf/timestamp.proto";
import "confluent/meta.proto";
import public "google/protobuf/wrappers.proto";

option java_package = "x.y";

message Rule {
  int32 min = 1;
  repeated string s = 2;
}
message Outer {
  reserved 5, 7 to 9, 100 to max;
  reserved "foo", "bar";

  option deprecated = true;

  google.protobuf.Timestamp ts = 1 [(confluent.field_meta) = {
    tags: [
      "PII"
    ],
    params: {
      key: "it\'s",
      value: "v"
    }
  }];
  map<string, Inner> m = 2 [
    deprecated = true,
    json_name = "em"
  ];
  optional int32 message = 3;
  repeated Color colors = 4;

  oneof one {
    string x = 10;
    Inner y = 11;
  }

  message Inner {
    int32 z = 1;
    Deep d = 2;
  ~
    message Deep {
      bytes b = 1;
    }
  }
  enum Color {
    RED = 0;
    BLUE = 1 [deprecated = true];
  }
}
enum Top {
  option allow_alias = true;
  A = 0;
  B = 1;
  C = 1;
  D = -5;
}

service S {
  rpc R (stream .a.b.Outer) returns (Outer.Inner) {
    option deprecated = true;
  };
}
"""


def test_stored_text_is_laid_out_as_confluents() -> None:
    schema = parse("PROTOBUF", FULL)
    assert schema.canonical == STORED.replace("  ~\n", "  \n")
    assert parse("PROTOBUF", schema.canonical).canonical == schema.canonical
    assert schema.name == "a.b.Rule"


def test_normalized_text_has_full_names_and_sorts_what_has_no_order() -> None:
    schema = parse(
        "PROTOBUF",
        'package p; import "google/protobuf/empty.proto"; import "google/protobuf/any.proto";'
        "message M { optional E e = 2 [json_name = 'x', deprecated = true]; required N n = 1; message N {}"
        " reserved 9, 4 to 4; map<string, E> m = 3; } enum E { B = 1; A = 0; }",
    )
    assert schema.normalized().canonical == (
        'package p;\n\nimport "google/protobuf/any.proto";\nimport "google/protobuf/empty.proto";\n\n'
        "message M {\n  reserved 4;\n  reserved 9;\n\n  required .p.M.N n = 1;\n"
        '  optional .p.E e = 2 [\n    deprecated = true,\n    json_name = "x"\n  ];\n'
        "  map<string, .p.E> m = 3;\n\n  message N {}\n}\nenum E {\n  A = 0;\n  B = 1;\n}\n"
    )
    assert schema.normalized().normalized().canonical == schema.normalized().canonical


def test_groups_extensions_and_editions_are_read() -> None:
    old = parse(
        "PROTOBUF",
        'syntax = "proto2"; message M { extensions 100 to max;'
        " repeated group G = 1 { optional int32 a = 1; } }"
        "extend M { optional string more = 100; } message N { extend M { optional N n = 101; } }",
    )
    assert "repeated group G = 1 {\n    optional int32 a = 1;\n  }" in old.canonical
    assert "extend" not in old.formatted("ignore_extensions")
    assert "extensions" not in old.formatted("ignore_extensions")
    edition = parse("PROTOBUF", 'edition = "2023"; message M { reserved foo; int32 a = 1 [features.x = Y]; }')
    assert edition.canonical.startswith('edition = "2023";\n\nmessage M {\n  reserved "foo";')
    for schema in (old, edition):
        assert parse("PROTOBUF", schema.formatted("serialized")).normalized().name == schema.name


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("message M { int32 a = 1; int32 b = 1; }", "field 'b' of M has the number 1, which 'a' has already"),
        ("message M { int32 a = 1; int32 a = 2; }", "M has 'a' twice"),
        (
            "message M { int32 a = 0; }",
            "line 1, column 23: a field's number must be from 1 to 536870911, not 0",
        ),
        ("message M { int32 a = 19500; }", "Protobuf's own"),
        ("message M { reserved 1; int32 a = 1; }", "reserved name or number"),
        ("message M { reserved 'a'; int32 a = 1; }", "reserved name or number"),
        ("message M { reserved 1 to 5, 3; }", "overlap"),
        ("message M { Nope a = 1; }", "'Nope' is no type that is defined or imported"),
        ("message M { map<double, int32> a = 1; }", "'double' is no type for the keys of a map"),
        ("message M { oneof o {} }", "oneof 'o' has no fields"),
        ("message M { oneof o { repeated int32 a = 1; } }", "a field of a oneof has no label"),
        ("message M {} message M {}", "M is defined twice"),
        ("enum E {}", "enum E has no constants"),
        ("enum E { A = 0; B = 0; }", "A and B are both 0"),
        ('syntax = "proto3"; enum E { A = 1; }', "the first constant must be zero in proto3"),
        ('syntax = "proto3"; message M { required int32 a = 1; }', "proto3 has no required fields"),
        ('syntax = "proto4";', "unknown syntax 'proto4'"),
        ('import "other.proto";', "no reference is named 'other.proto'"),
        ("message M {} extend M { optional int32 a = 1; }", "1 is no number that M leaves to extensions"),
        ("service S { rpc R (E) returns (E); } enum E { A = 0; }", "E is no message"),
        ("messag M {}", "line 1, column 1: unexpected 'messag'"),
        ("message M {\n  int32 a = 1;\n", "line 3, column 1: expected a field's name|end of the text"),
    ],
)
def test_what_is_no_schema_is_refused_with_its_place(text: str, message: str) -> None:
    with pytest.raises(InvalidSchema, match=message):
        parse("PROTOBUF", text)


def differences(old: str, new: str) -> list[str]:
    head = 'syntax = "proto3"; '
    found = incompatibilities(parse("PROTOBUF", head + new), parse("PROTOBUF", head + old))
    return [f"{each.type} {each.path}" for each in found]


@pytest.mark.parametrize(
    ("old", "new", "found"),
    [
        ("int32 a = 1;", "int32 a = 1; string b = 2;", []),
        ("int32 a = 1; string b = 2;", "int32 a = 1;", []),
        ("int32 a = 1;", "int32 other = 1;", []),
        ("int32 a = 1;", "uint64 a = 1;", []),
        ("int32 a = 1;", "bool a = 1;", []),
        ("int32 a = 1;", "E a = 1;", []),
        ("string a = 1;", "bytes a = 1;", []),
        ("int32 a = 1;", "sint32 a = 1;", ["FIELD_SCALAR_KIND_CHANGED #/M/1"]),
        ("fixed32 a = 1;", "fixed64 a = 1;", ["FIELD_SCALAR_KIND_CHANGED #/M/1"]),
        ("int32 a = 1;", "string a = 1;", ["FIELD_SCALAR_KIND_CHANGED #/M/1"]),
        ("int32 a = 1;", "N a = 1;", ["FIELD_KIND_CHANGED #/M/1"]),
        ("N a = 1;", "O a = 1;", ["FIELD_NAMED_TYPE_CHANGED #/M/1"]),
        ("map<string, int32> a = 1;", "map<string, int64> a = 1;", []),
        ("map<string, int32> a = 1;", "map<int32, int32> a = 1;", ["FIELD_SCALAR_KIND_CHANGED #/M/1"]),
        ("map<string, int32> a = 1;", "string a = 1;", ["FIELD_KIND_CHANGED #/M/1"]),
        ("repeated string a = 1;", "optional string a = 1;", []),
        ("repeated int32 a = 1;", "optional int32 a = 1;", ["FIELD_NUMERIC_LABEL_CHANGED #/M/1"]),
        ("repeated int32 a = 1;", "int32 a = 1;", ["FIELD_NUMERIC_LABEL_CHANGED #/M/1"]),
        ("int32 a = 1;", "repeated int32 a = 1;", []),
        ("int32 a = 1;", "oneof o { int32 a = 1; int32 b = 2; }", []),
        (
            "int32 a = 1; int32 b = 2;",
            "oneof o { int32 a = 1; int32 b = 2; }",
            ["MULTIPLE_FIELDS_MOVED_TO_ONEOF #/M/o"],
        ),
        (
            "oneof o { int32 a = 1; } int32 b = 2;",
            "oneof o { int32 a = 1; int32 b = 2; }",
            ["FIELD_MOVED_TO_EXISTING_ONEOF #/M/o"],
        ),
        (
            "oneof o { int32 a = 1; int32 b = 2; }",
            "oneof o { int32 a = 1; }",
            ["ONEOF_FIELD_REMOVED #/M/o/2"],
        ),
        ("oneof o { int32 a = 1; int32 b = 2; }", "int32 a = 1; int32 b = 2;", []),
        ("oneof o { int32 a = 1; int32 b = 2; }", "oneof p { int32 a = 1; int32 b = 2; }", []),
        ("oneof o { int32 a = 1; int32 b = 2; }", "", []),
        ("message I { int32 a = 1; }", "", ["MESSAGE_REMOVED #/M/I"]),
        ("", "message I { int32 a = 1; }", []),
        ("message I { int32 a = 1; }", "message I { string a = 1; }", ["FIELD_SCALAR_KIND_CHANGED #/M/I/1"]),
    ],
)
def test_differences(old: str, new: str, found: list[str]) -> None:
    rest = " message N {} message O {} enum E { Z = 0; }"
    assert differences(f"message M {{ {old} }}{rest}", f"message M {{ {new} }}{rest}") == found


def test_package_and_required_fields_must_stay() -> None:
    assert differences("package a; message M {}", "package b; message M {}") == ["PACKAGE_CHANGED #/"]
    old, new = parse("PROTOBUF", "message M {}"), parse("PROTOBUF", "message M { required int32 a = 1; }")
    assert [each.type for each in incompatibilities(new, old)] == ["REQUIRED_FIELD_ADDED"]
    assert [each.type for each in incompatibilities(old, new)] == ["REQUIRED_FIELD_REMOVED"]


def test_names_may_be_spelled_in_full() -> None:
    body = "package p.q; message M {{ {} a = 1; message N {{}} }}"
    for name in ("M.N", "q.M.N", "p.q.M.N", ".p.q.M.N"):
        assert differences(body.format("N"), body.format(name)) == []


def imported(kind: str, package: str = "x", path: str = "other.proto", version: int = 1) -> ResolvedReference:
    text = f'syntax = "proto3"; package {package}; message Other {{ {kind} a = 1; }}'
    return ResolvedReference(path, path, version, text)


def test_imported_messages_are_compared_by_what_they_hold() -> None:
    def importing(reference: ResolvedReference, package: str = "x") -> str:
        return f'syntax = "proto3"; import "{reference.name}"; message M {{ {package}.Other o = 1; }}'

    number, text = imported("int32"), imported("string", version=2)
    old = parse("PROTOBUF", importing(number), [number])
    new = parse("PROTOBUF", importing(text), [text])
    assert [f"{each.type} {each.path}" for each in incompatibilities(new, old)] == [
        "FIELD_SCALAR_KIND_CHANGED #/Other/1",
        "FIELD_NAMED_TYPE_CHANGED #/M/1",
    ]
    moved = imported("int64", package="y", path="moved.proto")
    assert incompatibilities(parse("PROTOBUF", importing(moved, "y"), [moved]), old) == []


def test_public_imports_are_seen_through() -> None:
    other = imported("int32")
    middle = ResolvedReference("middle.proto", "middle", 1, 'syntax = "proto3"; import public "other.proto";')
    schema = parse(
        "PROTOBUF", 'syntax = "proto3"; import "middle.proto"; message M { x.Other o = 1; }', [other, middle]
    )
    assert schema.name == "M"
    private = ResolvedReference("middle.proto", "middle", 1, 'syntax = "proto3"; import "other.proto";')
    with pytest.raises(InvalidSchema, match=r"'x.Other' is no type"):
        parse("PROTOBUF", schema.canonical, [other, private])
