"""JSON of responses: the short way writes what Python's encoder writes, or nothing."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from barnabas._core import compact_json
from barnabas.http.response import json_bytes

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=12,
)


@given(VALUES)
def test_values_are_written_as_python_writes_them(value: Any) -> None:
    written = json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
    assert json_bytes(value) == written
    assert compact_json(value) in (None, written)


def test_plain_values_take_the_short_way() -> None:
    value = {"a": [1, -2, None, True, 'ü\n\x01\x7f"\\'], "b": {}, "c": 2**63 - 1}
    assert compact_json(value) == json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


@pytest.mark.parametrize("value", [1.5, 2**63, {1: 2}, ("a",), "\ud800", {"a": {"b": object()}}])
def test_others_are_left(value: Any) -> None:
    assert compact_json(value) is None
