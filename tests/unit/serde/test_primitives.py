"""Kafka's own serdes: bytes that its classes have written (tests/conformance/serde compares many more)."""

import math
import uuid
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from barnabas import serde

GOLDEN: list[tuple[Any, Any, str]] = [
    (serde.Boolean(), True, "01"),
    (serde.Boolean(), False, "00"),
    (serde.Short(), -2, "fffe"),
    (serde.Integer(), 1, "00000001"),
    (serde.Long(), -(2**63), "8000000000000000"),
    (serde.Float(), 1.5, "3fc00000"),
    (serde.Double(), -0.0, "8000000000000000"),
    (serde.Double(), math.inf, "7ff0000000000000"),
    (serde.String(), "ß😀", "c39ff09f9880"),
    (serde.String("utf-16-be"), "ß", "00df"),
    (serde.UUID(), uuid.UUID(int=1), b"00000000-0000-0000-0000-000000000001".hex()),
    (serde.ByteArray(), b"\x00\xff", "00ff"),
    (serde.Bytes(), b"", ""),
    (serde.ByteBuffer(), memoryview(b"ab"), "6162"),
    (serde.List(serde.Integer()), [1, None], "0000000001000000010000000200000001"),
    (serde.List(serde.String()), ["a", None, ""], "01000000030000000161ffffffff00000000"),
    (serde.List(serde.Boolean()), [True], "01000000010000000101"),
    (serde.List(serde.String()), [], "0100000000"),
]


@pytest.mark.parametrize(("kind", "value", "written"), GOLDEN)
def test_value_is_written_as_kafka_writes_it(kind: Any, value: Any, written: str) -> None:
    assert kind.serialize("t", value).hex() == written
    assert kind.deserialize("t", bytes.fromhex(written)) == value


@pytest.mark.parametrize("kind", [case[0] for case in GOLDEN] + [serde.Void(), serde.Json()])
def test_none_is_null(kind: Any) -> None:
    assert kind.serialize("t", None) is None
    assert kind.deserialize("t", None) is None


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (serde.Integer(), 2**31),
        (serde.Integer(), "1"),
        (serde.Integer(), True),
        (serde.Float(), 1e39),
        (serde.Boolean(), 1),
        (serde.String(), b"bytes"),
        (serde.String(), "\ud800"),
        (serde.ByteArray(), "text"),
        (serde.UUID(), "no uuid"),
        (serde.Void(), 0),
        (serde.List(serde.Integer()), "12"),
        (serde.List(serde.Integer()), 7),
    ],
)
def test_value_of_another_type_is_refused(kind: Any, value: Any) -> None:
    with pytest.raises(serde.SerializationError):
        kind.serialize("t", value)


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        (serde.Long(), b"1234567"),
        (serde.Boolean(), b"\x02"),
        (serde.String(), b"\xff"),
        (serde.UUID(), b"\xff"),
        (serde.Void(), b""),
        (serde.List(serde.String()), b""),
        (serde.List(serde.String()), bytes.fromhex("0200000000")),
        (serde.List(serde.String()), bytes.fromhex("000000000000000000")),
        (serde.List(serde.String()), bytes.fromhex("017fffffff")),
        (serde.List(serde.Integer()), bytes.fromhex("007fffffff")),
        (serde.List(serde.String()), bytes.fromhex("010000000000")),
        (serde.List(serde.String()), bytes.fromhex("0100000001fffffffe")),
    ],
)
def test_bytes_that_are_none_are_refused(kind: Any, data: bytes) -> None:
    with pytest.raises(serde.SerializationError):
        kind.deserialize("t", data)


@given(st.lists(st.one_of(st.none(), st.lists(st.one_of(st.none(), st.integers(-(2**15), 2**15 - 1))))))
def test_lists_of_lists_come_back(value: list[Any]) -> None:
    kind = serde.List(serde.List(serde.Short()))
    assert kind.deserialize("t", kind.serialize("t", value)) == value


@given(st.binary())
def test_any_bytes_are_a_list_or_refused(data: bytes) -> None:
    for kind in (serde.List(serde.Short()), serde.List(serde.ByteArray())):
        try:
            value = kind.deserialize("t", data)
        except serde.SerializationError:
            continue
        assert kind.deserialize("t", kind.serialize("t", value)) == value


def test_serde_is_found_by_its_name() -> None:
    assert serde.of("long").serialize("t", 1) == bytes([0, 0, 0, 0, 0, 0, 0, 1])
    assert serde.of(own := serde.String()) is own
    with pytest.raises(ValueError, match="there is no serde 'lang'"):
        serde.of("lang")
    with pytest.raises(ValueError, match="needs serialize"):
        serde.of(7)  # type: ignore[arg-type]
