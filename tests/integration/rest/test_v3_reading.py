"""Records are read with API v3, beyond what is published."""

from __future__ import annotations

import json
import uuid

from tests.integration.rest.asking import place, refused
from tests.support.rest import RestProcess


def test_records_are_read_as_lines_and_events(rest: RestProcess, v3: str, topic: str) -> None:
    path = f"{v3}/topics/{topic}/records"
    for number in range(3):
        assert rest.ask("POST", path, {"value": {"type": "JSON", "data": number}}).status == 200
    lines = rest.ask("GET", f"{path}?from=earliest&limit=3", Accept="application/x-ndjson")
    assert lines.headers["content-type"] == "application/x-ndjson"
    assert [json.loads(one)["value"]["data"] for one in lines.body.splitlines()] == [0, 1, 2]
    events = rest.ask(
        "GET", f"{path}?from=earliest&limit=1", Accept="text/event-stream", Last_Event_ID="0:1"
    ).body
    position, kind, data, *_ = events.splitlines()
    assert (position, kind) == ("id: 0:2", "event: record")
    assert json.loads(data.removeprefix("data: "))["offset"] == 2
    for wrong in ("from=never", "from=latest&timestamp=1", "offset=1", "value_type=PAPER", "limit=x"):
        assert refused(rest.ask("GET", f"{path}?{wrong}")) == (400, 400), wrong
    assert refused(rest.ask("GET", path, Accept="text/event-stream", Last_Event_ID="7")) == (400, 400)


def test_a_group_goes_on_where_it_has_stopped(rest: RestProcess, v3: str, topic: str) -> None:
    group = f"g-{uuid.uuid4().hex}"
    path = f"{v3}/topics/{topic}/records"
    for number in range(3):
        rest.ask("POST", path, {"value": {"type": "JSON", "data": number}})
    asked = f"{path}?group={group}&from=earliest&limit=2&timeout_ms=30000"
    first = rest.ask("GET", asked).body
    assert [one["offset"] for one in first["data"]] == [0, 1]
    (lag,) = rest.ask("GET", f"{v3}/consumer-groups/{group}/lags").body["data"]
    lags = f"/consumer-groups/{group}/lags/{topic}/partitions/0"
    assert lag == {
        "kind": "KafkaConsumerLag",
        "metadata": place(rest, v3, lags, f"/consumer-group={group}/lag={topic}/partition=0"),
        "cluster_id": v3.rpartition("/")[2],
        "consumer_group_id": group,
        "topic_name": topic,
        "partition_id": 0,
        "current_offset": 2,
        "log_end_offset": 3,
        "lag": 1,
        "consumer_id": "",
        "instance_id": None,
        "client_id": "",
    }
    assert [one["offset"] for one in rest.ask("GET", asked).body["data"]] == [2]
