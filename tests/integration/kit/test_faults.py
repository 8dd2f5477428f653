"""Faults that the test kit lets happen, as clients see them."""

import socket
import struct
import threading
from typing import Any

import confluent_kafka
import pytest

import barnabas
from barnabas import _core
from barnabas.protocol.generated.fetch_request import FetchPartition, FetchRequest, FetchTopic
from barnabas.protocol.generated.fetch_response import FetchResponse
from barnabas.testing import ApiKey, ErrorCode, Kafka


def producer(kafka: Kafka, **configs: Any) -> barnabas.Producer:
    return barnabas.Producer(bootstrap_servers=kafka.bootstrap, linger_ms=0, **configs)


def test_nth_request_is_answered_with_the_error_and_sent_again(kafka: Kafka) -> None:
    kafka.topic("orders")
    fault = kafka.faults.error(ApiKey.PRODUCE, ErrorCode.NOT_LEADER_OR_FOLLOWER, nth=3, topic="orders")
    with producer(kafka) as ours:
        for number in range(5):
            ours.send("orders", str(number)).result(20)
    assert (fault.requests, fault.struck) == (6, 1)
    kafka.assert_topic("orders", ["0", "1", "2", "3", "4"])


def test_error_that_is_final_comes_to_the_client(kafka: Kafka) -> None:
    kafka.topic("orders")
    kafka.faults.error("PRODUCE", "TOPIC_AUTHORIZATION_FAILED")
    with pytest.raises(barnabas.errors.TopicAuthorizationFailed), producer(kafka) as ours:
        ours.send("orders", "a").result(20)
    kafka.assert_topic("orders", [])


def test_only_requests_that_name_the_topic_are_struck(kafka: Kafka) -> None:
    kafka.topics({"orders": [], "bills": []})
    fault = kafka.faults.disconnect(ApiKey.PRODUCE, topic="bills", times=None)
    with producer(kafka) as ours:
        ours.send("orders", "bills", key="bills").result(20)
        assert fault.requests == 0
        sent = ours.send("bills", "a")
        kafka.faults.clear()
        sent.result(20)
    kafka.assert_topic("bills", ["a"])


def test_only_the_client_that_is_meant_is_struck(kafka: Kafka) -> None:
    kafka.topic("orders")
    fault = kafka.faults.error(ApiKey.PRODUCE, "TOPIC_AUTHORIZATION_FAILED", client_id="bad", times=None)
    with producer(kafka, client_id="good") as ours:
        ours.send("orders", "a").result(20)
    with pytest.raises(barnabas.errors.TopicAuthorizationFailed), producer(kafka, client_id="bad") as ours:
        ours.send("orders", "b").result(20)
    assert fault.struck == 1


def test_kit_itself_is_spared(kafka: Kafka) -> None:
    fault = kafka.faults.disconnect(times=None)
    kafka.topic("orders", ["a"])
    kafka.assert_topic("orders", ["a"])
    assert fault.requests == 0


@pytest.mark.parametrize("served", [False, True])
def test_lost_requests_and_lost_answers_are_written_once(kafka: Kafka, served: bool) -> None:
    kafka.topic("orders")
    fault = kafka.faults.disconnect(ApiKey.PRODUCE, served=served, nth=2)
    with producer(kafka) as ours:
        for number in range(3):
            ours.send("orders", str(number)).result(20)
    assert fault.struck == 1
    kafka.assert_topic("orders", ["0", "1", "2"])


def test_truncated_answer_is_asked_for_again(kafka: Kafka) -> None:
    kafka.topic("orders", [b"x" * 100_000, "b"])
    fault = kafka.faults.truncate_response(ApiKey.FETCH)
    with barnabas.Consumer(bootstrap_servers=kafka.bootstrap, auto_offset_reset="earliest") as consumer:
        consumer.assign_topic("orders")
        found: list[Any] = []
        while len(found) < 2:
            found += consumer.poll(20)
    assert fault.struck == 1
    assert [len(record.value) for record in found] == [100_000, 1]


def test_truncated_answer_ends_within_its_length(kafka: Kafka) -> None:
    kafka.topic("orders")
    kafka.faults.truncate_response(ApiKey.API_VERSIONS)
    with socket.create_connection(kafka.bootstrap.split(":")) as raw:
        raw.settimeout(20)
        raw.sendall(bytes.fromhex("0000000a0012000000000001ffff"))
        data = b""
        while part := raw.recv(65536):
            data += part
    (announced,) = struct.unpack_from(">i", data)
    assert 0 < len(data) - 4 < announced


def test_delay_ends_when_the_clock_is_moved(kafka: Kafka) -> None:
    kafka.topic("orders")
    fault = kafka.faults.delay(ApiKey.PRODUCE, seconds=3600)
    with producer(kafka) as ours:
        sent = ours.send("orders", "a")
        while not fault.struck:
            ours.poll(0.01)
        assert kafka.values("orders") == []
        kafka.clock.advance(hours=1)
        sent.result(20)
    kafka.assert_topic("orders", ["a"])


def test_fault_ends_with_its_block(kafka: Kafka) -> None:
    with kafka.faults.error(ApiKey.METADATA, "LEADER_NOT_AVAILABLE", times=None) as fault:
        assert "error METADATA" in repr(fault)
    with pytest.raises(RuntimeError, match="removed"):
        assert fault.struck
    kafka.topic("orders", ["a"])


@pytest.mark.parametrize(
    "wrong",
    [{"nth": 0}, {"times": 0}, {"chance": 1.1}, {"error": "NONE"}],
    ids=lambda wrong: next(iter(wrong)),
)
def test_what_makes_no_sense_is_refused(kafka: Kafka, wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"NONE|nth"):
        kafka.faults.error(**{"api": ApiKey.FETCH, "error": "NOT_LEADER_OR_FOLLOWER", **wrong})


def struck_requests(seed: int) -> list[int]:
    """Which of 40 requests are struck by chance."""
    with Kafka(seed=seed) as kafka:
        fault = kafka.faults.error(ApiKey.LIST_GROUPS, "COORDINATOR_LOAD_IN_PROGRESS", times=None, chance=0.3)
        struck, before = [], 0
        with socket.create_connection(kafka.bootstrap.split(":")) as raw:
            raw.settimeout(20)
            for number in range(40):
                raw.sendall(bytes.fromhex("0000000a00100000") + struct.pack(">ih", number, -1))
                (size,) = struct.unpack(">i", raw.recv(4, socket.MSG_WAITALL))
                raw.recv(size, socket.MSG_WAITALL)
                struck += [number] * (fault.struck - before)
                before = fault.struck
        return struck


def test_same_seed_strikes_the_same_requests() -> None:
    first = struck_requests(1)
    assert 4 <= len(first) <= 22
    assert struck_requests(1) == first
    assert struck_requests(2) != first


def test_librdkafka_survives_chance(kafka: Kafka) -> None:
    kafka.topic("orders", partitions=2)
    for api in (ApiKey.PRODUCE, ApiKey.METADATA):
        kafka.faults.error(api, "NOT_LEADER_OR_FOLLOWER", times=None, chance=0.2)
    kafka.faults.disconnect(ApiKey.PRODUCE, served=True, times=3, chance=0.2)
    theirs = confluent_kafka.Producer(
        {
            "bootstrap.servers": kafka.bootstrap,
            "enable.idempotence": True,
            "linger.ms": 1,
            "batch.num.messages": 10,
            "retry.backoff.ms": 10,
            "reconnect.backoff.ms": 10,
            "reconnect.backoff.max.ms": 20,
        }
    )
    for number in range(200):
        theirs.produce("orders", str(number))
    assert theirs.flush(60) == 0
    assert sorted(int(value) for value in kafka.values("orders", count=200)) == list(range(200))


def test_incremental_fetch_gets_the_error_of_its_partitions(kafka: Kafka) -> None:
    """A Fetch that goes on with a session names no partitions: its client is told to begin anew."""
    kafka.topic("orders", ["a"])
    topic = kafka.running.image().topic("orders")
    assert topic is not None
    with socket.create_connection(kafka.bootstrap.split(":")) as raw:
        raw.settimeout(20)
        partitions = [FetchPartition(0, partition_max_bytes=1000)]
        whole = FetchRequest(session_epoch=0, topics=[FetchTopic(topic_id=topic.id, partitions=partitions)])
        first = fetch(raw, whole)
        kafka.faults.error(ApiKey.FETCH, "NOT_LEADER_OR_FOLLOWER", topic="orders")
        more = fetch(raw, FetchRequest(session_id=first.session_id, session_epoch=1))
        again = fetch(raw, whole)
        last = fetch(raw, whole)
    assert first.session_id != 0
    assert more.error_code == ErrorCode.FETCH_SESSION_ID_NOT_FOUND
    codes = [partition.error_code for one in (again, last) for partition in one.responses[0].partitions]
    assert codes == [ErrorCode.NOT_LEADER_OR_FOLLOWER, 0]


def fetch(raw: socket.socket, request: FetchRequest) -> FetchResponse:
    body = _core.encode(request, 13)
    frame = struct.pack(">hhihb", ApiKey.FETCH, 13, 1, -1, 0) + body
    raw.sendall(struct.pack(">i", len(frame)) + frame)
    (size,) = struct.unpack(">i", raw.recv(4, socket.MSG_WAITALL))
    found = _core.decode(FetchResponse, 13, raw.recv(size, socket.MSG_WAITALL)[5:])
    assert isinstance(found, FetchResponse)
    return found


def test_requests_of_many_threads_are_counted(kafka: Kafka) -> None:
    kafka.topic("orders")
    fault = kafka.faults.delay(ApiKey.PRODUCE, seconds=0, times=None)

    def send() -> None:
        with producer(kafka) as ours:
            for _ in range(10):
                ours.send("orders", "a").result(20)

    threads = [threading.Thread(target=send) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (fault.requests, fault.struck) == (40, 40)
    kafka.assert_topic("orders", ["a"] * 40)
