"""JSON and models."""

import datetime
import enum
import uuid
from dataclasses import dataclass, field
from typing import Any, Literal

import msgspec
import pydantic
import pytest

from barnabas import serde


class Kind(enum.Enum):
    NEW = "new"
    PAID = "paid"


@dataclass(frozen=True)
class Item:
    name: str
    price: float


@dataclass(frozen=True)
class Order:
    number: int
    kind: Kind
    at: datetime.datetime
    id: uuid.UUID
    items: list[Item]
    note: str | None = None
    way: Literal["post", "own"] = "post"
    tags: dict[str, tuple[int, ...]] = field(default_factory=dict)


ORDER = Order(
    7,
    Kind.PAID,
    datetime.datetime(2026, 1, 2, 3, 4, 5),
    uuid.UUID(int=1),
    [Item("tea", 2)],
    tags={"a": (1, 2)},
)


def test_plain_values_are_json_without_spaces() -> None:
    data = serde.Json[Any]().serialize("t", {"b": [1, None, True], "a": "ß"})
    assert data == '{"b":[1,null,true],"a":"ß"}'.encode()
    assert serde.Json[Any]().deserialize("t", data) == {"b": [1, None, True], "a": "ß"}


def test_dataclass_comes_back() -> None:
    kind = serde.Json(Order)
    data = kind.serialize("t", ORDER)
    assert data is not None
    assert kind.deserialize("t", data) == ORDER


@pytest.mark.parametrize(
    "text",
    [
        "{}",
        "[]",
        '{"name":"tea"}',
        '{"name":1,"price":2}',
        '{"name":"tea","price":true}',
        '{"name":"tea","price":2,"more":1}',
        "no json",
    ],
)
def test_bytes_that_are_no_such_dataclass_are_refused(text: str) -> None:
    with pytest.raises(serde.SerializationError, match="bytes are no Item"):
        serde.Json(Item).deserialize("t", text.encode())


class Struct(msgspec.Struct):
    name: str
    count: int = 0


class Model(pydantic.BaseModel):
    name: str
    count: int = 0


@pytest.mark.parametrize(("model", "value"), [(Struct, Struct("a", 1)), (Model, Model(name="a", count=1))])
def test_models_come_back(model: Any, value: Any) -> None:
    kind = serde.Json(model)
    assert kind.serialize("t", value) == b'{"name":"a","count":1}'
    assert kind.deserialize("t", b'{"name":"a","count":1}') == value
    with pytest.raises(serde.SerializationError, match=f"bytes are no {model.__name__}"):
        kind.deserialize("t", b'{"name":1}')
    with pytest.raises(serde.SerializationError, match="is wanted"):
        kind.serialize("t", {"name": "a"})


def test_types_of_msgspec_come_back() -> None:
    kind: Any = serde.Json(dict[str, int])
    assert kind.deserialize("t", kind.serialize("t", {"a": 1})) == {"a": 1}


def test_what_has_no_place_in_json_is_refused() -> None:
    with pytest.raises(serde.SerializationError, match="object has no place in JSON"):
        serde.Json[Any]().serialize("t", object())


@dataclass
class Raw:
    topic: str = "orders"
    partition: int = 3
    offset: int = 42
    timestamp: int = 5
    key: bytes | None = b"k"
    value: bytes | None = b"{"
    headers: list[tuple[str, bytes | None]] = field(default_factory=list)


def test_error_names_the_record() -> None:
    with pytest.raises(serde.RecordDeserializationError, match="value of orders-3@42") as caught:
        serde.read(Raw(), serde.String(), serde.Json())
    error = caught.value
    assert (error.what, error.topic, error.partition, error.offset) == ("value", "orders", 3, 42)


def test_record_is_read_with_what_there_is() -> None:
    assert serde.read(Raw(value=b"1"), None, serde.Json()) == serde.ConsumerRecord(
        "orders", 3, 42, 5, b"k", 1, []
    )
