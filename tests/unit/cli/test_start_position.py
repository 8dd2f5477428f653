"""What is understood as a position, a point in time, a span of time."""

from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from barnabas.cli.start_position import StartPosition, parse_duration, parse_moment, parse_start

NOW = 1_795_248_000_000


@pytest.mark.parametrize(
    ("text", "position"),
    [
        ("beginning", StartPosition(word="beginning")),
        ("earliest", StartPosition(word="beginning")),
        ("end", StartPosition(word="end")),
        ("latest", StartPosition(word="end")),
        ("0", StartPosition(offset=0)),
        ("42", StartPosition(offset=42)),
        ("-10", StartPosition(before_end=10)),
        ("-1h", StartPosition(timestamp_ms=NOW - 3_600_000)),
        ("-1h30m", StartPosition(timestamp_ms=NOW - 5_400_000)),
        ("-500ms", StartPosition(timestamp_ms=NOW - 500)),
        ("-2w", StartPosition(timestamp_ms=NOW - 2 * 604_800_000)),
        ("-9999999w", StartPosition(timestamp_ms=0)),
        ("@1700000000000", StartPosition(timestamp_ms=1_700_000_000_000)),
        ("2026-11-21T08:00:00+00:00", StartPosition(timestamp_ms=1_795_248_000_000)),
        ("2026-11-21T08:00:00Z", StartPosition(timestamp_ms=1_795_248_000_000)),
    ],
)
def test_text_names_a_position(text: str, position: StartPosition) -> None:
    assert parse_start(text, NOW) == position


def test_date_without_a_zone_is_local_time() -> None:
    local = int(datetime(2026, 11, 21).timestamp() * 1000)
    assert parse_start("2026-11-21", NOW) == StartPosition(timestamp_ms=local)


@pytest.mark.parametrize("text", ["", "soon", "-", "-1y", "1h", "@", f"@{2**63}", "--5", "4 2", "-h"])
def test_anything_else_is_refused_with_examples(text: str) -> None:
    with pytest.raises(ValueError, match=r"is no position\. Write one of: beginning, end, 42, -10"):
        parse_start(text, NOW)


@given(st.text(max_size=12))
def test_any_text_is_a_position_or_refused(text: str) -> None:
    try:
        position = parse_start(text, NOW)
    except ValueError:
        return
    assert sum(field is not None for field in position) == 1


@pytest.mark.parametrize(
    ("text", "duration_ms"),
    [
        ("90s", 90_000),
        ("1h30m", 5_400_000),
        ("500ms", 500),
        ("PT1H30M", 5_400_000),
        ("P1DT2H3M4S", 93_784_000),
        ("P7D", 604_800_000),
        ("pt5s", 5000),
    ],
)
def test_span_of_time_is_written_short_or_as_kafka_has_it(text: str, duration_ms: int) -> None:
    assert parse_duration(text) == duration_ms


@pytest.mark.parametrize("text", ["", "P", "PT", "1", "-1h", "1y", "PT1X", "1h PT1H"])
def test_other_spans_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no span of time; write 90s, 1h30m or PT1H30M"):
        parse_duration(text)


def test_point_in_time_is_a_date_or_milliseconds() -> None:
    assert parse_moment("2026-11-21T08:00:00Z") == parse_moment("@1795248000000") == 1_795_248_000_000
    for text in ("soon", "@", "@x", "-1h"):
        with pytest.raises(ValueError, match="is no point in time"):
            parse_moment(text)
