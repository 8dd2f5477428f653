"""Topics whose records' schemas the broker checks, as producers see it."""

from __future__ import annotations

import json
import socket
import tempfile
import threading
import time
import uuid
import warnings
from collections.abc import Iterator, Sequence
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewTopic,
    ResourceType,
)

from barnabas.serde.avro import Avro
from barnabas.serde.registry import Schema, SchemaRegistry
from barnabas.serde.subjects import topic_record_name
from tests.support.oracle import free_port
from tests.support.server import BarnabasUp

VALIDATION = "barnabas.value.schema.validation"
CHECKED = {VALIDATION: "id"}
WHOLE = {VALIDATION: "value"}
ORDER = Schema("AVRO", '{"type":"record","name":"Order","fields":[{"name":"id","type":"long"}]}')
OTHER = Schema("AVRO", '{"type":"record","name":"Other","fields":[{"name":"id","type":"long"}]}')
WAIT_SECONDS_MAX = 60


class Stack(NamedTuple):
    """A broker and its registry."""

    bootstrap: str
    registry: str


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="barnabas-") as parent:
        options = ["--memory", "--registry-port", str(port), "--without", "rest"]
        up = BarnabasUp(Path(parent) / "data", options).start()
        try:
            until_listening(port)
            yield Stack(up.bootstrap, f"http://127.0.0.1:{port}")
            assert up.stop() == 0, up.log.read_text()
        finally:
            up.kill()


def until_listening(port: int) -> None:
    """Services beside a broker listen after the broker does."""
    deadline = time.monotonic() + WAIT_SECONDS_MAX
    while True:
        try:
            return socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            assert time.monotonic() < deadline
            time.sleep(0.01)


@pytest.fixture
def topic(stack: Stack) -> str:
    """A topic of one partition whose values are checked."""
    return created(stack.bootstrap, CHECKED)


def created(bootstrap: str, configs: dict[str, str]) -> str:
    name = f"orders-{uuid.uuid4().hex}"
    admin = AdminClient({"bootstrap.servers": bootstrap})
    admin.create_topics([NewTopic(name, 1, 1, config=configs)])[name].result(WAIT_SECONDS_MAX)
    return name


def sent(bootstrap: str, topic: str, values: Sequence[bytes], **configs: Any) -> list[int]:
    """What became of values that are sent in one batch."""
    together = {"linger.ms": 60_000, "batch.num.messages": len(values), "bootstrap.servers": bootstrap}
    producer = Producer(together | {name.replace("_", "."): value for name, value in configs.items()})
    codes: dict[int, int] = {}

    def reported(at: int, error: KafkaError | None, _: object) -> None:
        codes[at] = 0 if error is None else error.code()

    for at, value in enumerate(values):
        producer.produce(topic, value, on_delivery=partial(reported, at))
    deadline = time.monotonic() + WAIT_SECONDS_MAX
    while len(codes) < len(values) and time.monotonic() < deadline:
        producer.poll(0.1)
    return [codes[at] for at in range(len(values))]


def named(id: int, payload: bytes = b"\x02") -> bytes:
    return b"\0" + id.to_bytes(4, "big") + payload


def registered(stack: Stack, subject: str, schema: Schema = ORDER) -> int:
    return SchemaRegistry(stack.registry).register(subject, schema).id


def in_the_log(bootstrap: str, topic: str) -> int:
    """The end of the topic's log."""
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "none"})
    try:
        low, high = consumer.get_watermark_offsets(TopicPartition(topic, 0), WAIT_SECONDS_MAX)
        assert low == 0
        return int(high)
    finally:
        consumer.close()


def test_confluents_serializers_write_what_is_let_in(stack: Stack, topic: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Theirs, about what they use.
        from confluent_kafka.schema_registry import SchemaRegistryClient
        from confluent_kafka.schema_registry.avro import AvroSerializer
        from confluent_kafka.schema_registry.json_schema import JSONSerializer
        from confluent_kafka.serialization import MessageField, SerializationContext

        client = SchemaRegistryClient({"url": stack.registry})
        avro = AvroSerializer(client, ORDER.text)
        context = SerializationContext(topic, MessageField.VALUE)
        assert sent(stack.bootstrap, topic, [avro({"id": number}, context) for number in range(3)]) == [0] * 3
        objects = created(stack.bootstrap, CHECKED)
        write = JSONSerializer('{"title": "Order", "type": "object"}', client)
        context = SerializationContext(objects, MessageField.VALUE)
        assert sent(stack.bootstrap, objects, [write({"id": 1}, context)]) == [0]
        client.close()


@pytest.mark.parametrize("codec", ["none", "gzip", "snappy", "lz4", "zstd"])
def test_single_records_are_refused_and_named(stack: Stack, topic: str, codec: str) -> None:
    good, foreign = registered(stack, f"{topic}-value"), registered(stack, f"{topic}x-value", OTHER)
    values = [named(good), named(foreign), named(good), b"no schema", named(good)]
    beside, refused = KafkaError._INVALID_DIFFERENT_RECORD, KafkaError.INVALID_RECORD
    codes = sent(stack.bootstrap, topic, values, compression_type=codec)
    assert codes == [beside, refused, beside, refused, beside]
    assert in_the_log(stack.bootstrap, topic) == 0
    assert sent(stack.bootstrap, topic, [named(good)] * 2, compression_type=codec) == [0, 0]


@pytest.mark.parametrize("codec", ["none", "lz4"])
def test_whole_values_are_held_against_their_schemas(stack: Stack, codec: str) -> None:
    topic = created(stack.bootstrap, WHOLE)
    text = '{"type": "record", "name": "Order", "fields": [{"name": "id", "type": "long"},'
    text += '{"name": "lines", "type": {"type": "array", "items": "string"}}]}'
    serde = Avro[Any](stack.registry, schema=text)
    good = serde.serialize(topic, {"id": 7, "lines": ["kettle", "cup"]})
    assert good is not None
    beside, refused = KafkaError._INVALID_DIFFERENT_RECORD, KafkaError.INVALID_RECORD
    values = [good, good[:-1], good + b"\0", good.replace(b"cup", b"c\xffp"), good]
    codes = sent(stack.bootstrap, topic, values, compression_type=codec)
    assert codes == [beside, refused, refused, refused, beside]
    assert in_the_log(stack.bootstrap, topic) == 0
    assert sent(stack.bootstrap, topic, [good] * 3, compression_type=codec) == [0, 0, 0]


def order_class() -> Any:
    """A message that stands within another one."""
    from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

    file = descriptor_pb2.FileDescriptorProto(name="order.proto", package="shop", syntax="proto3")
    outer = file.message_type.add(name="Shop")
    outer.nested_type.add(name="First")
    order = outer.nested_type.add(name="Order")
    order.field.add(name="id", number=1, type=3, label=1)
    order.field.add(name="lines", number=2, type=9, label=3)
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(file.SerializeToString())
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("shop.Shop.Order"))


def test_confluents_protobuf_values_are_held_against_their_message(stack: Stack) -> None:
    topic = created(stack.bootstrap, WHOLE)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Theirs, about what they use.
        from confluent_kafka.schema_registry import SchemaRegistryClient
        from confluent_kafka.schema_registry.protobuf import ProtobufSerializer
        from confluent_kafka.serialization import MessageField, SerializationContext

        client = SchemaRegistryClient({"url": stack.registry})
        order = order_class()
        write = ProtobufSerializer(order, client, {"use.deprecated.format": False})
        good = write(order(id=7, lines=["kettle"]), SerializationContext(topic, MessageField.VALUE))
        client.close()
    beside, refused = KafkaError._INVALID_DIFFERENT_RECORD, KafkaError.INVALID_RECORD
    elsewhere = good[:5] + b"\x02\x08" + good[8:]
    values = [good, good[:-1], elsewhere, good.replace(b"kettle", b"kett\xff\xff")]
    assert sent(stack.bootstrap, topic, values) == [beside, refused, refused, refused]
    assert sent(stack.bootstrap, topic, [good]) == [0]


def test_values_of_json_schema_are_refused_as_they_are_not_read(stack: Stack) -> None:
    topic = created(stack.bootstrap, WHOLE)
    id = registered(stack, f"{topic}-value", Schema("JSON", '{"type": "object"}'))
    assert sent(stack.bootstrap, topic, [named(id, b"{}")]) == [KafkaError.INVALID_RECORD]


def consumed(bootstrap: str, topic: str, count: int) -> list[Any]:
    """The first messages of a topic."""
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "none", "enable.auto.commit": False})
    try:
        consumer.assign([TopicPartition(topic, 0, 0)])
        found: list[Any] = []
        deadline = time.monotonic() + WAIT_SECONDS_MAX
        while len(found) < count and time.monotonic() < deadline:
            found += consumer.consume(count - len(found), 1)
        return found
    finally:
        consumer.close()


def test_records_that_do_not_pass_are_diverted(stack: Stack) -> None:
    letters = created(stack.bootstrap, {})
    topic = created(stack.bootstrap, WHOLE | {"barnabas.schema.validation.divert": letters})
    good = named(registered(stack, f"{topic}-value"))
    values = [good, good[:-1], good, b"no schema"]
    configs = {"compression_type": "lz4", "enable_idempotence": True}
    assert sent(stack.bootstrap, topic, values, **configs) == [0] * 4
    assert sent(stack.bootstrap, topic, [good], **configs) == [0]
    assert [message.offset() for message in consumed(stack.bootstrap, topic, 3)] == [0, 2, 4]
    first, second = consumed(stack.bootstrap, letters, 2)
    assert [first.value(), second.value()] == [good[:-1], b"no schema"]
    headers = dict(first.headers())
    assert (headers["__dlq.errors.topic"], headers["__dlq.errors.partition"]) == (topic.encode(), b"0")
    assert b"at byte 0: the value ends early" in headers["__dlq.errors.message"]
    assert dict(second.headers())["__dlq.errors.message"] == b"the value names no schema"


def test_a_schema_may_be_used_soon_after_it_is_registered(stack: Stack, topic: str) -> None:
    id = registered(stack, f"{topic}x-value")
    assert sent(stack.bootstrap, topic, [named(id)]) == [KafkaError.INVALID_RECORD]
    assert registered(stack, f"{topic}-value") == id
    deadline = time.monotonic() + WAIT_SECONDS_MAX
    while sent(stack.bootstrap, topic, [named(id)]) != [0]:
        assert time.monotonic() < deadline


def test_an_idempotent_producer_goes_on_after_a_refusal(stack: Stack, topic: str) -> None:
    good = named(registered(stack, f"{topic}-value"))
    outcomes: list[KafkaError | None] = []
    producer = Producer({"bootstrap.servers": stack.bootstrap, "enable.idempotence": True})
    for value in (good, b"bad", good, good):
        producer.produce(topic, value, on_delivery=lambda error, _: outcomes.append(error))
        assert producer.flush(WAIT_SECONDS_MAX) == 0
    assert [error is None for error in outcomes] == [True, False, True, True]
    assert in_the_log(stack.bootstrap, topic) == 3


def committed(producer: Producer, topic: str, value: bytes) -> bool:
    """Whether a transaction with the value could be committed; else it is aborted."""
    producer.begin_transaction()
    producer.produce(topic, value)
    try:
        producer.commit_transaction(WAIT_SECONDS_MAX)
    except KafkaException as error:
        if not error.args[0].txn_requires_abort():
            raise
        producer.abort_transaction(WAIT_SECONDS_MAX)
        return False
    return True


def test_a_transaction_with_a_refused_record_is_aborted_and_a_later_one_commits(
    stack: Stack, topic: str
) -> None:
    good = named(registered(stack, f"{topic}-value"))
    producer = Producer({"bootstrap.servers": stack.bootstrap, "transactional.id": topic})
    producer.init_transactions(WAIT_SECONDS_MAX)
    assert not committed(producer, topic, b"bad")
    # librdkafka finds its sequence broken once more before it takes another epoch.
    assert committed(producer, topic, good) or committed(producer, topic, good)
    consumer = Consumer(
        {"bootstrap.servers": stack.bootstrap, "group.id": topic, "auto.offset.reset": "earliest"}
    )
    consumer.subscribe([topic])
    message = consumer.consume(1, WAIT_SECONDS_MAX)[0]
    consumer.close()
    assert message.value() == good


def test_guids_in_headers_and_subjects_of_records(stack: Stack) -> None:
    configs = CHECKED | {"barnabas.value.subject.name.strategy": "TopicRecordNameStrategy"}
    topic = created(stack.bootstrap, configs)
    producer = Producer({"bootstrap.servers": stack.bootstrap})
    errors: list[KafkaError | None] = []

    def told(error: KafkaError | None, _: object) -> None:
        errors.append(error)

    for strategy in (topic_record_name, lambda topic, *_: f"{topic}-value"):
        serde = Avro[Any](stack.registry, schema=ORDER.text, id_in_header=True, strategy=strategy)
        headers: list[tuple[str, bytes]] = []
        value = serde.serialize(topic, {"id": 1}, headers)
        producer.produce(topic, value, headers={**dict(headers)}, on_delivery=told)
        assert producer.flush(WAIT_SECONDS_MAX) == 0
    # One schema has one GUID, and is a version of the subject once it is registered there.
    assert errors == [None, None]
    serde = Avro[Any](
        stack.registry, schema=OTHER.text, id_in_header=True, strategy=lambda *_: f"{topic}-elsewhere"
    )
    headers = []
    value = serde.serialize(topic, {"id": 1}, headers)
    producer.produce(topic, value, headers={**dict(headers)}, on_delivery=told)
    assert producer.flush(WAIT_SECONDS_MAX) == 0
    assert errors[2] is not None
    assert errors[2].code() == KafkaError.INVALID_RECORD


def test_the_config_counts_from_the_moment_that_it_is_set(stack: Stack) -> None:
    topic = created(stack.bootstrap, {})
    admin = AdminClient({"bootstrap.servers": stack.bootstrap})

    def altered(value: str) -> None:
        entry = ConfigEntry(VALIDATION, value, incremental_operation=AlterConfigOpType.SET)
        resource = ConfigResource(ResourceType.TOPIC, topic, incremental_configs=[entry])
        admin.incremental_alter_configs([resource])[resource].result(WAIT_SECONDS_MAX)

    refused = KafkaError.INVALID_RECORD
    for value, expected in (("id", refused), ("none", 0), ("id", refused)):
        altered(value)
        assert sent(stack.bootstrap, topic, [b"no schema"]) == [expected]
    with pytest.raises(KafkaException) as refusal:
        altered("true")
    assert refusal.value.args[0].code() == KafkaError.INVALID_CONFIG


class _OneSchema(BaseHTTPRequestHandler):
    """A registry that has schema 7 under every subject that the test wants."""

    subject = ""

    def do_GET(self) -> None:
        body = json.dumps([{"subject": self.subject, "version": 1}]).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def silent_registry() -> Iterator[ThreadingHTTPServer]:
    """A registry that has its port, and does not listen yet."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _OneSchema, bind_and_activate=False) as registry:
        registry.server_bind()
        yield registry


def test_nothing_is_lost_while_the_registry_is_away(
    tmp_path: Path, silent_registry: ThreadingHTTPServer
) -> None:
    url = f"barnabas.schema.registry.url=http://127.0.0.1:{silent_registry.server_port}"
    left_out = ["--without", "registry", "--without", "rest"]
    up = BarnabasUp(tmp_path / "data", ["--memory", "--set", url, *left_out]).start()
    try:
        topic = created(up.bootstrap, CHECKED)
        outcomes: list[KafkaError | None] = []
        producer = Producer({"bootstrap.servers": up.bootstrap, "enable.idempotence": True})
        for number in range(100):
            value = named(7, bytes([number]))
            producer.produce(topic, value, on_delivery=lambda error, _: outcomes.append(error))
        # Until the broker has said that it can't ask.
        deadline = time.monotonic() + WAIT_SECONDS_MAX
        while "can't be checked" not in up.log.read_text():
            assert time.monotonic() < deadline
            producer.poll(0.05)
        assert outcomes == []
        _OneSchema.subject = f"{topic}-value"
        silent_registry.server_activate()
        threading.Thread(target=silent_registry.serve_forever, daemon=True).start()
        assert producer.flush(WAIT_SECONDS_MAX) == 0
        silent_registry.shutdown()
        assert outcomes == [None] * 100
        assert in_the_log(up.bootstrap, topic) == 100
        assert up.stop() == 0
    finally:
        up.kill()
