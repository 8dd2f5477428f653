"""Avro against fastavro: whether a reader really reads what a compatible writer wrote."""

import io
import json
import random
from pathlib import Path
from typing import Any

import fastavro
import pytest
from fastavro.utils import generate_many

from barnabas.schema_registry.formats import InvalidSchema, incompatibilities, parse
from tests.unit.schema_registry.formats.avro_schemas import evolve, random_record


def pair(seed: int) -> tuple[Any, Any] | None:
    """A record and what became of it; None where that is no schema, or where data has no end."""
    rng = random.Random(seed)
    old = random_record(rng, [])
    new = evolve(rng, old)
    try:
        parse("AVRO", json.dumps(new))
        fastavro.parse_schema(json.loads(json.dumps(new)))
        random.seed(seed)
        list(generate_many(fastavro.parse_schema(json.loads(json.dumps(old))), 1))
    except (InvalidSchema, RecursionError, fastavro.schema.SchemaParseException):
        return None
    return old, new


def reads(old: Any, new: Any, count: int) -> bool:
    """Whether fastavro reads values of the old schema into the new one."""
    writer = fastavro.parse_schema(json.loads(json.dumps(old)))
    reader = fastavro.parse_schema(json.loads(json.dumps(new)))
    for value in generate_many(writer, count):
        data = io.BytesIO()
        fastavro.schemaless_writer(data, writer, value)
        data.seek(0)
        try:
            fastavro.schemaless_reader(data, writer, reader)
        except UnicodeDecodeError:
            continue  # bytes are read as a string, by Avro's rules, though these are none
        except Exception:
            return False
    return True


@pytest.mark.parametrize("block", range(3))
def test_compatible_reader_reads_what_the_writer_wrote(block: int) -> None:
    compatible = refused = without_loss = 0
    for seed in range(block * 100, block * 100 + 100):
        found = pair(seed)
        if found is None:
            continue
        old, new = found
        if incompatibilities(parse("AVRO", json.dumps(new)), parse("AVRO", json.dumps(old))):
            refused += 1
            without_loss += reads(old, new, 5)
        else:
            compatible += 1
            assert reads(old, new, 3), f"seed {seed}: {old} -> {new}"
    assert compatible > 30
    assert refused > 15
    assert without_loss <= refused / 10


@pytest.mark.parametrize("seed", range(100))
def test_a_schema_reads_itself_however_it_is_spelled(seed: int) -> None:
    schema = parse("AVRO", json.dumps(random_record(random.Random(seed), []), indent=2))
    assert parse("AVRO", schema.canonical).canonical == schema.canonical
    assert schema.normalized().normalized().canonical == schema.normalized().canonical
    assert incompatibilities(schema.normalized(), schema) == []


def verdict(reader: Any, writer: Any) -> list[list[str | None]] | None:
    """What stands against reading, as Java tells it; None where one of the two is no schema."""
    try:
        found = incompatibilities(parse("AVRO", json.dumps(reader)), parse("AVRO", json.dumps(writer)))
    except InvalidSchema:
        return None
    return [[each.type, each.path, each.additional] for each in found]


def test_verdicts_are_those_of_java() -> None:
    """A line for each seed: what Avro 1.12.0 in Java says of the new schema as reader, and of the old one."""
    stored = (Path(__file__).parent / "avro_java_verdicts.jsonl").read_text().splitlines()
    assert len(stored) == 1_000
    for seed, line in enumerate(stored):
        rng = random.Random(seed)
        old = random_record(rng, [])
        new = evolve(rng, old)
        assert [verdict(new, old), verdict(old, new)] == json.loads(line), f"seed {seed}: {old} -> {new}"
