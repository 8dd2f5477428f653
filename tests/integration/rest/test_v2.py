"""API v2 as its clients see it, and schemas through both APIs."""

from __future__ import annotations

import uuid

from tests.integration.rest.asking import refused
from tests.support.rest import RestProcess

V2 = "application/vnd.kafka.v2+json"
V2_JSON = "application/vnd.kafka.json.v2+json"
V2_AVRO = "application/vnd.kafka.avro.v2+json"
RECORD = '{"type":"record","name":"R","fields":[{"name":"n","type":["null","string"]}]}'


def test_v2_writes_and_a_consumer_instance_reads(rest: RestProcess, topic: str) -> None:
    records = [{"value": {"a": 1}}, {"key": "k", "value": None, "partition": 0}]
    done = rest.ask("POST", f"/topics/{topic}", {"records": records}, Content_Type=V2_JSON)
    offsets = [{"partition": 0, "offset": at, "error_code": None, "error": None} for at in range(2)]
    assert done.body == {"offsets": offsets, "key_schema_id": None, "value_schema_id": None}
    assert done.headers["content-type"] == V2
    group = f"g-{uuid.uuid4().hex}"
    new = {"name": "one", "format": "json", "auto.offset.reset": "earliest", "auto.commit.enable": "false"}
    made = rest.ask("POST", f"/consumers/{group}", new, Content_Type=V2)
    path = f"/consumers/{group}/instances/one"
    assert made.body == {"instance_id": "one", "base_uri": rest.url + path}
    assert refused(rest.ask("POST", f"/consumers/{group}", new, Content_Type=V2)) == (409, 40902)
    assert refused(rest.ask("GET", f"{path}/records")) == (409, 40903)
    assert rest.ask("POST", f"{path}/subscription", {"topics": [topic]}, Content_Type=V2).status == 204
    assert rest.ask("GET", f"{path}/subscription").body == {"topics": [topic]}
    read = rest.ask("GET", f"{path}/records?timeout=50000", Accept=V2_JSON)
    assert read.body == [
        {"topic": topic, "key": None, "value": {"a": 1}, "partition": 0, "offset": 0},
        {"topic": topic, "key": "k", "value": None, "partition": 0, "offset": 1},
    ]
    assert read.headers["content-type"] == V2_JSON
    assert refused(rest.ask("GET", f"{path}/records", Accept=V2_AVRO)) == (406, 40601)
    assert rest.ask("POST", f"{path}/offsets", Content_Type=V2).status == 200
    asked = {"partitions": [{"topic": topic, "partition": 0}]}
    committed = rest.ask("GET", f"{path}/offsets", asked, Content_Type=V2).body
    assert committed == {"offsets": [{"topic": topic, "partition": 0, "offset": 2, "metadata": ""}]}
    assert rest.ask("POST", f"{path}/positions/beginning", asked, Content_Type=V2).status == 204
    again = rest.ask("GET", f"{path}/records?timeout=50000&max_bytes=1&timestamps=true", Accept=V2_JSON).body
    assert [(one["offset"], "timestamp" in one) for one in again] == [(0, True)]
    assert rest.ask("DELETE", path).status == 204
    assert refused(rest.ask("GET", f"{path}/records")) == (404, 40403)


def test_schemas_are_registered_used_and_read_back(rest: RestProcess, v3: str, topic: str) -> None:
    values = [{"n": {"string": "x"}}, {"n": None}]
    body = {"value_schema": RECORD, "records": [{"value": one} for one in values]}
    done = rest.ask("POST", f"/topics/{topic}", body, Content_Type=V2_AVRO)
    schema_id = done.body["value_schema_id"]
    assert done.status == 200
    assert schema_id > 0
    assert refused(
        rest.ask("POST", f"/topics/{topic}", {"records": [{"value": 1}]}, Content_Type=V2_AVRO)
    ) == (
        422,
        42202,
    )
    path = f"{v3}/topics/{topic}/records"
    latest = rest.ask("POST", path, {"value": {"data": {"n": None}}})
    told = {"type": "AVRO", "size": 6, "subject": f"{topic}-value", "schema_id": schema_id}
    assert latest.body["value"] == {**told, "schema_version": 1}
    assert refused(rest.ask("POST", path, {"value": {"data": {"n": 5}}})) == (422, 42203)
    page = rest.ask("GET", f"{path}?value_type=AVRO&limit=3").body
    assert [one["value"] for one in page["data"]] == [
        {"type": "AVRO", "data": one} for one in (*values, {"n": None})
    ]


def test_v2_tells_of_topics_and_refuses_what_is_not_there(rest: RestProcess, topic: str) -> None:
    assert rest.ask("GET", "/").body == {}
    assert topic in rest.ask("GET", "/topics").body
    (broker,) = rest.ask("GET", "/brokers").body["brokers"]
    replicas = [{"broker": broker, "leader": True, "in_sync": True}]
    partitions = [{"partition": 0, "leader": broker, "replicas": replicas}]
    found = rest.ask("GET", f"/topics/{topic}").body
    assert set(found) == {"name", "configs", "partitions"}
    assert (found["name"], found["partitions"]) == (topic, partitions)
    assert rest.ask("GET", f"/topics/{topic}/partitions").body == partitions
    ends = rest.ask("GET", f"/topics/{topic}/partitions/0/offsets").body
    assert ends == {"beginning_offset": 0, "end_offset": 0}
    missing = f"missing-{uuid.uuid4().hex}"
    assert refused(rest.ask("GET", f"/topics/{missing}")) == (404, 40401)
    assert refused(rest.ask("GET", f"/topics/{topic}/partitions/7")) == (404, 40402)
    unread = rest.ask("POST", f"/topics/{topic}", {"records": []}, Content_Type="text/html")
    assert refused(unread) == (415, 415)
    wrong = {"records": [{"value": "?"}]}
    assert refused(rest.ask("POST", f"/topics/{topic}", wrong, Content_Type=V2)) == (422, 42206)
    for config in ({"format": "xml"}, {"auto.offset.reset": "middle"}):
        assert refused(rest.ask("POST", "/consumers/g", config, Content_Type=V2)) == (422, 42204)
