"""JSON Schema against jsonschema-rs: whether a reader really accepts what a compatible writer accepted."""

import json
import random
from typing import Any

import jsonschema_rs
import pytest

from barnabas.schema_registry.formats import incompatibilities, parse
from tests.unit.schema_registry.formats.json_schemas import evolve, random_schema, random_value


def judged(schema: Any) -> jsonschema_rs.Draft7Validator:
    """As Confluent's registry and ours take a schema: alternatives need not exclude one another."""
    return jsonschema_rs.Draft7Validator(json.loads(json.dumps(schema).replace('"oneOf"', '"anyOf"')))


@pytest.mark.parametrize("block", range(4))
def test_compatible_reader_accepts_what_the_writer_accepts(block: int) -> None:
    compatible = values = 0
    for seed in range(block * 250, block * 250 + 250):
        rng = random.Random(seed)
        old = random_schema(rng)
        new = evolve(rng, old) if seed % 10 else random_schema(rng)
        if incompatibilities(parse("JSON", json.dumps(new)), parse("JSON", json.dumps(old))):
            continue
        compatible += 1
        writer, reader = judged(old), judged(new)
        for _ in range(15):
            value = random_value(rng, rng.choice([old, old, new]))
            if writer.is_valid(value):
                values += 1
                assert reader.is_valid(value), f"seed {seed}: {old} -> {new}: {value}"
    assert compatible > 100
    assert values > 700


def test_most_refused_readers_refuse_some_value() -> None:
    """The other direction, which a checker that refuses everything would not pass."""
    refused = proven = 0
    for seed in range(200):
        rng = random.Random(seed)
        old = random_schema(rng)
        new = evolve(rng, old)
        if not incompatibilities(parse("JSON", json.dumps(new)), parse("JSON", json.dumps(old))):
            continue
        refused += 1
        writer, reader = judged(old), judged(new)
        drawn = [random_value(rng, rng.choice([old, old, new])) for _ in range(60)]
        proven += any(writer.is_valid(value) and not reader.is_valid(value) for value in drawn)
    assert proven > refused / 3  # chance does not find every value


@pytest.mark.parametrize("seed", range(100))
def test_a_schema_reads_itself_however_it_is_spelled(seed: int) -> None:
    schema = parse("JSON", json.dumps(random_schema(random.Random(seed)), indent=2))
    assert schema.normalized().normalized().canonical == schema.normalized().canonical
    again = parse("JSON", schema.canonical)
    assert again.canonical == schema.canonical
    assert incompatibilities(schema.normalized(), schema) == []
