"""The Schema Registry as its clients see it: on barnabas, and on Apache Kafka."""

from __future__ import annotations

import base64
import http.client
import json
import threading
import uuid
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Consumer, Producer

from tests.support.oracle import apache_kafka
from tests.support.registry import MEDIA_TYPE, RegistryProcess, Reply, ask
from tests.support.server import BarnabasUp, cluster_under_test
from tests.support.toolchain import run

RECORD = '{"type":"record","name":"Order","fields":[{"name":"id","type":"long"}]}'
EVOLVED = (
    '{"type":"record","name":"Order","fields":[{"name":"id","type":"long"},'
    '{"name":"note","type":"string","default":""}]}'
)
BROKEN = '{"type":"record","name":"Order","fields":[{"name":"note","type":"string"}]}'


@pytest.fixture(scope="module", params=["barnabas", pytest.param("apache", marks=pytest.mark.oracle)])
def cluster(request: pytest.FixtureRequest) -> Iterator[str]:
    if request.param == "apache":
        with apache_kafka() as kafka:
            yield kafka.bootstrap
    else:
        with cluster_under_test("--memory", "--without", "registry") as bootstrap:
            yield bootstrap


@pytest.fixture(scope="module")
def registry(cluster: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RegistryProcess]:
    process = RegistryProcess(cluster, tmp_path_factory.mktemp("registry") / "log").start()
    try:
        yield process
        assert process.stop() == 0
    finally:
        process.kill()


@pytest.fixture
def subject() -> str:
    """A subject of the test's own, with what must be quoted in a path."""
    return f"a/b %-{uuid.uuid4().hex}"


def quoted(subject: str) -> str:
    return subject.replace("%", "%25").replace("/", "%2F").replace(" ", "%20")


RULES = {"domainRules": [{"name": each, "type": "CEL", "mode": "WRITE"} for each in ("first", "second")]}


def refused(reply: Reply) -> tuple[int, int]:
    assert set(reply.body) == {"error_code", "message"}, reply
    assert reply.headers["content-type"] == MEDIA_TYPE
    return reply.status, reply.body["error_code"]


def test_registered_found_evolved_and_deleted(registry: RegistryProcess, subject: str) -> None:
    path = f"/subjects/{quoted(subject)}"
    text = RECORD.replace("Order", f"O{uuid.uuid4().hex}")
    first = registry.ask("POST", f"{path}/versions", {"schema": text})
    assert first.status == 200
    id_, guid = first.body["id"], first.body["guid"]
    told = {"guid": guid, "schemaType": "AVRO", "schema": text}
    assert first.body == {"id": id_, "version": 1, **told}
    assert registry.ask("POST", f"{path}/versions", {"schema": text}).body == first.body
    by_id = registry.ask("GET", f"/schemas/ids/{id_}")
    stamp = by_id.body.pop("ts")
    assert by_id.body == {"subject": subject, "version": 1, **told, "deleted": False}
    version = {"subject": subject, "version": 1, "id": id_, **told, "ts": stamp, "deleted": False}
    for known in ("1", "latest", "-1"):
        assert registry.ask("GET", f"{path}/versions/{known}").body == version
    assert registry.ask("POST", path, {"schema": text}).body == version
    assert registry.ask("GET", f"{path}/versions/1/schema").body == json.loads(text)
    assert registry.ask("GET", f"/schemas/ids/{id_}/subjects").body == [subject]
    assert registry.ask("GET", f"/schemas/ids/{id_}/versions").body == [{"subject": subject, "version": 1}]
    assert registry.ask("GET", f"/schemas/guids/{guid}/ids").body == [{"context": ".", "id": id_}]
    assert refused(registry.ask("DELETE", f"{path}?permanent=true")) == (404, 40405)
    assert registry.ask("DELETE", path).body == [1]
    assert refused(registry.ask("GET", f"{path}/versions")) == (404, 40401)
    assert registry.ask("GET", f"{path}/versions?deleted=true").body == [1]
    assert refused(registry.ask("DELETE", path)) == (404, 40404)
    assert registry.ask("GET", f"/schemas/ids/{id_}").body["deleted"] is True
    assert registry.ask("DELETE", f"{path}?permanent=true").body == [1]
    assert refused(registry.ask("GET", f"/schemas/ids/{id_}")) == (404, 40403)
    assert registry.ask("POST", f"{path}/versions", {"schema": text}).body["id"] > id_


def test_tags_are_changed_and_found(registry: RegistryProcess, subject: str) -> None:
    path = f"/subjects/{quoted(subject)}/versions"
    name = f"T{uuid.uuid4().hex}"
    schema = {"type": "record", "name": name, "fields": [{"name": "f1", "type": "string"}]}
    first = registry.ask("POST", path, {"schema": json.dumps(schema), "ruleSet": RULES}).body
    whole = {"schemaEntity": {"entityPath": name, "entityType": "sr_record"}, "tags": ["TAG1", "TAG2"]}
    part = {"schemaEntity": {"entityPath": f"{name}.f1", "entityType": "sr_field"}, "tags": ["PII"]}
    body = {"newVersion": 2, "tagsToAdd": [whole, part], "rulesToRemove": ["second"]}
    changed = registry.ask("POST", f"{path}/latest/tags", body).body
    assert (changed["version"], changed["id"] > first["id"]) == (2, True)
    assert changed["metadata"] == {"properties": {"confluent:version": "2"}}
    assert [rule["name"] for rule in changed["ruleSet"]["domainRules"]] == ["first"]
    assert json.loads(changed["schema"])["confluent:tags"] == ["TAG1", "TAG2"]
    assert refused(registry.ask("POST", f"{path}/1/tags", {**body, "newVersion": 1})) == (422, 42201)

    assert registry.ask("GET", f"{path}/2?findTags=*").body["schemaTags"] == [whole, part]
    assert registry.ask("GET", f"{path}/2?findTags=PII").body["schemaTags"] == [part]
    by_id = registry.ask("GET", f"/schemas/ids/{changed['id']}?findTags=TAG2&findTags=none").body
    assert by_id["schemaTags"] == [whole]
    assert registry.ask("GET", f"{path}/1?findTags=*").body["schemaTags"] == []
    assert "schemaTags" not in registry.ask("GET", f"{path}/2").body
    less = {"tagsToRemove": [{**whole, "tags": ["TAG1", "TAG2"]}]}
    assert registry.ask("POST", f"{path}/2/tags", less).body["version"] == 3
    assert registry.ask("GET", f"{path}/latest?findTags=*").body["schemaTags"] == [part]


def test_what_is_incompatible_is_refused_and_told(registry: RegistryProcess, subject: str) -> None:
    path = f"/subjects/{quoted(subject)}/versions"
    assert registry.ask("POST", path, {"schema": RECORD}).body["version"] == 1
    reply = registry.ask("POST", path, {"schema": BROKEN})
    assert refused(reply) == (409, 40901)
    assert subject in reply.body["message"]
    assert "READER_FIELD_MISSING_DEFAULT_VALUE" in reply.body["message"]
    check = registry.ask("POST", f"/compatibility{path}?verbose=true", {"schema": BROKEN})
    assert check.body["is_compatible"] is False
    assert "READER_FIELD_MISSING_DEFAULT_VALUE" in check.body["messages"][0]
    latest = registry.ask("POST", f"/compatibility{path}/latest", {"schema": EVOLVED})
    assert latest.body == {"is_compatible": True}
    assert registry.ask("POST", path, {"schema": EVOLVED}).body["version"] == 2
    config = f"/config/{quoted(subject)}"
    assert refused(registry.ask("GET", config)) == (404, 40408)
    assert registry.ask("PUT", config, {"compatibility": "none"}).body == {"compatibility": "NONE"}
    assert registry.ask("GET", config).body == {"compatibilityLevel": "NONE"}
    assert registry.ask("POST", path, {"schema": BROKEN}).body["version"] == 3
    assert registry.ask("DELETE", config).body == {"compatibilityLevel": "NONE"}
    assert registry.ask("GET", f"{config}?defaultToGlobal=true").body == {"compatibilityLevel": "BACKWARD"}


def test_a_read_only_subject_takes_nothing(registry: RegistryProcess, subject: str) -> None:
    mode = f"/mode/{quoted(subject)}"
    assert refused(registry.ask("GET", mode)) == (404, 40409)
    assert registry.ask("PUT", mode, {"mode": "READONLY"}).body == {"mode": "READONLY"}
    reply = registry.ask("POST", f"/subjects/{quoted(subject)}/versions", {"schema": RECORD})
    assert refused(reply) == (422, 42205)
    assert registry.ask("DELETE", mode).body == {"mode": "READONLY"}
    assert registry.ask("GET", "/mode").body == {"mode": "READWRITE"}


@pytest.mark.parametrize(
    ("method", "path", "body", "expected"),
    [
        ("GET", "/nothing/here", None, (404, 404)),
        ("PATCH", "/subjects", None, (405, 405)),
        ("GET", "/subjects/none/versions/1", None, (404, 40401)),
        ("GET", "/subjects/none/versions/0", None, (422, 42202)),
        ("GET", "/subjects/none/versions/first", None, (422, 42202)),
        ("GET", "/schemas/ids/2147483647", None, (404, 40403)),
        ("GET", "/schemas/ids/99999999999", None, (404, 404)),
        ("GET", "/schemas/guids/nonsense", None, (404, 40403)),
        ("POST", "/subjects/none", {"schema": RECORD}, (404, 40401)),
        ("POST", "/subjects/none/versions", "{", (400, 400)),
        ("POST", "/subjects/none/versions", "[]", (400, 400)),
        ("POST", "/subjects/none/versions", '{"schema":"\\ud800"}', (400, 400)),
        ("POST", "/subjects/none/versions", "[" * 100_000, (400, 400)),
        ("POST", "/subjects/none/versions", {}, (422, 42201)),
        ("POST", "/subjects/none/versions", {"schema": "nonsense"}, (422, 42201)),
        ("POST", "/subjects/none/versions", {"schema": RECORD, "schemaType": "XML"}, (422, 42201)),
        ("POST", "/subjects/none/versions", {"schema": RECORD, "references": [{}]}, (422, 42201)),
        ("POST", "/subjects/none/versions", {"schema": RECORD, "ruleSet": {"x": 1}}, (422, 42210)),
        ("POST", "/subjects/__GLOBAL/versions", {"schema": RECORD}, (422, 42208)),
        ("PUT", "/config", {"compatibility": "SOMEHOW"}, (422, 42203)),
        ("PUT", "/mode", {"mode": "SOMEHOW"}, (422, 42204)),
        ("DELETE", "/config/none", None, (404, 40401)),
        ("POST", "/associations", {}, (422, 42212)),
        ("POST", "/subjects/none/versions/1/tags", {}, (404, 40401)),
    ],
)
def test_errors_have_their_codes(
    registry: RegistryProcess, method: str, path: str, body: Any, expected: tuple[int, int]
) -> None:
    assert refused(registry.ask(method, path, body)) == expected


def test_http_is_spoken_well(registry: RegistryProcess) -> None:
    assert registry.ask("GET", "/").body == {}
    assert registry.ask("HEAD", "/subjects").body == ""
    options = registry.ask("OPTIONS", "/subjects")
    assert (options.status, options.headers["allow"]) == (204, "GET, HEAD, OPTIONS")
    form = registry.ask("POST", "/subjects/s", "a=b", Content_Type="application/x-www-form-urlencoded")
    assert refused(form) == (415, 415)
    assert registry.ask("GET", "/", Accept="application/json").headers["content-type"] == "application/json"
    large = registry.ask("POST", "/subjects/s", b"x" * (17 << 20))
    assert large.status == 413


def test_contexts_are_apart(registry: RegistryProcess) -> None:
    context = f".c{uuid.uuid4().hex}"
    path = f"/subjects/:{context}:s"
    text = f'{{"type":"fixed","name":"F{uuid.uuid4().hex}","size":1}}'
    assert registry.ask("POST", f"{path}/versions", {"schema": text}).body["id"] == 1
    assert context in registry.ask("GET", "/contexts").body
    assert f":{context}:s" in registry.ask("GET", "/subjects").body
    assert registry.ask("GET", f"/subjects?subjectPrefix=:{context}:").body == [f":{context}:s"]
    assert registry.ask("GET", f"/schemas/ids/1?subject=:{context}:s").body["schema"] == text
    assert refused(registry.ask("DELETE", f"/contexts/{context}")) == (422, 42211)


def test_an_alias_is_read_and_written_as_the_subject_that_it_stands_for(
    registry: RegistryProcess, subject: str
) -> None:
    name, text = f"{subject}-alias", RECORD.replace("Order", f"O{uuid.uuid4().hex}")
    assert registry.ask("PUT", f"/config/{quoted(name)}", {"alias": subject}).body == {"alias": subject}
    reply = registry.ask("POST", f"/subjects/{quoted(name)}/versions", {"schema": text})
    assert registry.ask("GET", f"/subjects/{quoted(name)}/versions/1").body["subject"] == subject
    assert registry.ask("GET", f"/subjects/{quoted(subject)}/versions").body == [1]
    found = registry.ask("GET", f"/schemas/ids/{reply.body['id']}?subject={quoted(name)}")
    assert found.body["subject"] == subject
    (listed,) = registry.ask("GET", f"/schemas?subjectPrefix={quoted(subject)}&aliases=true").body
    assert listed["aliases"] == [name]


def test_associations_are_made_listed_and_deleted_with_their_subjects(registry: RegistryProcess) -> None:
    name = uuid.uuid4().hex
    place = {"resourceName": name, "resourceNamespace": "ns", "resourceId": f"id-{name}"}
    text = RECORD.replace("Order", f"O{name}")
    body = {**place, "associations": [{"schema": {"schema": text}}]}
    assert registry.ask("POST", "/associations?dryRun=true", body).body["associations"] == []
    made = registry.ask("POST", "/associations", body)
    own = f":.ns:{name}-value"
    (association,) = made.body["associations"]
    assert (association["subject"], association["lifecycle"]) == (own, "STRONG")
    assert association["schema"]["schema"] == text
    (listed,) = registry.ask("GET", f"/associations/subjects/{own}").body
    assert registry.ask("GET", f"/associations/resources/ns/{name}").body == [listed]
    assert registry.ask("GET", f"/associations/resources/id-{name}?lifecycle=WEAK").body == []
    (schema,) = registry.ask("GET", f"/schemas?subjectPrefix={own}&lifecycle=STRONG").body
    assert schema["associations"] == [listed]
    assert refused(registry.ask("DELETE", f"/subjects/{own}")) == (409, 40904)
    assert refused(registry.ask("DELETE", f"/associations/resources/id-{name}")) == (409, 40908)
    deletion = {**place, "associations": [{"opType": "DELETE", "cascadeLifecycle": True}]}
    batch = registry.ask("POST", "/associations:batch", {"requests": [deletion, deletion, {}]})
    assert batch.status == 207
    assert [each.get("error", {}).get("error_code") for each in batch.body["results"]] == [None, 40410, 42212]
    assert refused(registry.ask("GET", f"/subjects/{own}/versions?deleted=true")) == (404, 40401)


def test_keys_are_kept_and_shared_ones_are_made_and_opened(registry: RegistryProcess) -> None:
    name = uuid.uuid4().hex
    keks, kek = "/dek-registry/v1/keks", f"/dek-registry/v1/keks/{name}"
    body = {"name": name, "kmsType": "local-kms", "kmsKeyId": "mine", "shared": True}
    made = registry.ask("POST", f"{keks}?testSharing=true", body)
    assert made.status == 200, made
    assert made.body == {**body, "kmsProps": {}, "ts": made.body["ts"]}
    assert refused(registry.ask("POST", keks, body)) == (409, 40971)
    assert name in registry.ask("GET", keks).body
    dek = registry.ask("POST", f"{kek}/deks/s-value", {"algorithm": "AES256_SIV"})
    assert dek.status == 200, dek
    assert len(base64.b64decode(dek.body["keyMaterial"])) == 66
    found = registry.ask("GET", f"{kek}/deks/s-value/versions/latest?algorithm=AES256_SIV")
    assert found.body == dek.body
    assert registry.ask("GET", f"{kek}/deks").body == ["s-value"]
    assert registry.ask("GET", f"{kek}/deks/s-value/versions?algorithm=AES256_SIV").body == [1]
    assert refused(registry.ask("GET", f"{kek}/deks/s-value")) == (404, 40470)
    # Whoever is not shared with can't open it.
    assert registry.ask("PUT", kek, {"shared": False}).body["shared"] is False
    assert "keyMaterial" not in registry.ask("GET", f"{kek}/deks/s-value?algorithm=AES256_SIV").body
    assert refused(registry.ask("POST", f"{kek}/deks/t-value", {})) == (422, 42271)
    assert refused(registry.ask("DELETE", kek)) == (422, 42272)
    for permanent in ("false", "true"):
        path = f"{kek}/deks/s-value?algorithm=AES256_SIV&permanent={permanent}"
        assert registry.ask("DELETE", path).status == 204
        assert registry.ask("DELETE", f"{kek}?permanent={permanent}").status == 204
    assert refused(registry.ask("POST", f"{kek}/undelete")) == (404, 40470)


def test_what_is_published_is_taken_back_when_it_is_no_longer_so(
    registry: RegistryProcess, subject: str
) -> None:
    text = f'{{"type":"fixed","name":"F{uuid.uuid4().hex}","size":1}}'
    path = f"/subjects/{quoted(subject)}"
    id_ = registry.ask("POST", f"{path}/versions", {"schema": text}).body["id"]
    by_id = f"/schemas/ids/{id_}"
    for _ in range(3):
        assert registry.ask("GET", by_id).body["deleted"] is False
        assert registry.ask("POST", path, {"schema": text}).body["version"] == 1
    assert registry.ask("DELETE", path).body == [1]
    assert registry.ask("GET", by_id).body["deleted"] is True
    assert refused(registry.ask("POST", path, {"schema": text})) == (404, 40401)


def test_confluents_client_registers_writes_and_reads(registry: RegistryProcess, subject: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Theirs, about what they use.
        from confluent_kafka.schema_registry import Schema, SchemaRegistryClient
        from confluent_kafka.schema_registry.avro import AvroDeserializer, AvroSerializer
        from confluent_kafka.serialization import MessageField, SerializationContext

        client = SchemaRegistryClient({"url": registry.url})
        topic = f"orders-{uuid.uuid4().hex}"
        write = AvroSerializer(client, RECORD)
        context = SerializationContext(topic, MessageField.VALUE)
        producer = Producer({"bootstrap.servers": registry.bootstrap})
        for number in range(3):
            producer.produce(topic, write({"id": number}, context))
        assert producer.flush(60) == 0
        read = AvroDeserializer(client, EVOLVED)
        found = [read(value, context) for value in consumed(registry.bootstrap, topic, 3)]
        assert found == [{"id": number, "note": ""} for number in range(3)]
        name = f"{topic}-value"
        assert name in client.get_subjects()
        assert client.test_compatibility(name, Schema(EVOLVED, "AVRO"))
        assert not client.test_compatibility(name, Schema(BROKEN, "AVRO"))
        client.register_schema(name, Schema(EVOLVED, "AVRO"))
        assert client.get_latest_version(name).version == 2
        assert client.get_versions(name) == [1, 2]
        assert client.lookup_schema(name, Schema(RECORD, "AVRO")).version == 1
        assert client.delete_version(name, 1) == 1
        assert client.delete_subject(name) == [2]
        assert client.delete_subject(name, permanent=True) == [1, 2]
        client.close()


@pytest.mark.parametrize("cluster", ["barnabas"], indirect=True)
def test_franz_gos_client(registry: RegistryProcess, go_program: Path) -> None:
    run([str(go_program), "franz-go-registry", registry.url])


@pytest.mark.parametrize("cluster", ["barnabas"], indirect=True)
def test_kafkajs_package_for_registries(registry: RegistryProcess, node_programs: Path) -> None:
    run(["node", "registry.js", registry.url], cwd=node_programs)


def consumed(bootstrap: str, topic: str, count: int) -> list[bytes]:
    """The values of the first records of a topic."""
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": topic, "auto.offset.reset": "earliest"})
    consumer.subscribe([topic])
    values: list[bytes] = []
    while len(values) < count:
        message = consumer.poll(60)
        assert message is not None
        if message.error() is None:
            values.append(message.value())
    consumer.close()
    return values


def test_no_id_is_lost_or_given_twice_when_the_registry_is_killed(cluster: str, tmp_path: Path) -> None:
    registry = RegistryProcess(cluster, tmp_path / "log").start()
    answered: dict[str, int] = {}
    run = uuid.uuid4().hex

    def register(worker: int) -> None:
        number = 0
        while True:
            text = f'{{"type":"fixed","name":"F{run}_{worker}_{number}","size":1}}'
            try:
                reply = registry.ask("POST", f"/subjects/{run}-{worker}-{number}/versions", {"schema": text})
            except (OSError, http.client.HTTPException):
                return  # Killed.
            assert reply.status == 200, reply
            answered[text] = reply.body["id"]
            number += 1

    try:
        for round_ in range(2):
            wanted = len(answered) + 100
            workers = [threading.Thread(target=register, args=(10 * round_ + worker,)) for worker in range(4)]
            for worker in workers:
                worker.start()
            while len(answered) < wanted:
                assert any(worker.is_alive() for worker in workers)
                workers[0].join(0.01)
            registry.kill()
            for worker in workers:
                worker.join()
            registry.start()
        assert len(set(answered.values())) == len(answered)
        for text, id_ in answered.items():
            assert registry.ask("GET", f"/schemas/ids/{id_}").body["schema"] == text
    finally:
        registry.kill()


def test_a_topic_that_another_wrote_is_continued_and_bad_records_are_left_out(tmp_path: Path) -> None:
    with cluster_under_test("--memory", "--without", "registry") as bootstrap:
        registry = RegistryProcess(bootstrap, tmp_path / "log").start()
        assert registry.stop() == 0
        producer = Producer({"bootstrap.servers": bootstrap})
        for key, value in [
            (b'{"keytype":"NOOP","magic":0}', None),
            (
                b'{"keytype":"SCHEMA","subject":"theirs","version":3,"magic":1}',
                b'{"subject":"theirs","version":3,"id":41,"schema":"\\"int\\"","deleted":false}',
            ),
            (b"nonsense", b"\xff"),
            (b'{"keytype":"SCHEMA","subject":"bad","version":1,"magic":1}', b'{"subject":"bad"}'),
            # The same id for another schema.
            (
                b'{"keytype":"SCHEMA","subject":"twice","version":1,"magic":1}',
                b'{"subject":"twice","version":1,"id":41,"schema":"\\"string\\"","deleted":false}',
            ),
            (b'{"keytype":"CONFIG","subject":null,"magic":0}', b'{"compatibilityLevel":"FULL"}'),
        ]:
            producer.produce("_schemas", value, key)
        assert producer.flush(60) == 0
        registry.start()
        try:
            assert registry.ask("GET", "/subjects").body == ["theirs"]
            assert registry.ask("GET", "/subjects/theirs/versions").body == [3]
            assert registry.ask("GET", "/config").body == {"compatibilityLevel": "FULL"}
            reply = registry.ask("POST", "/subjects/ours/versions", {"schema": '"bytes"'})
            assert (reply.body["id"], reply.body["version"]) == (42, 1)
            # What another writes now is seen as well, and ids go on behind it.
            producer.produce(
                "_schemas",
                b'{"subject":"theirs","version":4,"id":50,"schema":"\\"long\\"","deleted":false}',
                b'{"keytype":"SCHEMA","subject":"theirs","version":4,"magic":1}',
            )
            assert producer.flush(60) == 0
            while registry.ask("GET", "/subjects/theirs/versions").body != [3, 4]:
                pass
            reply = registry.ask("POST", "/subjects/ours/versions", {"schema": '"float"'})
            assert refused(reply) == (409, 40901)
            reply = registry.ask("POST", "/subjects/ours2/versions", {"schema": '"float"'})
            assert reply.body["id"] == 51
            assert registry.log.read_text().count("is left out") == 3
        finally:
            registry.kill()


def test_up_has_a_registry_beside_it(tmp_path: Path) -> None:
    node = BarnabasUp(tmp_path / "data", ["--memory", "--registry-port", "0"]).start()
    try:
        while "  try " not in node.log.read_text():
            pass
        line = next(line for line in node.log.read_text().splitlines() if line.startswith("  schemas  "))
        url = line.split()[1]
        assert ask(url, "GET", "/subjects").body == []
        assert ask(url, "POST", "/subjects/s/versions", {"schema": RECORD}).body["id"] == 1
        assert ask(url, "GET", "/schemas/ids/1").body["schema"] == RECORD
        assert node.stop() == 0
    finally:
        node.kill()
