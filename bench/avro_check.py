"""A new version of an Avro schema of 2 KiB against ten: our checker, and that of PyPI's avro, on schemas that
are parsed already; and how often one is parsed. Prints its figures as one JSON object."""

import json
import time
from collections.abc import Callable

from avro.compatibility import ReaderWriterCompatibilityChecker, SchemaCompatibilityType
from avro.schema import parse as parse_avro

from barnabas.schema_registry.formats import Level, check, parse
from bench.schemas import schema

VERSIONS = 10
SECONDS = 2.0


def rate(check_all: Callable[[], None]) -> float:
    """How often in a second of processor time."""
    check_all()
    begun, count = time.process_time(), 0
    while (spent := time.process_time() - begun) < SECONDS:
        check_all()
        count += 1
    return count / spent


def main() -> None:
    texts = [json.dumps(schema("Order", number)) for number in range(VERSIONS + 1)]
    new, existing = texts[-1], texts[:-1]
    ours = [parse("AVRO", text) for text in existing]
    theirs = [parse_avro(text) for text in existing]
    our_new, their_new = parse("AVRO", new), parse_avro(new)

    def check_ours() -> None:
        assert check(Level.BACKWARD_TRANSITIVE, our_new, ours) is None

    def check_theirs() -> None:
        # What a checker has compared it remembers: each check has one of its own.
        checker = ReaderWriterCompatibilityChecker()
        for writer in theirs:
            verdict = checker.get_compatibility(their_new, writer).compatibility
            assert verdict is SchemaCompatibilityType.compatible

    figures = {
        "barnabas_checks_per_s": rate(check_ours),
        "avro_checks_per_s": rate(check_theirs),
        "barnabas_parses_per_s": rate(lambda: parse("AVRO", new) and None),
        "avro_parses_per_s": rate(lambda: parse_avro(new) and None),
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
