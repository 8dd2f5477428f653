"""How records are written, and that JSON is read back by `produce --json`."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from barnabas.cli.record_format import (
    Record,
    hex_dump,
    json_line,
    template_formatter,
    text_formatter,
)
from barnabas.cli.record_input import from_json

RECORD = Record("orders", 2, 41, 1_795_248_000_123, 1, b"k", b"paid", [("trace", b"a1"), ("empty", None)])
BARE = Record("orders", 0, 0, None, 0, None, None, [])


def test_text_is_the_value() -> None:
    assert text_formatter()(RECORD) == b"paid\n"
    assert text_formatter()(BARE) == b"\n"
    assert text_formatter()(RECORD._replace(value=b"\xff\x00")) == b"\xff\x00\n"


def test_columns_of_text_are_separated_by_tabs() -> None:
    write = text_formatter(offsets=True, timestamps=True, headers=True, keys=True)
    assert write(RECORD) == b"2:41\t2026-11-21T08:00:00.123Z\ttrace=a1,empty=\tk\tpaid\n"


def test_json_has_everything() -> None:
    assert json.loads(json_line(RECORD)) == {
        "topic": "orders",
        "partition": 2,
        "offset": 41,
        "timestamp": 1_795_248_000_123,
        "timestamp_type": "CreateTime",
        "key": "k",
        "value": "paid",
        "headers": [{"name": "trace", "value": "a1"}, {"name": "empty", "value": None}],
    }


def test_bytes_that_are_no_text_stand_as_base64() -> None:
    document = json.loads(json_line(RECORD._replace(value=b"\xff\x00")))
    assert document["value_base64"] == "/wA="
    assert "value" not in document


def test_hex_shows_bytes_sixteen_to_a_line() -> None:
    dump = hex_dump(RECORD._replace(key=None, value=bytes(range(60, 78)), headers=[]))
    assert dump.decode().splitlines() == [
        "orders 2:41 2026-11-21T08:00:00.123Z",
        "  key: null",
        "  value: 18 bytes",
        "    00000000  3c 3d 3e 3f 40 41 42 43 44 45 46 47 48 49 4a 4b  <=>?@ABCDEFGHIJK",
        "    00000010  4c 4d                                            LM",
    ]


@pytest.mark.parametrize(
    ("template", "line"),
    [
        ("%k: %v", b"k: paid\n"),
        ("%t %p:%o", b"orders 2:41\n"),
        ("%K %V %T %d", b"1 4 1795248000123 2026-11-21T08:00:00.123Z\n"),
        ("%h", b"trace=a1,empty=\n"),
        ("100%% %v", b"100% paid\n"),
        ("%k\\t%v\\n", b"k\tpaid\n"),
        ("%v\\0\\\\\\q\\n", b"paid\0\\\\q\n"),
    ],
)
def test_template_is_filled_in(template: str, line: bytes) -> None:
    assert template_formatter(template)(RECORD) == line


def test_template_shows_null_as_length_minus_one() -> None:
    assert template_formatter("%K,%V,%T,%k,%v")(BARE) == b"-1,-1,-1,,\n"


@pytest.mark.parametrize("template", ["%x", "%", "%v %"])
def test_template_with_an_unknown_field_is_refused(template: str) -> None:
    with pytest.raises(ValueError, match="is no field of a record"):
        template_formatter(template)


data = st.none() | st.binary(max_size=20)
headers = st.lists(st.tuples(st.text(st.characters(exclude_categories=["Cs"]), max_size=5), data), max_size=3)


@given(data, data, headers, st.integers(0, 2**40))
def test_json_is_read_back(
    key: bytes | None, value: bytes | None, headers: list[tuple[str, bytes | None]], timestamp: int
) -> None:
    record = Record("t", 3, 9, timestamp, 1, key, value, headers)
    read = from_json(json_line(record))
    assert (read.key, read.value, read.headers) == (key, value, headers)
    assert (read.partition, read.timestamp_ms) == (3, timestamp)
