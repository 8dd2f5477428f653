"""Tags of parts of schemas: found, set and taken back, in the text of each format."""

from __future__ import annotations

import json

import pytest

from barnabas.schema_registry.formats import InvalidSchema, ParsedSchema, parse
from barnabas.schema_registry.formats.tags import FIELD, RECORD, Entity, TagChange

AVRO = (
    '["null",{"type":"record","name":"Person","namespace":"ns","fields":[{"name":"home","type":{"type":"record",'
    '"name":"Address","fields":[{"name":"street","type":"string"}]}},{"name":"mails","type":{"type":"array",'
    '"items":{"type":"record","name":"Mail","namespace":"other","fields":[{"name":"to","type":"string"}]}}},'
    '{"name":"before","type":["null","Address"],"default":null}]}]'
)
JSON = (
    '{"type":"object","properties":{"homes":{"type":"array","items":{"type":"object","properties":{"street":'
    '{"type":"string"}}}},"name":{"allOf":[{"type":"string"},{"type":"object","properties":{"first":'
    '{"type":"string"}}}]},"age":{"type":"integer"}},"definitions":{"Mail":{"type":"object","properties":'
    '{"to":{"type":"string"}}}}}'
)
PROTOBUF = """syntax = "proto3";
package ns;

message Person {
  string name = 1;
  oneof home {
    Address address = 2;
  }

  message Address {
    string street = 1 [deprecated = true];
  }
}
"""
PARTS = [
    ("AVRO", AVRO, "ns.Address.street", FIELD),
    ("AVRO", AVRO, "ns.Person", RECORD),
    ("AVRO", AVRO, "ns.Person.before", FIELD),
    ("AVRO", AVRO, "other.Mail.to", FIELD),
    ("JSON", JSON, "object", RECORD),
    ("JSON", JSON, "object.age", FIELD),
    ("JSON", JSON, "object.homes.array.object", RECORD),
    ("JSON", JSON, "object.homes.array.object.street", FIELD),
    ("JSON", JSON, "object.name.allof.1.object.first", FIELD),
    ("JSON", JSON, "definitions.Mail.object.to", FIELD),
    ("PROTOBUF", PROTOBUF, "Person", RECORD),
    ("PROTOBUF", PROTOBUF, "Person.address", FIELD),
    ("PROTOBUF", PROTOBUF, "Person.Address.street", FIELD),
]


@pytest.mark.parametrize(("schema_type", "text", "path", "kind"), PARTS)
def test_a_part_gets_tags_and_loses_them(schema_type: str, text: str, path: str, kind: str) -> None:
    entity, schema = Entity(path, kind), parse(schema_type, text, ())
    assert not schema.tagged()
    tagged = schema.with_tags(TagChange({entity: ["PII", "SECRET", "PII"]}))
    assert dict(tagged.tagged()) == {entity: ["PII", "SECRET"]}
    less = tagged.with_tags(TagChange({entity: ["LATE"]}, {entity: ["PII"]}))
    assert dict(less.tagged()) == {entity: ["SECRET", "LATE"]}
    assert less.with_tags(TagChange({}, {entity: ["LATE", "SECRET"]})).canonical == schema.canonical


@pytest.mark.parametrize(("schema_type", "text"), [("AVRO", AVRO), ("JSON", JSON), ("PROTOBUF", PROTOBUF)])
def test_a_part_that_there_is_not_is_refused_or_passed_over(schema_type: str, text: str) -> None:
    schema: ParsedSchema = parse(schema_type, text, ())
    change = TagChange({Entity("does.not.exist", FIELD): ["PII"]})
    with pytest.raises(InvalidSchema, match=r"no field 'does\.not\.exist'"):
        schema.with_tags(change)
    assert schema.with_tags(change, strict=False).canonical == schema.canonical


def test_tags_stand_where_other_registries_look_for_them() -> None:
    avro = parse("AVRO", AVRO, ()).with_tags(TagChange({Entity("ns.Address.street", FIELD): ["PII"]}))
    street = json.loads(avro.canonical)[1]["fields"][0]["type"]["fields"][0]
    assert street == {"name": "street", "type": "string", "confluent:tags": ["PII"]}

    proto = parse("PROTOBUF", 'syntax = "proto3";\nmessage M {\n  string f = 1;\n}\n', ())
    tagged = proto.with_tags(TagChange({Entity("M.f", FIELD): ["PII", "X"]}))
    assert tagged.canonical == (
        'syntax = "proto3";\n\nmessage M {\n  string f = 1 [(confluent.field_meta) = {\n    tags: [\n'
        '      "PII",\n      "X"\n    ]\n  }];\n}\n'
    )


def test_what_else_an_option_says_stays() -> None:
    text = (
        'syntax = "proto3"; message M { string f = 1 [deprecated = true, (confluent.field_meta) = '
        '{ doc: "d", tags: "A" }, (confluent.field_meta).tags = "B"]; }'
    )
    schema, entity = parse("PROTOBUF", text, ()), Entity("M.f", FIELD)
    assert dict(schema.tagged()) == {entity: ["A", "B"]}
    bare = schema.with_tags(TagChange({}, {entity: ["A", "B"]}))
    assert not bare.tagged()
    assert 'doc: "d"' in bare.canonical
    assert "deprecated = true" in bare.canonical
