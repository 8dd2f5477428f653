"""Values are read as Kafka 4.4.0 reads them: `values_4_4_0.json` has what its classes made of each text."""

import json
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from barnabas.config import (
    InvalidValue,
    broker_keys,
    client_metrics_keys,
    format_value,
    group_keys,
    parse_value,
    topic_keys,
)

KEYS = {
    "broker": broker_keys(),
    "topic": topic_keys(),
    "group": group_keys(),
    "client-metrics": client_metrics_keys(),
}
CASES = json.loads((Path(__file__).parent / "values_4_4_0.json").read_text())


@pytest.mark.parametrize(
    ("resource", "name", "text", "accepted", "value"), CASES, ids=[f"{case[1]}={case[2]!r}" for case in CASES]
)
def test_text_is_read_as_kafka_reads_it(
    resource: str, name: str, text: str | None, accepted: bool, value: str | None
) -> None:
    key = KEYS[resource][name]
    if accepted:
        assert format_value(parse_value(key, text)) == value
    else:
        with pytest.raises(InvalidValue):
            parse_value(key, text)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        (
            "retention.ms",
            "abc",
            "Invalid value abc for configuration retention.ms: must be a whole number of type LONG",
        ),
        ("retention.ms", "-2", "Invalid value -2 for configuration retention.ms: must be at least -1"),
        (
            "compression.lz4.level",
            "18",
            "Invalid value 18 for configuration compression.lz4.level: must be at most 17",
        ),
        ("preallocate", "yes", "Invalid value yes for configuration preallocate: must be true or false"),
        (
            "compression.type",
            "none",
            "Invalid value none for configuration compression.type: "
            "must be one of: uncompressed, zstd, lz4, snappy, gzip, producer",
        ),
        (
            "cleanup.policy",
            "delete,foo",
            "Invalid value foo for configuration cleanup.policy: "
            "each element must be one of: compact, delete",
        ),
        ("segment.bytes", None, "Invalid value null for configuration segment.bytes: must not be null"),
    ],
)
def test_error_names_config_value_and_reason(name: str, text: str | None, message: str) -> None:
    with pytest.raises(InvalidValue) as caught:
        parse_value(topic_keys()[name], text)
    assert str(caught.value) == message
    assert (caught.value.name, caught.value.reason) == (name, message.split(": ", 1)[1])


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0.0"),
        (0.001, "0.001"),
        (0.00012, "1.2E-4"),
        (1234567.5, "1234567.5"),
        (1e7, "1.0E7"),
        (12345678.25, "1.234567825E7"),
        (-2.5e-10, "-2.5E-10"),
        (1.7976931348623157e308, "1.7976931348623157E308"),
        (float("inf"), "Infinity"),
        (float("nan"), "NaN"),
    ],
)
def test_double_is_written_as_java_writes_it(value: float, text: str) -> None:
    assert format_value(value) == text


@given(st.floats(allow_nan=False))
def test_written_double_is_read_back(value: float) -> None:
    key = broker_keys()["log.cleaner.io.max.bytes.per.second"]
    assert parse_value(key, format_value(value)) == value


@given(st.text(max_size=30))
def test_any_text_is_a_value_or_an_invalid_value(text: str) -> None:
    for keys in KEYS.values():
        for key in keys.values():
            with suppress(InvalidValue):
                parse_value(key, text)
