"""The short way to the canonical text of an Avro schema says what the long one says, or nothing."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from barnabas._core import plain_avro
from barnabas.schema_registry.formats import InvalidSchema, parse
from tests.unit.schema_registry.formats.avro_schemas import evolve, random_record

WORDS = st.sampled_from(
    [
        "record",
        "error",
        "enum",
        "fixed",
        "array",
        "map",
        "union",
        "null",
        "int",
        "long",
        "double",
        "string",
        "bytes",
        "R",
        "n.R",
        "E",
        "a.b.F",
        ".R",
        "",
        "2x",
        "ascending",
        "ignore",
        "ü",
        'x"y',
        "a/b",
    ]
)
ATTRIBUTES = st.sampled_from(
    ["type", "name", "namespace", "doc", "fields", "items", "values", "symbols", "size", "default", "x"]
)
NAMES = st.sampled_from(["R", "S", "n.R", "E", "a.b.F", "int", "2x", ""])
WHOLE = st.integers(0, 3) | st.integers(-(2**70), 2**70)
LEAVES = WORDS | st.none() | st.booleans() | WHOLE | st.floats(0, 9)
ANYTHING = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(ATTRIBUTES, inner, max_size=4),
    max_leaves=8,
)
DEFAULTS = LEAVES | st.just([]) | st.just({}) | st.lists(st.integers(), max_size=1)
EXTRA = {"namespace": NAMES, "doc": WORDS, "x": ANYTHING, "default": LEAVES, "aliases": st.lists(NAMES)}


def some(members: dict[str, Any], extra: dict[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Objects that have all of these members, and some of the others, in any order."""
    return st.fixed_dictionaries(members, optional=extra).flatmap(
        lambda made: st.permutations(list(made.items())).map(dict)
    )


def kinds() -> st.SearchStrategy[Any]:
    """Types, mostly such as might be one."""
    field = {"name": st.sampled_from("abc2"), "type": KINDS}
    extra = {"doc": WORDS, "default": DEFAULTS, "order": WORDS, "x": ANYTHING}
    fields = st.lists(some(field, extra), max_size=3)
    symbols = st.lists(st.sampled_from("AB2"), max_size=3)
    objects: list[dict[str, Any]] = [
        {"type": st.just("array"), "items": KINDS},
        {"type": st.just("map"), "values": KINDS},
        {"type": st.sampled_from(["record", "error"]), "name": NAMES, "fields": fields},
        {"type": st.just("enum"), "name": NAMES, "symbols": symbols},
        {"type": st.just("fixed"), "name": NAMES, "size": st.integers(-1, 3)},
    ]
    return WORDS | st.lists(KINDS, max_size=3) | st.one_of(some(each, EXTRA) for each in objects) | ANYTHING


KINDS: st.SearchStrategy[Any] = st.deferred(kinds)


def canonical(text: str) -> str | None:
    """As the long way has it; None for what is no schema."""
    try:
        return parse("AVRO", text).canonical
    except InvalidSchema:
        return None


def is_same(text: str) -> bool:
    """Whether the short way says something; then it must be the same."""
    plain = plain_avro(text)
    assert plain is None or plain == canonical(text), text
    return plain is not None


@given(KINDS, st.sampled_from([None, 1]), st.booleans())
def test_what_it_says_of_any_text_is_the_same(schema: Any, indent: int | None, is_ascii: bool) -> None:
    is_same(json.dumps(schema, indent=indent, ensure_ascii=is_ascii))


@pytest.mark.parametrize("block", range(2))
def test_most_schemas_are_plain(block: int) -> None:
    plain = 0
    for seed in range(block * 200, block * 200 + 200):
        rng = random.Random(seed)
        schema = random_record(rng, [])
        plain += is_same(json.dumps(schema))
        is_same(json.dumps(evolve(rng, schema), indent=1))
    assert plain > 100


def test_escaped_text_is_written_as_the_long_way_writes_it() -> None:
    escapes = [f"\\u{code:04x}" for code in [*range(0xA0), 0x2028, 0xD7FF, 0xE000, 0xFFFF]]
    odd = ["\\ud83d\\ude00", "\\ud83d", "\\ude00\\ud83d", "\\u00E9\\n", "\\/", "\\x", "\\u12"]
    taken = [is_same(f'{{"type":"int","x":"{escape}"}}') for escape in escapes + odd]
    assert any(taken)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{}",
        '"\ud800"',
        "[" * 60 + "]" * 60,
        '"int" "int"',
        '\ufeff"int"',
        '"' * 9,
    ],
)
def test_what_is_odd_is_left(text: str) -> None:
    assert plain_avro(text) is None
