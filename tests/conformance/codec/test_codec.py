"""Every message, direction and version against Apache Kafka's own classes of 4.4.0, byte for byte.

`CODEC_COUNT` is the number of random messages for each version (200 or more for a full run), `CODEC_SEED`
makes other ones.
"""

from __future__ import annotations

import os
import subprocess
from collections import Counter
from pathlib import Path

import pytest

from barnabas import _core
from barnabas.protocol import ApiKey, ErrorCode, class_named
from barnabas.protocol.generated.index import API_NAMES
from codegen import error_counts
from codegen.facts import load_apis, load_errors
from tests.conformance.codec.random_messages import ROOT, ErrorGenerator, Generator, count_errors, schemas
from tests.support import jars

COUNT = int(os.environ.get("CODEC_COUNT", "5"))
SEED = int(os.environ.get("CODEC_SEED", "1"))
RELEASE = "4.4.0"
ARTIFACTS = (
    "kafka-clients",
    "kafka-metadata",
    "kafka-raft",
    "kafka-group-coordinator",
    "kafka-transaction-coordinator",
    "kafka-share-coordinator",
    "kafka-storage",
)

pytestmark = [pytest.mark.oracle, pytest.mark.timeout(3600)]


@pytest.fixture(scope="module")
def class_path() -> str:
    libs = jars.fetch(
        f"kafka-messages-{RELEASE}", tuple(f"org.apache.kafka:{name}:{RELEASE}" for name in ARTIFACTS)
    )
    return f"{libs}/*"


def java(class_path: str, *arguments: str | Path) -> None:
    """Runs the Java half."""
    program = Path(__file__).with_name("Codec.java")
    done = subprocess.run(
        ["java", "-cp", class_path, program, *arguments], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-5_000:]


def test_what_kafka_writes_is_read_and_written_again_the_same(class_path: str, tmp_path: Path) -> None:
    names, lines = tmp_path / "names", tmp_path / "lines"
    all_schemas = schemas()
    names.write_text("".join(f"{schema.name}\n" for schema in all_schemas))
    java(class_path, "generate", str(SEED), str(COUNT), names, lines)
    seen: Counter[tuple[str, int]] = Counter()
    with lines.open() as file:
        for line in file:
            name, version, hexadecimal = line.rstrip("\n").split(" ")
            data = bytes.fromhex(hexadecimal)
            message = _core.decode(class_named(name), int(version), data)
            assert _core.encode(message, int(version)) == data, line
            seen[name, int(version)] += 1
    versions = {
        (schema.name, version)
        for schema in all_schemas
        for version in range(schema.versions.lowest, schema.versions.highest + 1)
    }
    assert seen == dict.fromkeys(versions, COUNT)


def test_what_we_write_is_read_and_written_again_the_same_by_kafka(class_path: str, tmp_path: Path) -> None:
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    with ours.open("w") as file:
        for schema in schemas():
            generator = Generator(schema, f"{SEED} {schema.name}")
            for version in range(schema.versions.lowest, schema.versions.highest + 1):
                for _ in range(COUNT):
                    message = generator.message(version)
                    data = _core.encode(message, version)
                    assert _core.decode(type(message), version, data) == message
                    file.write(f"{schema.name} {version} {data.hex()}\n")
    java(class_path, "recode", ours, theirs)
    with ours.open() as sent, theirs.open() as returned:
        for line, answer in zip(sent, returned, strict=True):
            assert answer == line


def test_the_errors_of_a_response_count_as_in_kafka(class_path: str, tmp_path: Path) -> None:
    responses, counts = tmp_path / "responses", tmp_path / "counts"
    expected = []
    rules = error_counts.load(ROOT / "schemas", schemas())
    with responses.open("w") as file:
        for schema in (schema for schema in schemas() if schema.kind == "response"):
            generator = ErrorGenerator(schema, f"{SEED} {schema.name}")
            for version in range(schema.versions.lowest, schema.versions.highest + 1):
                for _ in range(COUNT):
                    message = generator.message(version)
                    named = f"{schema.key} {version}"
                    file.write(f"{named} {_core.encode(message, version).hex()}\n")
                    told = sorted(count_errors(rules, schema, schema.root, message, version).items())
                    expected.append(" ".join([named, *(f"{code}={count}" for code, count in told)]))
    java(class_path, "errors", responses, counts)
    assert counts.read_text().splitlines() == expected


def test_apis_and_error_codes_are_kafkas(class_path: str, tmp_path: Path) -> None:
    facts = tmp_path / "facts"
    java(class_path, "facts", facts)
    kafkas = facts.read_text().splitlines()
    apis = load_apis(ROOT / "schemas", schemas())
    ours = []
    for api in apis:
        request = api.request
        versions = range(request.versions.lowest, request.versions.highest + 1)
        headers = [
            ("2" if version in request.flexible else "1")
            + ("1" if version in request.flexible and api.name != "ApiVersions" else "0")
            for version in versions
        ]
        words = [
            "api", api.key, api.name, versions[0], versions[-1], versions[-1] - request.latest_unstable,
            api.forwardable, api.cluster_action,
            "broker" in request.listeners, "controller" in request.listeners,
        ]  # fmt: skip
        ours.append(" ".join([*(str(word) for word in words), *headers]))
    ours = [line.replace("True", "true").replace("False", "false") for line in ours]
    for error in load_errors(ROOT / "schemas"):
        ours.append(f"error {error.code} {error.name} {str(error.retriable).lower()}")
    assert sorted(ours) == sorted(kafkas)
    assert [key.value for key in ApiKey] == list(API_NAMES)
    assert len(ErrorCode) == 138
