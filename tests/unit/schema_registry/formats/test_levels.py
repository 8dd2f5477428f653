"""Compatibility levels: which versions count, and which of two schemas reads."""

import json

import pytest

from barnabas.schema_registry.formats import Level, ParsedSchema, check, incompatibilities, parse


def record(*fields: str) -> ParsedSchema:
    """A record of int fields; one with a `?` has a default."""
    parts = [{"name": name.rstrip("?"), "type": "int"} for name in fields]
    for name, part in zip(fields, parts, strict=True):
        if name.endswith("?"):
            part["default"] = 0  # type: ignore[assignment]
    return parse("AVRO", json.dumps({"type": "record", "name": "R", "fields": parts}))


# a → a, b with a default → a, b without: the last reads what the second wrote, and not what the first did.
EXISTING = [record("a"), record("a", "b?")]
NEW = record("a", "b")


@pytest.mark.parametrize(
    ("level", "index"),
    [
        (Level.NONE, None),
        (Level.BACKWARD, None),
        (Level.BACKWARD_TRANSITIVE, 0),
        (Level.FORWARD, None),
        (Level.FORWARD_TRANSITIVE, None),
        (Level.FULL, None),
        (Level.FULL_TRANSITIVE, 0),
    ],
)
def test_transitive_levels_look_at_all_versions(level: Level, index: int | None) -> None:
    found = check(level, NEW, EXISTING)
    assert (found and found.index) == index


@pytest.mark.parametrize(
    ("level", "kept"),
    [(Level.BACKWARD, True), (Level.FORWARD, False), (Level.FULL, False), (Level.NONE, True)],
)
def test_a_field_that_goes_is_missed_by_old_readers_only(level: Level, kept: bool) -> None:
    assert (check(level, record("a"), [record("a", "b")]) is None) is kept


def test_messages_call_the_schemas_new_and_old() -> None:
    backward = check(Level.BACKWARD, record("a", "b"), [record("a")])
    assert backward is not None
    assert backward.reasons[0].message == (
        "the field 'b' at /fields/1 of the new schema has no default value and is missing in the old one"
    )
    forward = check(Level.FORWARD, record("a"), [record("a", "b")])
    assert forward is not None
    assert (
        "of the old schema has no default value and is missing in the new one" in forward.reasons[0].message
    )


def test_the_first_version_of_a_subject_is_compatible() -> None:
    assert check(Level.FULL_TRANSITIVE, NEW, []) is None


def test_another_format_is_incompatible() -> None:
    found = incompatibilities(parse("JSON", "{}"), NEW)
    assert [each.type for each in found] == ["SCHEMA_TYPE_CHANGED"]
