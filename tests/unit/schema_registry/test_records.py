"""Records of `_schemas`: their bytes, as other registries write and read them."""

from __future__ import annotations

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from barnabas._core import flat_json
from barnabas.schema_registry import records
from barnabas.schema_registry.entries import Reference, Schema, Version, version_of
from barnabas.schema_registry.records import Key, Record, UnreadableRecord, decode, encode


def test_keys_are_the_bytes_that_other_registries_compact_by() -> None:
    value = Version("s", 3, 7, Schema.of("AVRO", '"int"')).record_value()
    keys = [
        (records.schema_record(value), b'{"keytype":"SCHEMA","subject":"s","version":3,"magic":1}'),
        (records.schema_tombstone("s", 3), b'{"keytype":"SCHEMA","subject":"s","version":3,"magic":1}'),
        (records.config_record(None, {}), b'{"keytype":"CONFIG","magic":0}'),
        (records.config_record("s", {}), b'{"keytype":"CONFIG","subject":"s","magic":0}'),
        (records.mode_record("s", "READONLY"), b'{"keytype":"MODE","subject":"s","magic":0}'),
        (records.delete_subject_record("s", 2), b'{"keytype":"DELETE_SUBJECT","subject":"s","magic":0}'),
        (records.clear_subject_record("s"), b'{"keytype":"CLEAR_SUBJECT","subject":"s","magic":0}'),
        (records.context_record(".c"), b'{"keytype":"CONTEXT","tenant":"default","context":".c","magic":0}'),
        (Record(Key("NOOP"), None), b'{"keytype":"NOOP","magic":0}'),
    ]
    for record, expected in keys:
        assert encode(record)[0] == expected


def test_values_are_as_other_registries_write_them() -> None:
    avro = Version("s", 1, 1, Schema.of("AVRO", '"string"'))
    assert encode(records.schema_record(avro.record_value()))[1] == (
        b'{"subject":"s","version":1,"id":1,"md5":"CV1xzxJVa51eMwrVdbPfXQ==",'
        b'"schema":"\\"string\\"","deleted":false}'
    )
    json = Version("s", 2, 5, Schema.of("JSON", "{}", (Reference("n", "r", 1),)), deleted=True)
    value = encode(records.schema_record(json.record_value()))[1]
    assert value is not None
    assert b'"schemaType":"JSON","references":[{"name":"n","subject":"r","version":1}],"schema":"{}"' in value
    assert encode(records.config_record("s", {"compatibilityLevel": "FULL"}))[1] == (
        b'{"subject":"s","compatibilityLevel":"FULL"}'
    )
    assert encode(records.mode_record(None, "IMPORT"))[1] == b'{"mode":"IMPORT"}'
    assert encode(records.mode_record("s", None))[1] is None


def test_a_version_comes_back_from_its_record() -> None:
    schema = Schema.of(
        "PROTOBUF",
        'syntax = "proto3"; // ü',
        (Reference("a.proto", "a", 4),),
        {"properties": {"owner": "me"}},
        {"domainRules": [{"name": "r", "type": "CEL", "kind": "CONDITION", "mode": "WRITE"}]},
    )
    version = Version("s", 9, 12, schema, deleted=True)
    read = decode(*encode(records.schema_record(version.record_value())))
    assert read.key == Key("SCHEMA", "s", 9)
    assert read.value is not None
    assert version_of(read.value, None) == version


@pytest.mark.parametrize(
    ("key", "value"),
    [
        (None, b"{}"),
        (b"", b"{}"),
        (b"[]", b"{}"),
        (b"\xff", b"{}"),
        (b"{}", b"{}"),
        (b'{"keytype":7}', None),
        (b'{"keytype":"SCHEMA","subject":"s"}', None),
        (b'{"keytype":"SCHEMA","subject":"s","version":true}', None),
        (b'{"keytype":"CONFIG","subject":[]}', None),
        (b'{"keytype":"CONFIG"}', b"nonsense"),
        (b'{"keytype":"CONFIG"}', b"[" * 100_000),
    ],
)
def test_what_is_no_record_is_told(key: bytes | None, value: bytes | None) -> None:
    with pytest.raises(UnreadableRecord):
        decode(key, value)


@given(st.binary(max_size=60), st.none() | st.binary(max_size=60))
def test_any_bytes_are_a_record_or_unreadable(key: bytes, value: bytes | None) -> None:
    with contextlib.suppress(UnreadableRecord):
        decode(key, value)


def test_space_around_the_json_of_others_is_read_over() -> None:
    record = records.decode(b' {"keytype":"MODE","magic":0}\n', b' {"mode":"IMPORT"} ')
    assert (record.key.keytype, record.value) == ("MODE", {"mode": "IMPORT"})
    with pytest.raises(records.UnreadableRecord):
        records.decode(b'{"keytype":"MODE"} {}', None)


TEXTS = st.text(st.characters(codec="utf-8"), max_size=8)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | TEXTS
OBJECTS = st.dictionaries(TEXTS, SCALARS | st.lists(SCALARS, max_size=2), max_size=5)


@given(OBJECTS, st.booleans(), st.sampled_from([None, 1]))
def test_what_is_read_natively_is_what_python_reads(
    value: dict[str, object], ascii_only: bool, indent: int | None
) -> None:
    data = json.dumps(value, ensure_ascii=ascii_only, indent=indent).encode()
    plain = flat_json(data)
    # Not compared as values: 1, 1.0 and True are the same.
    assert plain is None or repr(plain) == repr(json.loads(data))


@given(st.data())
def test_nothing_is_read_natively_that_python_does_not_read(data: st.DataObject) -> None:
    written = bytearray(
        b'{"subject":"s\\n\xc3\xa9","id":10,"version":-1,"deleted":false,"md5":null,"schema":"\\"x\\""}'
    )
    for _ in range(data.draw(st.integers(1, 2))):
        place = data.draw(st.integers(0, len(written) - 1))
        written[place : place + 1] = data.draw(
            st.sampled_from(list(b'{}[]",:\\ \n\x00\xff0-1.eutn')).map(lambda b: bytes([b]))
        )
    plain = flat_json(bytes(written))
    if plain is not None:
        assert repr(plain) == repr(json.loads(bytes(written).decode()))


def test_plain_records_are_read_natively() -> None:
    for record in (
        records.schema_record(Version("s", 1, 1, Schema.of("JSON", '{"type": "object"}')).record_value()),
        records.mode_record("s", "IMPORT"),
    ):
        key, value = encode(record)
        assert value is not None
        assert flat_json(key) is not None
        assert flat_json(value) == record.value
