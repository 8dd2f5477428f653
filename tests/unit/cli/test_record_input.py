"""What `produce` makes of its lines."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from barnabas.cli.record_input import InputRecord, from_json, from_line


def test_line_is_the_value() -> None:
    assert from_line(b"hello", None) == InputRecord(None, b"hello", [])
    assert from_line(b"", None) == InputRecord(None, b"", [])


def test_key_stands_before_the_first_separator() -> None:
    assert from_line(b"42:paid:late", b":") == InputRecord(b"42", b"paid:late", [])
    with pytest.raises(ValueError, match="there is no ':' between key and value"):
        from_line(b"paid", b":")


@pytest.mark.parametrize(
    ("line", "record"),
    [
        (b'{"value": "a"}', InputRecord(None, b"a", [])),
        (b'{"key": "k", "value": null}', InputRecord(b"k", None, [])),
        (b'{"key": 42, "value": {"a": [1, "\xc3\xa9"]}}', InputRecord(b"42", '{"a":[1,"é"]}'.encode(), [])),
        (b'{"value_base64": "/wA="}', InputRecord(None, b"\xff\x00", [])),
        (b'{"value": "a", "headers": {"h": "1"}}', InputRecord(None, b"a", [("h", b"1")])),
        (b'{"value": "a", "headers": [{"name": "h"}]}', InputRecord(None, b"a", [("h", None)])),
        (b'{"value": "a", "partition": 1, "timestamp": 5}', InputRecord(None, b"a", [], 1, 5)),
        (b'{"value": "a", "topic": "t", "offset": 9}', InputRecord(None, b"a", [])),
    ],
)
def test_json_object_is_a_record(line: bytes, record: InputRecord) -> None:
    assert from_json(line) == record


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (b"hello", "this is no JSON"),
        (b"\xff", "this is no JSON"),
        (b"[1]", "a record is a JSON object"),
        (b'{"valeu": 1}', "there is no field 'valeu' in a record"),
        (b'{"value_base64": "?"}', "'value_base64' is no base64"),
        (b'{"value_base64": 5}', "'value_base64' is no base64"),
        (b'{"partition": "1"}', "'partition' must be a whole number"),
        (b'{"headers": [1]}', "headers are written as"),
    ],
)
def test_anything_else_is_refused(line: bytes, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        from_json(line)


@given(st.binary(max_size=40))
def test_any_line_is_a_record_or_refused(line: bytes) -> None:
    try:
        from_json(line)
    except ValueError as error:
        assert str(error)  # noqa: PT017
