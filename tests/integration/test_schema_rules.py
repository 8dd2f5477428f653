"""Rules of schemas, as Confluent's serializers run them and as ours do: over one registry, each reads what
the other has written, and both refuse the same."""

from __future__ import annotations

import json
import uuid
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from barnabas.serde import SerializationError
from barnabas.serde.avro import Avro
from barnabas.serde.contract import Contract
from barnabas.serde.json_schema import JsonSchema
from barnabas.serde.registry import Schema, SchemaRegistry
from barnabas.serde.rules import Rules
from tests.support.registry import RegistryProcess
from tests.support.server import cluster_under_test
from tests.support.toolchain import require_modules

TAGGED: dict[str, Any] = {"type": "string", "confluent:tags": ["PII"]}
ITEM = {"type": "record", "name": "I", "fields": [{"name": "x", "type": "string"}]}
AVRO = json.dumps(
    {
        "type": "record",
        "name": "R",
        "namespace": "ns",
        "fields": [
            {"name": "name", **TAGGED},
            {"name": "note", "type": ["null", "string"], "default": None, "confluent:tags": ["PII"]},
            {"name": "n", "type": "int"},
            {"name": "list", "type": {"type": "array", "items": ITEM}},
        ],
    }
)
ITEMS = {"type": "object", "properties": {"x": {"type": "string"}}}
NOTE = {"oneOf": [{"type": "null"}, {"type": "string"}], "confluent:tags": ["PII"]}
PROPERTIES = {
    "name": TAGGED,
    "note": NOTE,
    "n": {"type": "integer"},
    "list": {"type": "array", "items": ITEMS},
}
JSON = json.dumps({"type": "object", "title": "R", "properties": PROPERTIES})
VALUE: dict[str, Any] = {"name": "ada", "note": "hi", "n": 3, "list": [{"x": "a"}, {"x": "b"}]}
SECRET = "a secret of the test"
REFUSED = "refused"


def rule(type: str, expr: str = "", kind: str = "TRANSFORM", **more: Any) -> dict[str, Any]:
    return {"name": f"r{uuid.uuid4().hex}", "type": type, "kind": kind, "mode": "WRITE", "expr": expr, **more}


def encrypting(algorithm: str, **more: str) -> dict[str, Any]:
    params = {"encrypt.kek.name": f"kek-{algorithm}", "encrypt.kms.type": "local-kms", **more}
    params |= {"encrypt.kms.key.id": "here", "encrypt.dek.algorithm": algorithm}
    return rule("ENCRYPT", mode="WRITEREAD", tags=["PII"], params=params, onFailure="ERROR,NONE")


def condition(expr: str, type: str = "CEL", **more: Any) -> dict[str, Any]:
    return rule(type, expr, "CONDITION", **more)


RULES = {
    "holds": [condition("message.name == 'ada' && size(message.list) == 2 && has(message.n)")],
    "does not hold": [condition("message.n > 5")],
    "guard": [condition("message.n > 100 ; false")],
    "each text": [rule("CEL_FIELD", "typeName == 'STRING' ; value + '-' + name")],
    "tags": [rule("CEL_FIELD", "typeName == 'STRING' ; value + '-x'", tags=["PII"])],
    "field does not hold": [condition("name == 'n' ; value == 4", "CEL_FIELD")],
    "on read": [rule("CEL_FIELD", "typeName == 'STRING' ; value + '!'", mode="READ")],
    "in order": [rule("CEL_FIELD", f"name == 'name' ; value + '{each}'") for each in "AB"],
    "functions": [condition("!message.name.isEmail() && 'a@b.de'.isEmail()")],
    "error": [condition("message.nothing == 1")],
    "error passed over": [condition("message.nothing == 1", onFailure="NONE")],
    "unknown type": [rule("NOBODY")],
    "another value": [rule("CEL", "{'name': 'b', 'note': 'q', 'n': message.n + 1, 'list': message.list}")],
}
ENCRYPTED = {
    "AES128_GCM": [encrypting("AES128_GCM")],
    "AES256_GCM": [encrypting("AES256_GCM")],
    "AES256_SIV": [encrypting("AES256_SIV")],
    "expires": [encrypting("AES256_GCM", **{"encrypt.kek.name": "kek-e", "encrypt.dek.expiry.days": "9"})],
}


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with cluster_under_test("--memory", "--without", "registry") as bootstrap:
        process = RegistryProcess(bootstrap, tmp_path_factory.mktemp("registry") / "log").start()
        try:
            yield process.url
        finally:
            process.kill()


@pytest.fixture
def ours(url: str) -> Iterator[SchemaRegistry]:
    client = SchemaRegistry(url)
    yield client
    client.close()


@pytest.fixture
def theirs(url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Confluent's modules and a client of its own; its rules of CEL and JSONata are registered."""
    require_modules("celpy", "jsonata", "jsonschema", "google.type")  # Confluent's serializers ask for them.
    monkeypatch.setenv("LOCAL_SECRET", SECRET)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Theirs, about what they use.
        confluent = Confluent(url)
        yield confluent
        confluent.close()


class Confluent:
    """Writes and reads with Confluent's serializers."""

    def __init__(self, url: str) -> None:
        from confluent_kafka.schema_registry import SchemaRegistryClient
        from confluent_kafka.schema_registry.rule_registry import RuleRegistry
        from confluent_kafka.schema_registry.rules.cel.cel_executor import CelExecutor
        from confluent_kafka.schema_registry.rules.cel.cel_field_executor import CelFieldExecutor
        from confluent_kafka.schema_registry.rules.jsonata.jsonata_executor import JsonataExecutor

        # Not the one that all serializers of the process have: an executor serves one registry.
        new_registry: Any = RuleRegistry
        self.rules = new_registry()
        executors: tuple[Any, ...] = (CelExecutor, CelFieldExecutor, JsonataExecutor)
        for executor in executors:
            self.rules.register_executor(executor())
        self.client = SchemaRegistryClient({"url": url})
        self.encryption: Any = None

    def close(self) -> None:
        """Closes what is open."""
        self.client.close()
        if self.encryption is not None:
            self.encryption.close()

    def encrypts(self) -> None:
        """Registers its encryption; skips the test where that is not installed."""
        require_modules("tink", "hkdf")
        from confluent_kafka.schema_registry.rules.encryption.encrypt_executor import FieldEncryptionExecutor
        from confluent_kafka.schema_registry.rules.encryption.localkms.local_driver import LocalKmsDriver

        self.encryption = FieldEncryptionExecutor()
        self.rules.register_executor(self.encryption)
        LocalKmsDriver.register()

    def pair(
        self, format: str, topic: str, latest: bool = False
    ) -> tuple[Callable[[Any], Any], Callable[[Any], Any]]:
        """What writes and what reads values of a topic."""
        from confluent_kafka.schema_registry.avro import AvroDeserializer, AvroSerializer
        from confluent_kafka.schema_registry.json_schema import JSONDeserializer, JSONSerializer
        from confluent_kafka.serialization import MessageField, SerializationContext, SerializationError

        context = SerializationContext(topic, MessageField.VALUE)
        conf = {"auto.register.schemas": False, "use.latest.version": True}
        read_conf = {"use.latest.version": True} if latest else {}
        write: Any
        read: Any
        if format == "AVRO":
            write = AvroSerializer(self.client, None, conf=conf, rule_registry=self.rules)
            read = AvroDeserializer(self.client, conf=read_conf, rule_registry=self.rules)
        else:
            write = JSONSerializer(JSON, self.client, conf=conf, rule_registry=self.rules)
            read = JSONDeserializer(
                None, schema_registry_client=self.client, conf=read_conf, rule_registry=self.rules
            )
        return (
            lambda value: attempt(lambda: write(value, context), SerializationError),
            lambda data: attempt(lambda: read(data, context), SerializationError),
        )


def attempt(do: Callable[[], Any], refusal: type[Exception]) -> Any:
    try:
        return do()
    except refusal:
        return REFUSED


def own(format: str, topic: str, registry: SchemaRegistry, **more: Any) -> tuple[Any, Any]:
    """What writes and what reads values of a topic with ours."""
    rules = Rules(environment={"LOCAL_SECRET": SECRET})
    serde: Any = (Avro if format == "AVRO" else JsonSchema)(registry, use="latest", rules=rules, **more)
    return (
        lambda value: attempt(lambda: serde.serialize(topic, value), SerializationError),
        lambda data: attempt(lambda: serde.deserialize(topic, data), SerializationError),
    )


def put(registry: SchemaRegistry, topic: str, format: str, rules: dict[str, Any], text: str = "") -> None:
    schema = Schema(format, text or (AVRO if format == "AVRO" else JSON), (), Contract.of({"ruleSet": rules}))
    registry.register(f"{topic}-value", schema)


def copied() -> dict[str, Any]:
    value: dict[str, Any] = json.loads(json.dumps(VALUE))
    return value


@pytest.mark.parametrize("format", ["AVRO", "JSON"])
def test_rules_do_the_same_in_both(ours: SchemaRegistry, theirs: Confluent, format: str) -> None:
    for name, rules in RULES.items():
        topic = f"t-{uuid.uuid4().hex}"
        put(ours, topic, format, {"domainRules": rules})
        pairs = [theirs.pair(format, topic), own(format, topic, ours)]
        written = [write(copied()) for write, _ in pairs]
        assert written[0] == written[1] or format == "JSON", name
        read = [REFUSED if data == REFUSED else read(data) for data in written for _, read in pairs]
        assert all(value == read[0] for value in read), (name, read)
        assert (read[0] == REFUSED) is (
            name in ("does not hold", "field does not hold", "error", "unknown type")
        )


@pytest.mark.parametrize("first", ["theirs", "ours"])
@pytest.mark.parametrize("format", ["AVRO", "JSON"])
def test_what_one_encrypts_the_other_decrypts(
    ours: SchemaRegistry, theirs: Confluent, format: str, first: str
) -> None:
    theirs.encrypts()
    for name, rules in ENCRYPTED.items():
        topic = f"t-{uuid.uuid4().hex}"
        put(ours, topic, format, {"domainRules": rules})
        pairs = [theirs.pair(format, topic), own(format, topic, ours)]
        if first == "ours":  # Who writes first makes the key.
            pairs.reverse()
        written = [write(copied()) for write, _ in pairs]
        assert all(b"ada" not in data for data in written), name
        assert (written[0] == written[1]) is (name == "AES256_SIV")
        assert all(read(data) == VALUE for data in written for _, read in pairs), name


def test_jsonata_makes_the_next_version_of_what_was_written(
    url: str, ours: SchemaRegistry, theirs: Confluent
) -> None:
    topic = f"t-{uuid.uuid4().hex}"
    put(ours, topic, "JSON", {})
    data = own("JSON", topic, ours)[0](copied())
    ours.ask("PUT", f"/config/{topic}-value", {"compatibility": "NONE"})
    expr = "$merge([$sift($, function($v, $k) {$k != 'name'}), {'full': $.name}])"
    text = json.dumps({"type": "object", "title": "R", "properties": {"full": {"type": "string"}}})
    put(ours, topic, "JSON", {"migrationRules": [rule("JSONATA", expr, mode="UPGRADE")]}, text)
    wanted = {"full": "ada", "note": "hi", "n": 3, "list": [{"x": "a"}, {"x": "b"}]}
    fresh = SchemaRegistry(url)  # One that has not seen the first version as the latest.
    assert own("JSON", topic, fresh, migrate=True)[1](data) == wanted
    fresh.close()
    assert theirs.pair("JSON", topic, latest=True)[1](data) == wanted
