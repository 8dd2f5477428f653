"""Serdes as configs of clients: what they may be, and what is said of what they may not be."""

import json
import uuid
from dataclasses import dataclass
from typing import Any

import pytest

from barnabas import serde
from barnabas.clients.configs import consumer_values, producer_values, share_consumer_values
from barnabas.clients.serdes import JAVA, Serializers
from barnabas.errors import ConfigError

BOOTSTRAP = {"bootstrap.servers": "localhost:9092"}


def writer(given: Any) -> Any:
    """What a producer writes values with that is given this."""
    return producer_values(BOOTSTRAP, {"value_serializer": given})["value.serializer"]


def written(given: Any, value: Any) -> Any:
    return Serializers(None, writer(given)).write("t", value, None, None)[0]


@pytest.mark.parametrize(
    "given", [serde.Long(), serde.Long, "long", "LongSerializer", f"{JAVA}LongSerializer"]
)
def test_a_serde_its_class_and_its_names_are_the_same(given: Any) -> None:
    assert written(given, 7) == bytes([0] * 7 + [7])


@pytest.mark.parametrize(
    ("name", "value", "data"),
    [
        ("ByteArray", b"a", b"a"),
        ("ByteBuffer", memoryview(b"a"), b"a"),
        ("Bytes", b"a", b"a"),
        ("Double", 1.0, b"\x3f\xf0" + bytes(6)),
        ("Float", 1.0, b"\x3f\x80\0\0"),
        ("Integer", 1, b"\0\0\0\1"),
        ("Short", 1, b"\0\1"),
        ("String", "ä", "ä".encode()),
        ("UUID", uuid.UUID(int=1), str(uuid.UUID(int=1)).encode()),
        ("Void", None, None),
        ("Boolean", True, b"\1"),
    ],
)
def test_all_of_javas_that_need_nothing_to_be_said_are_there(
    name: str, value: Any, data: bytes | None
) -> None:
    assert written(f"{JAVA}{name}Serializer", value) == data
    for values in (consumer_values, share_consumer_values):
        configs = {**BOOTSTRAP, "group.id": "g", "key.deserializer": f"{JAVA}{name}Deserializer"}
        assert values(configs, {})["key.deserializer"].deserialize("t", data) == value


def test_a_function_is_not_asked_about_null() -> None:
    assert written(lambda value: json.dumps(value).encode(), {"a": 1}) == b'{"a": 1}'
    assert written(json.dumps, None) is None


@dataclass
class Stamped:
    """A serde that needs an argument, and is for keys or for values."""

    is_key: bool

    def serialize(self, topic: str, value: Any, headers: Any = ()) -> bytes:
        headers.append(("by", topic.encode()))
        return bytes(value)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("longs", "must be of boolean, bytes"),
        (f"{JAVA}LongDeserializer", "must be of boolean, bytes"),
        (f"{JAVA}ListSerializer", r"give the serde itself, such as barnabas\.serde\.List"),
        (
            "io.confluent.kafka.serializers.KafkaAvroSerializer",
            r"such as barnabas\.serde\.avro\.Avro\(registry\)",
        ),
        (7, "it has no serialize"),
        (Stamped, "can't be made without arguments"),
        (Stamped(is_key=True), "is a serde for the key"),
    ],
)
def test_what_is_no_serde_is_said(given: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        writer(given)
    assert "value.serializer" in str(caught.value)


def test_a_serde_of_the_wrong_direction_has_no_config() -> None:
    with pytest.raises(ConfigError, match=r"Did you mean value\.serializer"):
        producer_values({**BOOTSTRAP, "value.deserializer": "long"}, {})


def test_serializers_may_add_headers() -> None:
    serializers = Serializers(Stamped(is_key=True), Stamped(is_key=False))
    given = {"h": b"1"}
    assert serializers.write("t", b"v", b"k", given) == (
        b"v",
        b"k",
        [("h", b"1"), ("by", b"t"), ("by", b"t")],
    )
    assert given == {"h": b"1"}


def test_what_can_not_be_written_says_of_which_topic_it_was() -> None:
    with pytest.raises(
        serde.SerializationError, match="the value of a record for orders can't be written: Long"
    ):
        Serializers(None, serde.Long()).write("orders", "seven", None, None)
