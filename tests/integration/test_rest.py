"""The REST Proxy as its clients see it: on barnabas, and on Apache Kafka."""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import ssl
import subprocess
import sys
import time
import uuid
from base64 import b64encode
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import pytest

from tests.support.certificates import Authority
from tests.support.oracle import apache_kafka, free_port
from tests.support.registry import RegistryProcess, Reply
from tests.support.rest import RestProcess
from tests.support.server import cluster_under_test

PATIENCE = 60
V2 = "application/vnd.kafka.v2+json"
V2_JSON = "application/vnd.kafka.json.v2+json"
V2_AVRO = "application/vnd.kafka.avro.v2+json"
RECORD = '{"type":"record","name":"R","fields":[{"name":"n","type":["null","string"]}]}'


class Cluster(NamedTuple):
    """Where the cluster is."""

    bootstrap: str
    login: str | None = None
    """Where names and passwords are asked for."""


@pytest.fixture(scope="module", params=["barnabas", pytest.param("apache", marks=pytest.mark.oracle)])
def cluster(request: pytest.FixtureRequest) -> Iterator[Cluster]:
    if request.param == "barnabas":
        with cluster_under_test("--memory", "--without", "registry", "--without", "rest") as bootstrap:
            yield Cluster(bootstrap)
        return
    plain, login, controller = free_port(), free_port(), free_port()
    listeners = f"PLAINTEXT://localhost:{plain},SASL_PLAINTEXT://localhost:{login}"
    users = 'org.apache.kafka.common.security.plain.PlainLoginModule required user_alice="a" user_bob="b";'
    settings = {
        "listeners": f"{listeners},CONTROLLER://localhost:{controller}",
        "advertised.listeners": listeners,
        "controller.quorum.bootstrap.servers": f"localhost:{controller}",
        "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,"
        "SASL_PLAINTEXT:SASL_PLAINTEXT",
        "inter.broker.listener.name": "PLAINTEXT",
        "sasl.enabled.mechanisms": "PLAIN",
        "listener.name.sasl_plaintext.plain.sasl.jaas.config": users,
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "super.users": "User:ANONYMOUS",
    }
    with apache_kafka(settings, port=plain) as kafka:
        yield Cluster(kafka.bootstrap, f"localhost:{login}")


@pytest.fixture(scope="module")
def registry(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RegistryProcess]:
    process = RegistryProcess(cluster.bootstrap, tmp_path_factory.mktemp("registry") / "log").start()
    try:
        yield process
        assert process.stop() == 0
    finally:
        process.kill()


@pytest.fixture(scope="module")
def rest(
    cluster: Cluster, registry: RegistryProcess, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RestProcess]:
    log = tmp_path_factory.mktemp("rest") / "log"
    process = RestProcess(cluster.bootstrap, log, "--registry", registry.url).start()
    try:
        yield process
        assert process.stop() == 0
        assert "Traceback" not in log.read_text()
    finally:
        process.kill()


@pytest.fixture(scope="module")
def v3(rest: RestProcess) -> str:
    """The path of the cluster."""
    (found,) = rest.ask("GET", "/v3/clusters").body["data"]
    return f"/v3/clusters/{found['cluster_id']}"


@pytest.fixture
def topic(rest: RestProcess, v3: str) -> str:
    """A topic of the test's own, with one partition."""
    name = f"t-{uuid.uuid4().hex}"
    made = rest.ask("POST", f"{v3}/topics", {"topic_name": name, "partitions_count": 1})
    assert made.status == 201, made
    until(rest, f"{v3}/topics/{name}/partitions/0", lambda reply: "leader" in reply.body)
    until(rest, f"{v3}/topics/{name}/partitions/0/offset", lambda reply: reply.status == 200)
    return name


def until(rest: RestProcess, path: str, good: Callable[[Reply], bool], **headers: str) -> Reply:
    """The reply to a GET once it is good: brokers hear of changes a moment after they are answered."""
    deadline = time.monotonic() + PATIENCE
    while not good(reply := rest.ask("GET", path, **headers)):
        assert time.monotonic() < deadline, reply
        time.sleep(0.05)
    return reply


def refused(reply: Reply) -> tuple[int, int]:
    assert set(reply.body) == {"error_code", "message"}, reply
    return reply.status, reply.body["error_code"]


def link(rest: RestProcess, v3: str, path: str) -> dict[str, str]:
    return {"related": f"{rest.url}{v3}/{path}"}


def place(rest: RestProcess, v3: str, path: str, name: str) -> dict[str, str]:
    cluster = v3.rpartition("/")[2]
    return {"self": f"{rest.url}{v3}{path}", "resource_name": f"crn:///kafka={cluster}{name}"}


def test_a_topic_from_its_creation_to_its_end(rest: RestProcess, v3: str) -> None:
    name = f"t-{uuid.uuid4().hex}"
    cluster_id = v3.rpartition("/")[2]
    body = {
        "topic_name": name,
        "partitions_count": 2,
        "replication_factor": 1,
        "configs": [{"name": "retention.ms", "value": "60000"}],
    }
    would_be = rest.ask("POST", f"{v3}/topics", {**body, "validate_only": True})
    assert would_be.status == 200, would_be
    made = rest.ask("POST", f"{v3}/topics", body)
    data = {
        "kind": "KafkaTopic",
        "metadata": place(rest, v3, f"/topics/{name}", f"/topic={name}"),
        "cluster_id": cluster_id,
        "topic_name": name,
        "is_internal": False,
        "replication_factor": 1,
        "partitions_count": 2,
        "partitions": link(rest, v3, f"topics/{name}/partitions"),
        "configs": link(rest, v3, f"topics/{name}/configs"),
        "partition_reassignments": link(rest, v3, f"topics/{name}/partitions/-/reassignment"),
    }
    assert (made.status, made.body) == (201, data)
    assert made.headers["location"] == data["metadata"]["self"]
    assert would_be.body == data
    assert refused(rest.ask("POST", f"{v3}/topics", body)) == (400, 40002)
    until(rest, f"{v3}/topics/{name}", lambda reply: reply.body == data)
    listed = rest.ask("GET", f"{v3}/topics").body
    assert listed["kind"] == "KafkaTopicList"
    assert listed["metadata"] == {"self": f"{rest.url}{v3}/topics", "next": None}
    assert data in listed["data"]
    # Whoever asks for more partitions is told of them, though a broker may not know of them yet.
    grown = rest.ask("PATCH", f"{v3}/topics/{name}", {"partitions_count": 3})
    assert (grown.status, grown.body) == (200, {**data, "partitions_count": 3})
    assert refused(rest.ask("PATCH", f"{v3}/topics/{name}", {"partitions_count": 1})) == (400, 40002)
    gone = rest.ask("DELETE", f"{v3}/topics/{name}")
    assert (gone.status, gone.body) == (204, "")
    assert refused(rest.ask("DELETE", f"{v3}/topics/{name}")) == (404, 40403)


def test_partitions_and_their_replicas(rest: RestProcess, v3: str, topic: str) -> None:
    cluster_id = v3.rpartition("/")[2]
    (broker,) = rest.ask("GET", f"{v3}/brokers").body["data"]
    broker_id = broker["broker_id"]
    path, name = f"/topics/{topic}/partitions/0", f"/topic={topic}/partition=0"
    whose = {"cluster_id": cluster_id, "topic_name": topic, "partition_id": 0}
    partition = {
        "kind": "KafkaPartition",
        "metadata": place(rest, v3, path, name),
        **whose,
        "leader": link(rest, v3, f"topics/{topic}/partitions/0/replicas/{broker_id}"),
        "replicas": link(rest, v3, f"topics/{topic}/partitions/0/replicas"),
        "reassignment": link(rest, v3, f"topics/{topic}/partitions/0/reassignment"),
    }
    replica = {
        "kind": "KafkaReplica",
        "metadata": place(rest, v3, f"{path}/replicas/{broker_id}", f"{name}/replica={broker_id}"),
        **whose,
        "broker_id": broker_id,
        "is_leader": True,
        "is_in_sync": True,
        "broker": link(rest, v3, f"brokers/{broker_id}"),
    }
    assert rest.ask("GET", f"{v3}/topics/{topic}/partitions").body["data"] == [partition]
    assert rest.ask("GET", f"{v3}{path}").body == partition
    assert rest.ask("GET", f"{v3}{path}/replicas").body["data"] == [replica]
    assert rest.ask("GET", f"{v3}{path}/replicas/{broker_id}").body == replica
    assert replica in rest.ask("GET", f"{v3}/brokers/{broker_id}/partition-replicas").body["data"]
    assert rest.ask("GET", f"{v3}/topics/-/partitions/-/reassignment").body["data"] == []
    for missing in ("partitions/7", "partitions/x", "partitions/0/replicas/99", "partitions/0/reassignment"):
        assert refused(rest.ask("GET", f"{v3}/topics/{topic}/{missing}"))[0] == 404, missing
    assert refused(rest.ask("GET", "/v3/clusters/another/topics")) == (404, 404)


def test_configs_are_read_set_and_reset(rest: RestProcess, v3: str, topic: str) -> None:
    path = f"{v3}/topics/{topic}/configs"
    set_ = rest.ask("PUT", f"{path}/retention.ms", {"value": "60000"})
    assert (set_.status, set_.body) == (204, "")
    found = until(rest, f"{path}/retention.ms", lambda reply: reply.body["value"] == "60000").body
    synonyms = found.pop("synonyms")
    assert found == {
        "kind": "KafkaTopicConfig",
        "metadata": place(
            rest, v3, f"/topics/{topic}/configs/retention.ms", f"/topic={topic}/config=retention.ms"
        ),
        "cluster_id": v3.rpartition("/")[2],
        "topic_name": topic,
        "name": "retention.ms",
        "value": "60000",
        "is_default": False,
        "is_read_only": False,
        "is_sensitive": False,
        "source": "DYNAMIC_TOPIC_CONFIG",
    }
    assert synonyms[0] == {"name": "retention.ms", "value": "60000", "source": "DYNAMIC_TOPIC_CONFIG"}
    changes = [{"name": "retention.ms", "operation": "DELETE"}, {"name": "segment.bytes", "value": "1048576"}]
    assert rest.ask("POST", f"{path}:alter", {"data": changes, "validate_only": True}).status == 204
    assert rest.ask("GET", f"{path}/retention.ms").body["value"] == "60000"
    assert rest.ask("POST", f"{path}:alter", {"data": changes}).status == 204
    until(rest, f"{path}/segment.bytes", lambda reply: reply.body["value"] == "1048576")
    listed = {one["name"]: one["value"] for one in rest.ask("GET", path).body["data"]}
    assert (listed["retention.ms"], listed["segment.bytes"]) == ("604800000", "1048576")
    assert rest.ask("DELETE", f"{path}/segment.bytes").status == 204
    assert refused(rest.ask("PUT", f"{path}/no.such.config", {"value": "1"})) == (404, 404)
    assert refused(rest.ask("PUT", f"{path}/retention.ms", {"value": "soon"})) == (400, 40002)
    assert refused(rest.ask("PUT", f"{path}/retention.ms", {"value": {}})) == (400, 400)
    default = f"{v3}/broker-configs/log.cleaner.backoff.ms"
    assert rest.ask("PUT", default, {"value": "14000"}).status == 204
    set_ = until(rest, default, lambda reply: reply.status == 200)
    assert set_.body["source"] == "DYNAMIC_DEFAULT_BROKER_CONFIG"
    assert rest.ask("DELETE", default).status == 204
    assert refused(until(rest, default, lambda reply: reply.status != 200)) == (404, 404)


def test_records_are_produced_and_answered_one_by_one(rest: RestProcess, v3: str, topic: str) -> None:
    path = f"{v3}/topics/{topic}/records"
    whole = {
        "partition_id": 0,
        "headers": [{"name": "h", "value": "Zm9v"}, {"name": "n", "value": None}],
        "key": {"type": "STRING", "data": "k"},
        "value": {"type": "JSON", "data": {"id": 1}},
        "timestamp": "2021-02-05T19:14:42Z",
    }
    reply = rest.ask("POST", path, whole)
    told = {"error_code": 200, "cluster_id": v3.rpartition("/")[2], "topic_name": topic, "partition_id": 0}
    assert reply.body == {
        **told,
        "offset": 0,
        "timestamp": "2021-02-05T19:14:42Z",
        "key": {"type": "STRING", "size": 1},
        "value": {"type": "JSON", "size": 8},
    }
    bad = {"value": {"type": "BINARY", "data": "?"}}
    two = rest.ask("POST", path, json.dumps(whole) + json.dumps(bad) + "\n" + json.dumps(whole))
    lines = [json.loads(line) for line in two.body.splitlines()]
    assert [(one["error_code"], one.get("offset")) for one in lines] == [(200, 1), (42206, None), (200, 2)]
    entries = [{"id": "a", **whole}, {"id": "b", **bad}]
    batch = rest.ask("POST", f"{path}:batch", {"entries": entries})
    assert batch.status == 207
    assert [(one["id"], one["offset"]) for one in batch.body["successes"]] == [("a", 3)]
    assert [(one["id"], one["error_code"]) for one in batch.body["failures"]] == [("b", 42206)]
    page = rest.ask("GET", f"{v3}/topics/{topic}/partitions/0/records?limit=1").body
    assert page["metadata"]["next"] == f"{rest.url}{v3}/topics/{topic}/partitions/0/records?limit=1&offset=1"
    assert page["data"] == [
        {
            "cluster_id": told["cluster_id"],
            "topic_name": topic,
            "partition_id": 0,
            "offset": 0,
            "timestamp": "2021-02-05T19:14:42Z",
            "headers": whole["headers"],
            "key": {"type": "STRING", "data": "k"},
            "value": {"type": "JSON", "data": {"id": 1}},
        }
    ]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"", (422, 422)),
        (b"{", (400, 400)),
        (b"[]", (400, 400)),
        (b'{"value": 7}', (400, 400)),
        (b'{"value":{"type":"STRING","data":"\xff"}}', (400, 400)),
        (b'{"value":{"type":"STRING","data":"\\ud800"}}', (422, 42206)),
        (b'{"value":{"type":"JSON","data":NaN}}', (422, 42206)),
        (b'{"value":{"type":"BINARY","data":"Zm9"}}', (422, 42206)),
        (b'{"value":{"type":"NONE","data":1}}', (400, 400)),
        (b'{"partition_id":9,"value":{"type":"JSON","data":1}}', (404, 40403)),
        (b'{"partition_id":-1,"value":{"type":"JSON","data":1}}', (400, 400)),
        (b'{"timestamp":"soon"}', (400, 400)),
        (b'{"headers":[{"value":"Zm9v"}]}', (422, 422)),
        (b'{"value":{"schema_id":99999,"data":1}}', (422, 42205)),
        (b'{"value":{"type":"AVRO","schema":"{","data":1}}', (422, 42205)),
    ],
)
def test_what_can_not_be_produced_is_refused_in_words(
    rest: RestProcess, v3: str, topic: str, body: bytes, expected: tuple[int, int]
) -> None:
    assert refused(rest.ask("POST", f"{v3}/topics/{topic}/records", body)) == expected


class Streaming:
    """A connection on which a body is sent in pieces, and its reply read meanwhile."""

    def __init__(self, url: str, path: str) -> None:
        address = urlsplit(url)
        self._socket = socket.create_connection((address.hostname, address.port), PATIENCE)
        head = f"POST {path} HTTP/1.1\r\nHost: {address.netloc}\r\nContent-Type: application/json\r\n"
        self._socket.sendall(f"{head}Transfer-Encoding: chunked\r\n\r\n".encode())
        self._response: http.client.HTTPResponse | None = None

    def send(self, piece: bytes) -> None:
        self._socket.sendall(b"%x\r\n%s\r\n" % (len(piece), piece))

    def reply(self) -> Any:
        if self._response is None:
            self._response = http.client.HTTPResponse(self._socket)
            self._response.begin()
            assert self._response.status == 200
        return json.loads(self._response.readline())

    def end(self) -> None:
        self._socket.sendall(b"0\r\n\r\n")
        assert self._response is not None
        assert self._response.read() == b""
        self._response.close()
        self._socket.close()


def test_a_stream_of_records_is_answered_while_it_goes_on(rest: RestProcess, v3: str, topic: str) -> None:
    stream = Streaming(rest.url, f"{v3}/topics/{topic}/records")
    record = b'{"value":{"type":"STRING","data":"\xc3\xa9"}}'
    for offset in range(3):
        stream.send(record[:-7])  # within a character
        stream.send(record[-7:])
        assert stream.reply()["offset"] == offset
    stream.send(b'{"value":{"type":"BINARY","data":"?"}}' + record)
    assert stream.reply()["error_code"] == 42206
    assert stream.reply()["offset"] == 3
    stream.end()
    stream = Streaming(rest.url, f"{v3}/topics/{topic}/records")
    stream.send(record * 2_000)
    assert [stream.reply()["offset"] for _ in range(2_000)] == list(range(4, 2_004))
    stream.send(b"nonsense")
    assert stream.reply()["error_code"] == 400
    stream.end()


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


def test_acls_are_made_found_and_deleted(rest: RestProcess, v3: str) -> None:
    path = f"{v3}/acls"
    if "No Authorizer" in (listed := rest.ask("GET", path)).body.get("message", ""):
        assert refused(listed) == (400, 40002)
        return
    acl = {
        "resource_type": "TOPIC",
        "resource_name": "t-",
        "pattern_type": "PREFIXED",
        "principal": "User:alice",
        "host": "*",
        "operation": "READ",
        "permission": "ALLOW",
    }
    query = (
        "resource_type=TOPIC&resource_name=t-&pattern_type=PREFIXED"
        "&principal=User%3Aalice&host=*&operation=READ&permission=ALLOW"
    )
    assert rest.ask("POST", path, acl).status == 201
    assert rest.ask("POST", f"{path}:batch", {"data": [{**acl, "operation": "WRITE"}]}).status == 201
    read = {
        "kind": "KafkaAcl",
        "metadata": {"self": f"{rest.url}{path}?{query}"},
        "cluster_id": v3.rpartition("/")[2],
        **acl,
    }
    until(rest, f"{path}?operation=READ", lambda reply: reply.body["data"] == [read])
    until(rest, f"{path}?principal=User%3Aalice", lambda reply: len(reply.body["data"]) == 2)
    assert refused(rest.ask("DELETE", f"{path}?resource_type=TOPIC")) == (400, 400)
    assert rest.ask("DELETE", f"{path}?{query}").body == {"data": [read]}
    assert refused(rest.ask("POST", path, {**acl, "operation": "SING"})) == (400, 400)
    assert refused(rest.ask("POST", path, {"resource_type": "TOPIC"})) == (422, 422)


@pytest.mark.parametrize("cluster", [pytest.param("apache", marks=pytest.mark.oracle)], indirect=True)
def test_the_clusters_acls_decide_for_whoever_asks(
    cluster: Cluster, rest: RestProcess, v3: str, topic: str, tmp_path: Path
) -> None:
    assert cluster.login is not None
    for operation in ("WRITE", "DESCRIBE"):
        acl = {
            "resource_type": "TOPIC",
            "resource_name": topic,
            "pattern_type": "LITERAL",
            "principal": "User:alice",
            "host": "*",
            "operation": operation,
            "permission": "ALLOW",
        }
        assert rest.ask("POST", f"{v3}/acls", acl).status == 201
    proxy = RestProcess(cluster.login, tmp_path / "log", "--login", "plain", "--access-log").start()
    path = f"{v3}/topics/{topic}/records"
    record = {"value": {"type": "JSON", "data": 1}}

    def asked(who: str | None) -> Reply:
        headers = {} if who is None else {"Authorization": f"Basic {b64encode(who.encode()).decode()}"}
        return proxy.ask("POST", path, record, X_Request_ID=f"of {who}", **headers)

    try:
        nobody = asked(None)
        assert refused(nobody) == (401, 40101)
        assert nobody.headers["www-authenticate"].startswith("Basic ")
        assert refused(asked("alice:guessed")) == (401, 40101)
        deadline = time.monotonic() + PATIENCE
        while (written := asked("alice:a")).status != 200:
            assert time.monotonic() < deadline, written
            time.sleep(0.05)
        # Who may not even describe a topic is not told that there is one.
        assert refused(asked("bob:b")) == (403, 40301)
        assert asked("alice:a").status == 200
        assert proxy.stop() == 0
        log = (tmp_path / "log").read_text()
        assert f"POST {path} -> 403" in log
        assert "request id of bob:b" in log
    finally:
        proxy.kill()


def test_a_client_that_asks_too_much_is_told_to_wait(cluster: Cluster, tmp_path: Path) -> None:
    proxy = RestProcess(cluster.bootstrap, tmp_path / "log", "--requests-per-second", "0.01").start()
    try:
        assert proxy.ask("GET", "/v3/clusters").status == 200
        reply = proxy.ask("GET", "/v3/clusters")
        assert refused(reply) == (429, 429)
        assert int(reply.headers["retry-after"]) > 1
    finally:
        proxy.kill()


@pytest.mark.parametrize("cluster", ["barnabas"], indirect=True)
def test_clients_are_talked_to_over_tls_and_may_need_a_certificate(cluster: Cluster, tmp_path: Path) -> None:
    authority = Authority(tmp_path / "certificates")
    server, client = str(authority.store("server")), str(authority.store("client"))
    options = ("--certificate", server, "--key", server, "--client-authority", str(authority.certificate))
    proxy = RestProcess(cluster.bootstrap, tmp_path / "log", *options).start()
    trusting = ssl.create_default_context(cafile=str(authority.certificate))
    known = ssl.create_default_context(cafile=str(authority.certificate))
    known.load_cert_chain(client)

    def asked(context: ssl.SSLContext) -> Any:
        connection = http.client.HTTPSConnection("localhost", proxy.port, timeout=PATIENCE, context=context)
        with contextlib.closing(connection):
            connection.request("GET", "/v3/clusters")
            return json.loads(connection.getresponse().read())

    try:
        assert asked(known)["metadata"]["self"] == f"https://localhost:{proxy.port}/v3/clusters"
        for stranger in (trusting, ssl.create_default_context()):
            with pytest.raises((OSError, http.client.HTTPException)):
                asked(stranger)
        with pytest.raises((OSError, http.client.HTTPException)):
            proxy.ask("GET", "/v3/clusters")
        assert asked(known)["kind"] == "KafkaClusterList"
    finally:
        proxy.kill()


def test_tls_that_can_not_be_had_is_told(tmp_path: Path) -> None:
    (tmp_path / "nothing.pem").write_text("nothing")
    for options in (
        ("--certificate", "nothing.pem"),
        ("--certificate", "nothing.pem", "--key", "nothing.pem"),
        ("--certificate", "missing.pem", "--key", "missing.pem"),
    ):
        command = [sys.executable, "-m", "barnabas", "rest", "--port", "0", *options]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=PATIENCE)
        assert done.returncode != 0
        assert "TLS" in done.stderr
        assert "Traceback" not in done.stderr
