"""Random messages of every schema and version come back; random bytes never do harm."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from barnabas._core import decode, encode
from barnabas.protocol import class_named
from codegen.model import Message as Schema
from tests.conformance.codec.random_messages import Generator, schemas

VERSIONS = [
    (schema, version)
    for schema in schemas()
    for version in range(schema.versions.lowest, schema.versions.highest + 1)
]


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(VERSIONS), st.integers())
def test_a_message_comes_back(case: tuple[Schema, int], seed: int) -> None:
    schema, version = case
    message = Generator(schema, str(seed)).message(version)
    data = encode(message, version)
    assert decode(type(message), version, data) == message


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(VERSIONS), st.integers(), st.data())
def test_damaged_bytes_are_a_message_or_a_value_error(
    case: tuple[Schema, int], seed: int, data: st.DataObject
) -> None:
    schema, version = case
    damaged = bytearray(encode(Generator(schema, str(seed)).message(version), version))
    for _ in range(data.draw(st.integers(1, 3))):
        if damaged:
            damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    cls = class_named(schema.name)
    try:
        message = decode(cls, version, bytes(damaged))
    except ValueError:
        return
    assert decode(cls, version, encode(message, version)) == message
