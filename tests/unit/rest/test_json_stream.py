"""JSON objects out of pieces."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from barnabas.http.errors import HttpError
from barnabas.rest import json_stream
from barnabas.rest.json_stream import JsonObjects

TEXT = st.text(st.characters(exclude_categories=("Cs",)))
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)


def fed(body: bytes, size: int) -> list[Any]:
    """The objects of a body that comes in pieces of a size."""
    stream = JsonObjects()
    found = []
    for at in range(0, len(body), size):
        found += stream.feed(body[at : at + size])
    stream.finish()
    return found


@given(st.lists(st.dictionaries(TEXT, VALUES, max_size=3), max_size=6), st.booleans(), st.data())
def test_objects_are_the_same_wherever_pieces_end(
    objects: list[dict[str, Any]], ascii: bool, data: st.DataObject
) -> None:
    spaces = st.sampled_from(["", "\n", " \r\n\t"])
    texts = [json.dumps(one, ensure_ascii=ascii) + data.draw(spaces) for one in objects]
    whole = "".join(texts).encode()
    ends = sorted(data.draw(st.lists(st.integers(0, len(whole)), max_size=8)))
    stream = JsonObjects()
    found = []
    for begin, end in zip([0, *ends], [*ends, len(whole)], strict=True):
        found += stream.feed(whole[begin:end])
    stream.finish()
    assert found == objects


@given(st.dictionaries(TEXT, VALUES, max_size=3))
def test_an_object_is_given_with_its_last_byte(one: dict[str, Any]) -> None:
    stream = JsonObjects()
    data = json.dumps(one).encode()
    for byte in data[:-1]:
        assert stream.feed(bytes([byte])) == []
    assert stream.feed(data[-1:]) == [one]


@pytest.mark.parametrize(
    "body", [b"[1]", b"1", b'"{}"', b'{"a":}', b'{"a":1}}', b"{]", b'{"a":"\xff"}', b"null", b'{"a":1},{}']
)
@pytest.mark.parametrize("size", [1, 100])
def test_what_is_no_object_is_refused(body: bytes, size: int) -> None:
    with pytest.raises(HttpError) as refused:
        fed(body, size)
    assert refused.value.status == 400


def test_an_object_that_does_not_end_is_refused() -> None:
    stream = JsonObjects()
    stream.feed(b'{"a": "}')
    with pytest.raises(HttpError, match="ends within"):
        stream.finish()


def test_what_is_kept_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_stream, "OBJECT_BYTES_MAX", 1000)
    with pytest.raises(HttpError) as refused:
        fed(b'{"a": "' + b"x" * 100_000, 100)
    assert refused.value.status == 413


def test_deep_nesting_is_refused() -> None:
    with pytest.raises(HttpError):
        JsonObjects().feed(b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}")
