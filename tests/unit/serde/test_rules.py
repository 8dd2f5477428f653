"""Rules of schemas, run by serdes: when, over what, and what becomes of a value that they refuse."""

from __future__ import annotations

import json
from base64 import b64decode
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pytest
from google.protobuf import descriptor_pool, message_factory

from barnabas.schema_registry.formats.protobuf import ProtobufSchema
from barnabas.serde import SerializationError
from barnabas.serde.avro import Avro
from barnabas.serde.contract import Contract, Rule, wildcard
from barnabas.serde.json_schema import JsonSchema
from barnabas.serde.protobuf import Protobuf
from barnabas.serde.registry import Schema, SchemaRegistry
from barnabas.serde.rules import Change, Executor, FieldExecutor, FieldOf, RuleError, Rules, Run
from barnabas.serde.rules.encryption import Encrypt, Keys
from barnabas.serde.rules.local_keys import DataCipher, LocalKeys, generated
from tests.support.toolchain import require_modules
from tests.unit.serde.fake_registry import FakeRegistry, fake_registry

RECORD = json.dumps(
    {
        "type": "record",
        "name": "User",
        "namespace": "ns",
        "fields": [
            {"name": "name", "type": "string", "confluent:tags": ["PII"]},
            {"name": "mail", "type": ["null", "string"], "default": None},
            {"name": "friends", "type": {"type": "array", "items": "ns.User"}, "default": []},
        ],
    }
)
OBJECT = json.dumps(
    {
        "type": "object",
        "properties": {
            "name": {"type": "string", "confluent:tags": ["PII"]},
            "mail": {"oneOf": [{"type": "null"}, {"$ref": "#/definitions/mail"}]},
            "friends": {"type": "array", "items": {"$ref": "#"}},
        },
        "definitions": {"mail": {"type": "string"}},
    }
)
PROTO = """syntax = "proto3";
package ns;

message User {
  string name = 1 [(confluent.field_meta) = {
    tags: [
      "PII"
    ]
  }];
  optional string mail = 2;
  repeated User friends = 3;
  map<string, string> notes = 4;
  bytes raw = 5;
}
"""
ADA = {"name": "ada", "mail": None, "friends": [{"name": "bob", "mail": "b@x.org", "friends": []}]}
SECRET = {"LOCAL_SECRET": "of the test"}
KEK = {"encrypt.kek.name": "kek", "encrypt.kms.type": "local-kms", "encrypt.kms.key.id": "here"}


@pytest.fixture
def fake() -> Iterator[FakeRegistry]:
    with fake_registry() as registry:
        yield registry


@pytest.fixture
def registry(fake: FakeRegistry) -> Iterator[SchemaRegistry]:
    client = SchemaRegistry(fake.url)
    yield client
    client.close()


class Louder(FieldExecutor):
    """Makes texts louder."""

    type = "LOUDER"

    def change(self, run: Run) -> Change:
        def change(field: FieldOf, value: Any) -> Any:
            louder: Any = value.upper() + run.rule.expr if field.type == "STRING" else value
            return louder

        return change


class Python(Executor):
    """Evaluates an expression of Python over `v`."""

    type = "PYTHON"

    def run(self, run: Run, value: Any) -> Any:
        return eval(run.rule.expr, {"v": value})


def rule(type: str = "PYTHON", **more: Any) -> dict[str, Any]:
    return {"name": "one", "type": type, "mode": "WRITE", **more}


def put(
    registry: SchemaRegistry, text: str, rules: dict[str, Any], type: str = "AVRO", subject: str = "t-value"
) -> Schema:
    """Registers a schema with rules."""
    schema = Schema(type, text, (), Contract.of({"ruleSet": rules}))
    registry.register(subject, schema)
    return schema


def domain(*rules: dict[str, Any]) -> dict[str, Any]:
    return {"domainRules": list(rules)}


def own(**more: Any) -> Rules:
    return Rules([Louder(), Python()], environment=SECRET, **more)


@pytest.mark.parametrize(
    ("pattern", "path", "matches"),
    [
        ("ns.User.name", "ns.User.name", True),
        ("ns.*.name", "ns.User.name", True),
        ("*.name", "ns.User.name", False),
        ("**.name", "ns.User.name", True),
        ("ns.Us?r.*", "ns.User.name", True),
        ("ns.User.n+", "ns.User.nn", False),
    ],
)
def test_tags_of_metadata_are_for_paths(pattern: str, path: str, matches: bool) -> None:
    assert bool(wildcard(pattern).fullmatch(path)) is matches


@pytest.mark.parametrize(
    ("mode", "run", "failed", "action"),
    [
        ("WRITE", "WRITE", True, "ERROR"),
        ("WRITEREAD", "WRITE", True, "NONE"),
        ("WRITEREAD", "READ", True, "DLQ"),
        ("UPDOWN", "DOWNGRADE", True, "DLQ"),
        ("WRITE", "WRITE", False, "NONE"),
    ],
)
def test_a_rule_for_two_modes_may_name_two_actions(mode: str, run: Any, failed: bool, action: str) -> None:
    on_failure = "" if mode == "WRITE" else "NONE,DLQ"
    found = Rule.of(rule(mode=mode, onFailure=on_failure))
    assert found.action(run, failed=failed) == action


@pytest.mark.parametrize("use", ["register", "latest"])
def test_rules_are_run_whichever_way_the_schema_was_found(registry: SchemaRegistry, use: Any) -> None:
    schema = put(registry, RECORD, domain(rule("LOUDER", expr="!")))
    serde: Avro[Any] = Avro(registry, None if use == "latest" else RECORD, use=use, rules=own())
    if use == "register":
        serde.schema = schema
    value = {**ADA, "mail": "a@x.org"}
    written = serde.serialize("t", value)
    plain: Avro[Any] = Avro(registry, rules=own())
    assert plain.deserialize("t", written) == {
        "name": "ADA!",
        "mail": "A@X.ORG!",
        "friends": [{"name": "BOB!", "mail": "B@X.ORG!", "friends": []}],
    }
    assert value == {**ADA, "mail": "a@x.org"}  # What was given stays as it is.


@pytest.mark.parametrize(("type", "text"), [("AVRO", RECORD), ("JSON", OBJECT)])
def test_a_rule_with_tags_is_for_fields_that_have_one(registry: SchemaRegistry, type: str, text: str) -> None:
    put(registry, text, domain(rule("LOUDER", tags=["PII", "OTHER"])), type)
    serde: Any = (Avro if type == "AVRO" else JsonSchema)(registry, use="latest", rules=own())
    found = serde.deserialize("t", serde.serialize("t", ADA))
    assert (found["name"], found["friends"][0]) == ("ADA", {"name": "BOB", "mail": "b@x.org", "friends": []})


def test_fields_of_messages_are_changed_where_they_are_set(registry: SchemaRegistry) -> None:
    put(registry, PROTO, domain(rule("LOUDER")), "PROTOBUF")
    pool = descriptor_pool.DescriptorPool()
    for data in ProtobufSchema.parse(PROTO, ()).descriptors("user.proto"):
        pool.AddSerializedFile(data)
    user: Any = message_factory.GetMessageClass(pool.FindMessageTypeByName("ns.User"))
    serde: Protobuf[Any] = Protobuf(registry, user, use="latest", rules=own())
    message = user(name="ada", friends=[user(name="bob")], notes={"k": "v"}, raw=b"raw")
    found = serde.deserialize("t", serde.serialize("t", message))
    assert found == user(name="ADA", friends=[user(name="BOB")], notes={"k": "v"}, raw=b"raw")
    assert not found.HasField("mail")
    assert message.name == "ada"
    put(registry, PROTO, domain(rule("LOUDER", tags=["PII"], expr="2")), "PROTOBUF", "u-value")
    found = serde.deserialize("u", serde.serialize("u", message))
    assert found == user(name="ADA2", friends=[user(name="BOB2")], notes={"k": "v"}, raw=b"raw")


def test_what_was_done_last_is_undone_first(registry: SchemaRegistry) -> None:
    rules = [rule(name=str(at), mode="READ", expr=f"{{**v, 'name': v['name'] + '{at}'}}") for at in range(3)]
    put(registry, RECORD, domain(*rules, rule(name="off", mode="READ", expr="None", disabled=True)))
    serde: Avro[Any] = Avro(registry, use="latest", rules=own())
    found = serde.deserialize("t", serde.serialize("t", ADA))
    assert found is not None
    assert found["name"] == "ada210"
    put(registry, RECORD, {**domain(*rules), "enableAt": "SERVER"}, subject="u-value")
    assert serde.deserialize("u", serde.serialize("u", ADA)) == ADA


@pytest.mark.parametrize(
    "refused",
    [
        rule(kind="CONDITION", expr="v['name'] == 'eve'", doc="only eve"),
        rule(expr="1 / 0"),
        rule(expr="None"),
        rule("NOBODY"),
    ],
)
def test_what_a_rule_refuses_is_not_written_unless_it_says_so(
    registry: SchemaRegistry, refused: dict[str, Any]
) -> None:
    put(registry, RECORD, domain(refused))
    serde: Avro[Any] = Avro(registry, use="latest", rules=own())
    with pytest.raises(RuleError, match="only eve" if "doc" in refused else "one"):
        serde.serialize("t", ADA)
    if refused.get("expr") != "None":
        put(registry, RECORD, domain({**refused, "onFailure": "NONE"}), subject="u-value")
        assert serde.deserialize("u", serde.serialize("u", ADA)) == ADA


@dataclass
class Sent:
    """A producer that keeps what it is given."""

    records: list[tuple[Any, ...]]

    def produce(self, topic: str, value: Any = None, key: Any = None, *, headers: Any = None) -> None:
        self.records.append((topic, value, key, dict(headers)))


def test_what_is_refused_goes_to_the_dead_letter_topic_without_its_secrets(registry: SchemaRegistry) -> None:
    sent = Sent([])
    condition = rule(kind="CONDITION", expr="False", onFailure="DLQ", params={"dlq.topic": "dead"})
    put(registry, RECORD, domain(condition, rule("ENCRYPT", name="two", tags=["PII"], params=KEK)))
    serde: Avro[Any] = Avro(registry, use="latest", rules=own(dead_letters=sent))
    with pytest.raises(RuleError):
        serde.serialize("t", ADA, [("h", b"1")])
    [(topic, value, key, headers)] = sent.records
    assert (topic, key, headers["h"], headers["__rule.name"]) == ("dead", None, b"1", b"one")
    assert (headers["__rule.mode"], headers["__rule.topic"]) == (b"WRITE", b"t")
    assert (headers["__rule.subject"], b"does not hold" in headers["__rule.exception"]) == (b"t-value", True)
    friend = {"name": "<REDACTED>", "mail": "b@x.org", "friends": []}
    assert json.loads(value) == {"name": "<REDACTED>", "mail": None, "friends": [friend]}
    # Read again from there, it is not refused by the same rule once more.
    assert serde.serialize("t", ADA, list(headers.items())) is not None
    with pytest.raises(RuleError, match="a producer for dead letters"):
        Avro(registry, use="latest", rules=own()).serialize("t", ADA)


@pytest.mark.parametrize("algorithm", ["AES128_GCM", "AES256_GCM", "AES256_SIV"])
def test_fields_are_encrypted_and_read_by_whoever_has_the_secret(
    registry: SchemaRegistry, fake: FakeRegistry, algorithm: str
) -> None:
    params = {**KEK, "encrypt.dek.algorithm": algorithm}
    put(registry, RECORD, domain(rule("ENCRYPT", mode="WRITEREAD", tags=["PII"], params=params)))
    serde: Avro[Any] = Avro(registry, use="latest", rules=own())
    first, second = serde.serialize("t", ADA), serde.serialize("t", ADA)
    assert first is not None
    assert b"ada" not in first
    assert b"b@x.org" in first
    assert (first == second) is (algorithm == "AES256_SIV")
    assert serde.deserialize("t", first) == ADA
    # A reader of another process: it has nothing in memory but the secret, and a schema of its own.
    shorter = json.dumps({**json.loads(RECORD), "fields": json.loads(RECORD)["fields"][:1]})
    other: Avro[Any] = Avro(SchemaRegistry(fake.url), shorter, rules=own())
    assert other.deserialize("t", first) == {"name": "ada"}
    stranger: Avro[Any] = Avro(registry, rules=Rules(environment={"LOCAL_SECRET": "another"}))
    with pytest.raises(RuleError, match="no secret opens the key"):
        stranger.deserialize("t", first)
    nobody: Avro[Any] = Avro(registry, rules=Rules(environment={}))
    with pytest.raises(RuleError, match="LOCAL_SECRET"):
        nobody.deserialize("t", first)


@pytest.mark.parametrize(
    ("algorithm", "key", "data"),
    [
        (
            "AES128_GCM",
            "FDYLEQT99mOpC2oc9slEjJWrxmBkNY8DeDzROQfxI5Cn+XzKZ89q8/vPrwifqw==",
            "qCfDdIjGakNhc8YesUWhNMAbKjIQOAaNL9nDe7JfKA==",
        ),
        (
            "AES256_GCM",
            "Sk+sQ6o0+q8Qkd+3PbAOD3uxc78ngkpLK2yZ1eweP954tZO46oUuAkOUE+8lByGtjqkti0lM9qtbOG+Uu5U=",
            "rEKZKWGESbVRlwwNco8INK4PbEJlmYw1I1mq3OKD2Q==",
        ),
        (
            "AES256_SIV",
            "+PVByqf7JUU5rj/vZiFUSOGCjpwktO05z2f6o+MTipnzcsDlYT/Tr2I2z4HTxveZycwK0o0hAbvgKnLaXNNA3QAI4C7j33VQ"
            "ooU7r8eLN8IGd7wGyyCNGlfdsRh6Cg==",
            "2iK5weKqTpELUjKOqp+bweM6MQ==",
        ),
    ],
)
def test_what_tink_has_encrypted_is_opened(algorithm: str, key: str, data: str) -> None:
    opened = LocalKeys(SECRET).decrypt(b64decode(key))
    assert DataCipher(algorithm, opened).decrypt(b64decode(data)) == b"ada"
    with pytest.raises(RuleError, match="can't be decrypted"):
        DataCipher(algorithm, generated(algorithm)).decrypt(b64decode(data))
    with pytest.raises(RuleError, match="no key of"):
        DataCipher(algorithm, opened[:-1])


def test_bytes_of_values_are_encrypted_by_an_encoding_rule(registry: SchemaRegistry) -> None:
    rules = {"encodingRules": [rule("ENCRYPT_PAYLOAD", mode="WRITEREAD", params=KEK)]}
    put(registry, OBJECT, rules, "JSON")
    serde: JsonSchema[Any] = JsonSchema(registry, use="latest", rules=own())
    written = serde.serialize("t", ADA)
    assert written is not None
    assert b"name" not in written
    assert serde.deserialize("t", written) == ADA


def test_keys_that_have_expired_encrypt_no_more_and_still_decrypt(
    registry: SchemaRegistry, fake: FakeRegistry
) -> None:
    seconds = [0.0]
    keys = Keys(SECRET, lambda: seconds[0])
    params = {**KEK, "encrypt.dek.expiry.days": "2"}
    put(registry, OBJECT, domain(rule("ENCRYPT", mode="WRITEREAD", tags=["PII"], params=params)), "JSON")
    serde: JsonSchema[Any] = JsonSchema(registry, use="latest", rules=Rules([Encrypt(keys)]))
    first = serde.serialize("t", ADA)
    seconds[0] = 3 * 86_400.0
    fake.clock_ms = int(seconds[0]) * 1000
    second = serde.serialize("t", ADA)
    assert {path.rpartition("/")[2] for path in fake.keys} == {"kek", "1", "2", "-1"}
    assert (serde.deserialize("t", first), serde.deserialize("t", second)) == (ADA, ADA)


MIGRATIONS = {
    "migrationRules": [
        rule(name="up", mode="UPGRADE", expr="{'full': v['name'], **{k: v[k] for k in v if k != 'name'}}"),
        rule(name="down", mode="DOWNGRADE", expr="{'name': v['full'] + '.'}"),
    ]
}


def test_migration_rules_lead_from_one_version_to_another(registry: SchemaRegistry) -> None:
    texts = [
        json.dumps({"type": "object", "title": title, "properties": {name: {"type": "string"}}})
        for title, name in (("1", "name"), ("2", "full"), ("3", "full"))
    ]
    versions: Sequence[dict[str, Any]] = [{}, MIGRATIONS, {}]
    schemas = [put(registry, text, rules, "JSON") for text, rules in zip(texts, versions, strict=True)]
    serdes: list[JsonSchema[Any]] = []
    for schema in schemas:
        serde: JsonSchema[Any] = JsonSchema(registry, schema.text, rules=own(), migrate=True)
        serde.schema = schema
        serdes.append(serde)
    first, second, third = serdes
    latest: JsonSchema[Any] = JsonSchema(registry, rules=own(), migrate=True)
    written = first.serialize("t", {"name": "ada"})
    assert latest.deserialize("t", written) == {"full": "ada"}
    assert second.deserialize("t", written) == {"full": "ada"}
    assert first.deserialize("t", third.serialize("t", {"full": "ada"})) == {"name": "ada."}
    assert first.deserialize("t", written) == {"name": "ada"}


def test_avro_without_migration_rules_is_read_as_the_wanted_version_has_it(registry: SchemaRegistry) -> None:
    put(registry, RECORD, {})
    later = json.loads(RECORD)
    later["fields"].append({"name": "age", "type": "int", "default": 7})
    put(registry, json.dumps(later), {})
    old: Avro[Any] = Avro(registry, RECORD)
    new: Avro[Any] = Avro(registry, migrate=True)
    found = new.deserialize("t", old.serialize("t", {**ADA, "friends": []}))
    assert found == {**ADA, "friends": [], "age": 7}


def test_cel_and_jsonata_are_the_libraries_of_other_clients(registry: SchemaRegistry) -> None:
    require_modules("celpy", "jsonata")
    rules = [
        rule("CEL", name="good", kind="CONDITION", expr="has(message.name) && !has(message.age)"),
        rule("CEL", name="guarded", kind="CONDITION", expr="message.name == 'eve' ; false"),
        rule("CEL", name="now", kind="CONDITION", expr="now > timestamp('2020-01-01T00:00:00Z')"),
        rule("CEL_FIELD", name="field", expr="typeName == 'STRING' && 'PII' in tags ; value + '@' + name"),
        rule(
            "CEL_FIELD",
            name="mail",
            kind="CONDITION",
            expr="name != 'mail' || value == null || value.isEmail()",
        ),
        rule("JSONATA", name="sum", expr="$merge([$, {'mail': 'x@y.org'}])"),
    ]
    put(registry, RECORD, domain(*rules))
    serde: Avro[Any] = Avro(registry, use="latest", rules=own())
    found = serde.deserialize("t", serde.serialize("t", ADA))
    assert found is not None
    assert (found["name"], found["mail"], found["friends"][0]["name"]) == ("ada@name", "x@y.org", "bob@name")
    with pytest.raises(RuleError, match="mail"):
        serde.serialize("t", {**ADA, "mail": "no mail"})


def test_cel_sees_messages_as_protobuf_does(registry: SchemaRegistry) -> None:
    require_modules("celpy")
    condition = (
        "!has(message.mail) && message.mail == '' && message.friends[0].name == 'bob' && !has(message.raw)"
    )
    put(registry, PROTO, domain(rule("CEL", kind="CONDITION", expr=condition)), "PROTOBUF")
    serde: Protobuf[Any] = Protobuf(registry, use="latest")
    schema = registry.latest("t-value").schema
    user = serde.class_of(schema, (0,))
    assert serde.serialize("t", user(friends=[user(name="bob")])) is not None
    with pytest.raises(SerializationError, match="does not hold"):
        serde.serialize("t", user(mail="", friends=[user(name="bob")]))
