"""Bytes that nobody should send, by class of published faults (docs/security.md has the table): the
node answers or closes the connection, keeps its memory, and goes on serving others.
"""

import contextlib
import gzip
import random
import socket
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest

from barnabas.protocol import ApiKey, ErrorCode, message_class
from barnabas.protocol.generated.api_versions_request import ApiVersionsRequest
from barnabas.protocol.generated.describe_configs_request import (
    DescribeConfigsRequest,
    DescribeConfigsResource,
)
from barnabas.protocol.generated.get_telemetry_subscriptions_request import GetTelemetrySubscriptionsRequest
from barnabas.protocol.generated.index import API_NAMES
from barnabas.protocol.generated.metadata_request import MetadataRequest, MetadataRequestTopic
from barnabas.protocol.generated.produce_request import PartitionProduceData, ProduceRequest, TopicProduceData
from barnabas.protocol.generated.push_telemetry_request import PushTelemetryRequest
from tests.support.server import BarnabasUp
from tests.support.wire import Connection

MEMORY_GROWTH_KIB_MAX = 48 * 1024
"""What a node may grow by under attack: caches, buffers of a few connections, imports of handlers."""


class Node:
    def __init__(self, up: BarnabasUp) -> None:
        self.up, self.bootstrap = up, up.bootstrap
        self.serves()
        self.memory_before = self.peak_kib()

    def peak_kib(self) -> int:
        assert self.up.process is not None
        status = Path(f"/proc/{self.up.process.pid}/status").read_text()
        return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM"))

    def serves(self) -> None:
        """Others are served, and memory has not grown beyond measure."""
        with Connection(self.bootstrap) as connection:
            assert connection.request(ApiVersionsRequest(), 0).error_code == 0
            assert connection.request(MetadataRequest(topics=None), 12).cluster_id

    def held(self) -> None:
        self.serves()
        assert self.peak_kib() - self.memory_before < MEMORY_GROWTH_KIB_MAX


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    up = BarnabasUp(tmp_path / "data", ["--set", "ssl.keystore.password=canary"]).start()
    try:
        yield Node(up)
        assert up.stop() == 0
    finally:
        up.kill()


def uvarint(value: int) -> bytes:
    out = b""
    while value > 127:
        out += bytes([value & 127 | 128])
        value >>= 7
    return out + bytes([value])


def nothing_more(connection: Connection) -> None:
    """Says that no more will come, if the other side is still there."""
    with contextlib.suppress(OSError):
        connection.socket.shutdown(socket.SHUT_WR)


def send_until_closed(connection: Connection, data: bytes) -> None:
    """Sends all, or as much as the other side takes before it closes."""
    try:
        connection.socket.sendall(data)
    except (BrokenPipeError, ConnectionResetError):
        return


def test_millions_of_tagged_fields_in_a_header(node: Node) -> None:
    """CVE-2026-111115: tagged fields of the request header, before anybody has logged in."""
    count = 20_000_000
    with Connection(node.bootstrap) as connection:
        header = struct.pack(">hhih", ApiKey.API_VERSIONS, 3, 1, -1) + uvarint(count)
        fields = b"".join(uvarint(tag) + b"\0" for tag in range(100_000))
        connection.socket.sendall(struct.pack(">i", 100_000_000) + header)
        for _ in range(100):
            send_until_closed(connection, fields)
        nothing_more(connection)
        assert connection.receive_frame() is None
    node.held()


@pytest.mark.parametrize("count", [b"\x7f\xff\xff\xff", b"\xff\xff\xff\xfe", b"\x00\x0f\x42\x41"])
def test_arrays_that_claim_more_than_there_is(node: Node, count: bytes) -> None:
    """CVE-2026-111108: memory taken for a count before its elements are there, in every API that answers."""
    with Connection(node.bootstrap) as first:
        served = first.request(ApiVersionsRequest(), 0).api_keys
    for api in served:
        for version in range(api.min_version, api.max_version + 1):
            with Connection(node.bootstrap) as connection:
                connection.send_frame(connection.header(api.api_key, version) + count * 16)
                nothing_more(connection)
                connection.receive_frame()
    node.held()


@pytest.mark.parametrize("body", [b"", b"\0" * 64, b"\x01" * 64, b"\xff" * 64], ids=["empty", "0", "1", "ff"])
def test_degenerate_requests_of_every_api(node: Node, body: bytes) -> None:
    """CVE-2026-83525: a request with nothing in it ended the node. No handler may."""
    for api_key in API_NAMES:
        request = message_class(api_key, response=False)
        for version in {request.LOWEST_VERSION, request.HIGHEST_VERSION}:
            with Connection(node.bootstrap) as connection:
                connection.send_frame(connection.header(api_key, version) + body)
                nothing_more(connection)
                connection.receive_frame()
    node.held()


def test_a_telemetry_bomb(node: Node) -> None:
    """CVE-2026-111073: metrics that unpack to far more than they are."""
    bomb = gzip.compress(bytes(256 << 20))
    with Connection(node.bootstrap) as connection:
        subscription = connection.request(GetTelemetrySubscriptionsRequest(), 0)
        push = PushTelemetryRequest(
            client_instance_id=subscription.client_instance_id,
            subscription_id=subscription.subscription_id,
            compression_type=1,
            metrics=bomb,
        )
        assert connection.request(push, 0).error_code != ErrorCode.NONE
    node.held()


@pytest.mark.parametrize("codec", [1, 2, 3, 4])
def test_record_batches_of_noise(node: Node, codec: int) -> None:
    """CVE-2023-34455: a producer's compressed batch that is none. The CRC is wrong as well; the decompressors
    themselves are fuzzed in crates/protocol."""
    noise = random.Random(codec).randbytes(4096)
    header = struct.pack(">qiibIhiqqqhii", 0, 49 + len(noise), 0, 2, 0, codec, 0, 0, 0, -1, -1, -1, 1)
    with Connection(node.bootstrap) as connection:
        topics = [MetadataRequestTopic(name="noise")]
        connection.request(MetadataRequest(topics=topics, allow_auto_topic_creation=True), 8)
        data = PartitionProduceData(index=0, records=header + noise)
        request = ProduceRequest(
            acks=-1, timeout_ms=1000, topic_data=[TopicProduceData(name="noise", partition_data=[data])]
        )
        response = connection.request(request, 9)
    [partition] = response.responses[0].partition_responses
    assert partition.error_code == ErrorCode.CORRUPT_MESSAGE
    node.held()


def test_frames_that_never_come(node: Node) -> None:
    """CVE-2022-34917: memory taken for the length that an unknown client announces."""
    connections = [Connection(node.bootstrap) for _ in range(200)]
    for connection in connections:
        connection.socket.sendall(struct.pack(">i", 100_000_000))
    node.held()
    for connection in connections:
        connection.socket.close()


@pytest.mark.parametrize("length", [-1, -(2**31), 0, 2**31 - 1, 104_857_601])
def test_lengths_that_no_frame_has(node: Node, length: int) -> None:
    with Connection(node.bootstrap) as connection:
        connection.socket.sendall(struct.pack(">i", length) + b"\0" * 64)
        assert connection.receive_frame() is None
    node.held()


def test_garbage(node: Node) -> None:
    for seed in range(200):
        with Connection(node.bootstrap) as connection:
            send_until_closed(connection, random.Random(seed).randbytes(2000))
    with Connection(node.bootstrap) as connection:
        connection.socket.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert connection.receive_frame() is None
    node.held()


def test_passwords_are_not_told(node: Node) -> None:
    resource = DescribeConfigsResource(resource_type=4, resource_name="1", configuration_keys=None)
    with Connection(node.bootstrap) as connection:
        [result] = connection.request(DescribeConfigsRequest(resources=[resource]), 4).results
    [entry] = [config for config in result.configs if config.name == "ssl.keystore.password"]
    assert entry.is_sensitive
    assert entry.value is None
    assert "canary" not in repr(result)
    assert "canary" not in node.up.log.read_text()
