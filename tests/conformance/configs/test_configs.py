"""Configs against the classes of Apache Kafka 4.4.0: random sets for topics and groups, random files."""

import os
import random
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path

import pytest

from barnabas.config import (
    BrokerConfigs,
    BrokerSettings,
    ConfigKey,
    ConfigType,
    PropertiesError,
    group_keys,
    topic_keys,
    validate,
)
from barnabas.config.properties import parse_properties
from barnabas.errors import KafkaError
from tests.support import jars

SEED = int(os.environ.get("SEED", "7"))
CASES = int(os.environ.get("CASES", "2000"))
"""Random cases of each kind; raise it for a longer look."""

PLAIN = BrokerConfigs(BrokerSettings({}), {}, {})
TIERED = BrokerConfigs(BrokerSettings({"remote.log.storage.system.enable": "true"}), {}, {})
NUMBERS = (
    "-3", "-2", "-1", "0", "1", "2", "3", "4", "5", "10", "11", "100", "1000", "4000", "5000", "15000",
    "15001", "30000", "45000", "60000", "60001", "1048576", "604800000", "9223372036854775807",
    "9223372036854775808", "abc", "+7",
)  # fmt: skip
TEXTS = ("a", "dlq.a", "__x", "bad name!", "a,b", "a,a", "")
LISTS = {
    "cleanup.policy": ("delete", "compact", "compact,delete", "", "x", "delete,delete", "delete,"),
    "share.auto.offset.reset": ("earliest", "by_duration:PT1H", "by_duration:-PT1H", "x"),
    "streams.assignor.name": ("sticky", "x", ""),
}
REPLICAS = ("*", "0:1", "0:1,1:2", "0:1,", "x", "")


def judged(lines: Iterable[str]) -> list[str]:
    """What Kafka's classes say to each line."""
    libs = jars.fetch("apache-kafka-4.4.0-server", ("org.apache.kafka:kafka-server:4.4.0",))
    program = Path(__file__).parent / "Configs.java"
    done = subprocess.run(
        ["java", "-Xmx512M", "-XX:TieredStopAtLevel=1", "-cp", f"{libs}/*", str(program)],
        input="".join(f"{line}\n" for line in lines),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def random_value(chance: random.Random, key: ConfigKey) -> str:
    if key.name in LISTS:
        return chance.choice(LISTS[key.name])
    if key.bounds.startswith("one of "):
        return chance.choice([*key.bounds.split()[2:], "x"])
    if "throttled" in key.name:
        return chance.choice(REPLICAS)
    match key.type:
        case ConfigType.BOOLEAN:
            return chance.choice(("true", "false", " TRUE ", "x"))
        case ConfigType.DOUBLE:
            return chance.choice(("0", "0.5", "1", "2", "x"))
        case ConfigType.STRING | ConfigType.LIST:
            return chance.choice(TEXTS)
    return chance.choice(NUMBERS)


def random_set(chance: random.Random, keys: Mapping[str, ConfigKey], count_max: int) -> dict[str, str]:
    chosen = chance.sample(sorted(keys), min(chance.randint(1, count_max), len(keys)))
    return {name: random_value(chance, keys[name]) for name in chosen}


def kafkas(keys: Mapping[str, ConfigKey]) -> dict[str, ConfigKey]:
    """Without those that Kafka does not have."""
    return {name: key for name, key in keys.items() if not key.own}


def line(kind: str, texts: Mapping[str, str]) -> str:
    pairs = [f"{name.encode().hex()}={text.encode().hex()}" for name, text in texts.items()]
    return " ".join((kind, *pairs))


def accepted(kind: str, texts: Mapping[str, str]) -> bool:
    try:
        match kind:
            case "topic":
                validate.topic(PLAIN, {}, texts)
            case "tiered-topic":
                validate.topic(TIERED, {"remote.storage.enable": "true"}, texts)
            case _:
                validate.group(PLAIN, texts)
    except KafkaError:
        return False
    return True


@pytest.mark.oracle
@pytest.mark.slow
@pytest.mark.parametrize("kind", ["topic", "tiered-topic", "group"])
def test_sets_of_configs_are_accepted_as_kafka_accepts_them(kind: str) -> None:
    print(f"SEED={SEED} CASES={CASES}")
    chance = random.Random(SEED)
    keys = kafkas(group_keys() if kind == "group" else topic_keys())
    related = {
        name: key
        for name, key in keys.items()
        if kind == "group" or name.endswith((".ms", ".bytes", "policy", "able"))
    }
    sets = [random_set(chance, related, 4) for _ in range(CASES)]
    if kind == "tiered-topic":
        sets = [
            {**texts, "remote.storage.enable": "true"} if chance.random() < 0.7 else texts for texts in sets
        ]
    verdicts = judged(line(kind, texts) for texts in sets)
    different = [
        (texts, verdict)
        for texts, verdict in zip(sets, verdicts, strict=True)
        if accepted(kind, texts) != (verdict == "ok")
    ]
    assert different == []
    assert 0 < verdicts.count("ok") < CASES


@pytest.mark.oracle
@pytest.mark.slow
def test_files_are_read_as_java_reads_them() -> None:
    print(f"SEED={SEED} CASES={CASES}")
    chance = random.Random(SEED)
    # A carriage return is left out: where one ends the file, Java's reader forgets the line before it.
    files = [
        "".join(chance.choices("ab=: \t\f\\\\\\#!u0041\n\n", k=chance.randint(0, 25))) for _ in range(CASES)
    ]
    different = []
    for text, verdict in zip(
        files, judged(f"properties {text.encode().hex()}" for text in files), strict=True
    ):
        try:
            read = parse_properties(text)
        except PropertiesError:
            ours = "refused"
        else:
            pairs = sorted((utf_16(name), utf_16(value)) for name, value in read.items())
            ours = f"read {{{', '.join(f'{name}={value}' for name, value in pairs)}}}"
        if ours != verdict:
            different.append((text, ours, verdict))
    assert different == []


def utf_16(text: str) -> str:
    return text.encode("utf-16-be", "surrogatepass").hex()
