"""Records are read with API v3, beyond what is published."""

from __future__ import annotations

import json
import uuid

from tests.integration.rest.asking import PATIENCE, place, refused
from tests.support.rest import RestProcess
from tests.support.websocket import CLOSE, TEXT, WebSocket


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


def test_records_come_over_a_websocket(rest: RestProcess, v3: str, topic: str) -> None:
    path = f"{v3}/topics/{topic}/records"
    for number in (1, 2):
        assert rest.ask("POST", path, {"value": {"type": "JSON", "data": number}}).status == 200
    with WebSocket(rest.url, f"{path}?from=earliest&limit=3", PATIENCE) as socket:
        assert socket.status == 101
        told = [json.loads(socket.message()[1]) for _ in range(2)]
        assert [(one["offset"], one["value"]["data"]) for one in told] == [(0, 1), (1, 2)]
        assert rest.ask("POST", path, {"value": {"type": "STRING", "data": "ü"}}).status == 200
        kind, message = socket.message()
        assert (kind, json.loads(message)["value"]["data"]) == (TEXT, "ü")
        # All that was wished for.
        assert socket.message() == (CLOSE, (1000).to_bytes(2))
    with WebSocket(rest.url, path, PATIENCE) as socket:
        socket.send(TEXT, b"nothing that is read")
        kind, message = socket.message()
        assert (kind, message[:2]) == (CLOSE, (1003).to_bytes(2))


def test_a_websocket_is_refused_as_any_request_is(rest: RestProcess, v3: str, topic: str) -> None:
    path = f"{v3}/topics/{topic}/records"
    with WebSocket(rest.url, f"{v3}/topics/none-{topic}/records", PATIENCE) as socket:
        assert socket.status == 404
    # The page of somebody else, in a browser that can reach the proxy.
    with WebSocket(rest.url, path, PATIENCE, Origin="http://elsewhere.example") as socket:
        assert socket.status == 403
    with WebSocket(rest.url, path, PATIENCE, Origin=rest.url) as socket:
        assert socket.status == 101
