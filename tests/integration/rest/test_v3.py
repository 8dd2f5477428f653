"""API v3 as its clients see it."""

from __future__ import annotations

import http.client
import json
import socket
import uuid
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.integration.rest.asking import PATIENCE, link, place, refused, until
from tests.support.registry import RegistryProcess
from tests.support.rest import RestProcess


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
    moment = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")  # An older one might be gone before it is read.
    whole = {
        "partition_id": 0,
        "headers": [{"name": "h", "value": "Zm9v"}, {"name": "n", "value": None}],
        "key": {"type": "STRING", "data": "k"},
        "value": {"type": "JSON", "data": {"id": 1}},
        "timestamp": moment,
    }
    reply = rest.ask("POST", path, whole)
    told = {"error_code": 200, "cluster_id": v3.rpartition("/")[2], "topic_name": topic, "partition_id": 0}
    assert reply.body == {
        **told,
        "offset": 0,
        "timestamp": moment,
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
            "timestamp": moment,
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


def test_what_a_schemas_rules_would_hide_is_not_written_as_it_is(
    rest: RestProcess, registry: RegistryProcess, v3: str, topic: str
) -> None:
    rule = {"name": "hide", "kind": "TRANSFORM", "mode": "WRITEREAD", "type": "ENCRYPT", "tags": ["PII"]}
    schema = {"schemaType": "JSON", "schema": "{}", "ruleSet": {"domainRules": [rule]}}
    assert registry.ask("POST", f"/subjects/{topic}-value/versions", schema).status == 200
    for asked in ({}, {"type": "JSONSCHEMA", "schema": "{}"}):
        body = {"value": {**asked, "data": {"card": 1}}}
        assert refused(rest.ask("POST", f"{v3}/topics/{topic}/records", body)) == (422, 42206)


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
        return json.loads(self._begun().readline())

    def end(self) -> list[Any]:
        """The replies that nobody has waited for."""
        self._socket.sendall(b"0\r\n\r\n")
        response = self._begun()
        rest = [json.loads(line) for line in response.read().splitlines()]
        self.leave()
        return rest

    def leave(self) -> None:
        """Ends the connection, whatever is under way."""
        self._begun().close()
        self._socket.close()

    def _begun(self) -> http.client.HTTPResponse:
        if self._response is None:
            self._response = http.client.HTTPResponse(self._socket)
            self._response.begin()
            assert self._response.status == 200
        return self._response


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
    assert stream.end() == []
    stream = Streaming(rest.url, f"{v3}/topics/{topic}/records")
    stream.send(record * 2_000)
    assert [stream.reply()["offset"] for _ in range(2_000)] == list(range(4, 2_004))
    stream.send(b"nonsense")
    assert stream.reply()["error_code"] == 400
    assert stream.end() == []


def test_acls_are_made_found_and_deleted(rest: RestProcess, v3: str) -> None:
    path = f"{v3}/acls"
    if "No Authorizer" in (listed := rest.ask("GET", path)).body.get("message", ""):
        assert refused(listed) == (400, 40002)
        return
    acl = {
        "resource_type": "TOPIC",
        "resource_name": "t-",
        "pattern_type": "PREFIXED",
        "principal": "User:carol",
        "host": "*",
        "operation": "READ",
        "permission": "ALLOW",
    }
    query = (
        "resource_type=TOPIC&resource_name=t-&pattern_type=PREFIXED"
        "&principal=User%3Acarol&host=*&operation=READ&permission=ALLOW"
    )
    assert rest.ask("POST", path, acl).status == 201
    assert rest.ask("POST", f"{path}:batch", {"data": [{**acl, "operation": "WRITE"}]}).status == 201
    read = {
        "kind": "KafkaAcl",
        "metadata": {"self": f"{rest.url}{path}?{query}"},
        "cluster_id": v3.rpartition("/")[2],
        **acl,
    }
    until(rest, f"{path}?operation=READ&principal=User%3Acarol", lambda reply: reply.body["data"] == [read])
    until(rest, f"{path}?principal=User%3Acarol", lambda reply: len(reply.body["data"]) == 2)
    assert refused(rest.ask("DELETE", f"{path}?resource_type=TOPIC")) == (400, 400)
    assert rest.ask("DELETE", f"{path}?{query}").body == {"data": [read]}
    assert refused(rest.ask("POST", path, {**acl, "operation": "SING"})) == (400, 400)
    assert refused(rest.ask("POST", path, {"resource_type": "TOPIC"})) == (422, 422)
