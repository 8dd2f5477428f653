"""What `barnabas top` reads and draws."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from barnabas.cli.scrape import (
    Figures,
    RequestFigures,
    Scrape,
    ScrapeFailed,
    TopicFigures,
    figures,
    parse_sample,
)
from barnabas.cli.top_view import amount, count, picture

TRAFFIC = "kafka_server_BrokerTopicMetrics_Count"
REQUESTS = "kafka_network_RequestMetrics"


def page(at: float, bytes_in: int, requests: int) -> Scrape:
    return Scrape(
        f"""# HELP {TRAFFIC} Events.
# TYPE {TRAFFIC} counter
{TRAFFIC}{{name="BytesInPerSec"}} {bytes_in}
{TRAFFIC}{{name="BytesInPerSec",topic="a"}} {bytes_in}
{TRAFFIC}{{name="BytesInPerSec",topic="idle"}} 7
{REQUESTS}_Count{{name="RequestsPerSec",request="Fetch",version="17"}} {requests}
{REQUESTS}_Count{{name="RequestsPerSec",request="FetchConsumer",version="17"}} {requests}
{REQUESTS}_Count{{name="TotalTimeMs",request="Fetch"}} {requests}
{REQUESTS}_99thPercentile{{name="TotalTimeMs",request="Fetch"}} 1.5
process_resident_memory_bytes 31457280
""",
        at,
    )


def test_rates_are_differences_of_two_readings() -> None:
    found = figures(page(10.0, 1_000, 50), page(12.0, 5_000, 60))
    assert found.bytes_in_per_s == 2_000
    assert found.requests == [RequestFigures("Fetch", 5.0, 0.0, 1.5, 0.0)]
    assert found.busiest_topics == [TopicFigures("a", 0.0, 2_000.0, 0.0)]
    assert found.memory_bytes == 31457280


def test_a_node_that_began_anew_has_no_negative_rates() -> None:
    found = figures(page(10.0, 5_000, 60), page(12.0, 100, 2))
    assert (found.bytes_in_per_s, found.requests) == (0.0, [])


def test_label_values_are_read_as_they_were_written() -> None:
    line = r'a{x="b\\c\"d\ne",y="{f}"} 1.5'
    assert parse_sample(line) == ("a", frozenset({("x", 'b\\c"d\ne'), ("y", "{f}")}), 1.5)
    with pytest.raises(ScrapeFailed, match="not a metric: <html>"):
        parse_sample("<html>")


def test_amounts_are_readable() -> None:
    assert [amount(size) for size in (0, 512, 1536, 150 * 1024, 3 << 30)] == [
        "0 B",
        "512 B",
        "1.5 KiB",
        "150 KiB",
        "3.0 GiB",
    ]
    assert [count(number) for number in (0, 0.25, 3, 12.4, 1234.5)] == ["0", "0.2", "3", "12", "1,234"]


def stand(requests: int, topics: int) -> Figures:
    idle = figures(page(1.0, 0, 0), page(2.0, 0, 0))
    asked = [RequestFigures(f"Request{n}", float(n), 1.0, 2.0, 3.0) for n in range(requests)]
    busy = [TopicFigures(f"a-topic-with-a-rather-long-name-{n}", 1.0, 2.0, 3.0) for n in range(topics)]
    return Figures(**{**idle.as_json(), "requests": asked, "busiest_topics": busy})


@given(st.integers(0, 30), st.integers(0, 30), st.integers(1, 200), st.integers(1, 60))
def test_the_picture_never_leaves_the_terminal(requests: int, topics: int, width: int, height: int) -> None:
    lines = picture(stand(requests, topics), "http://127.0.0.1:9404/metrics", width, height)
    assert len(lines) <= height
    assert all(len(line) <= width for line in lines)


def test_requests_and_topics_share_the_room_that_there_is() -> None:
    text = "\n".join(picture(stand(20, 20), "here", 100, 24))
    assert "Request0" in text
    assert "a-topic-with-a-rather-long-name-0" in text
