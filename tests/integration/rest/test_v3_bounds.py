"""What bounds records on their way: clients that send without end or do not read, a cluster that is down."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from http.client import HTTPResponse
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.integration.rest.asking import PATIENCE, until_met
from tests.integration.rest.inside import Proxy, made, proxy_inside
from tests.integration.rest.test_metrics import figures
from tests.integration.rest.test_v3 import Streaming
from tests.support.server import BarnabasUp

pytestmark = pytest.mark.parametrize("cluster", ["barnabas"], indirect=True)

OBJECT_BYTES_MAX = 16 * 1024 * 1024
PRODUCED = "barnabas_rest_produced_records_total"


def test_record_of_a_stream_that_does_not_end_is_refused(proxy: Proxy) -> None:
    path = made(proxy, proxy.v3)
    stream = Streaming(proxy.url, path)
    stream.send(b'{"value":{"type":"STRING","data":"first"}}')
    assert stream.reply()["offset"] == 1
    begin = b'{"value":{"type":"STRING","data":"'
    stream.send(begin)
    # No byte more than is read: one that nobody has read would take the reply with it in the end.
    stream.send(b"x" * (OBJECT_BYTES_MAX + 1 - len(begin)))
    refused = stream.reply()
    assert refused == {"error_code": 413, "message": f"A JSON object is over {OBJECT_BYTES_MAX} bytes"}
    stream.leave()
    assert proxy.ask("POST", path, "{}").body["offset"] == 2


def test_client_that_does_not_read_is_read_no_more_and_keeps_nobody_waiting(proxy: Proxy) -> None:
    path = made(proxy, proxy.v3)
    count, taken_max = 300_000, 120_000
    before = figures(proxy)[PRODUCED]
    others = 0

    def taken() -> float:
        return figures(proxy)[PRODUCED] - before - others

    address = urlsplit(proxy.url)
    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 * 1024)
        client.settimeout(PATIENCE)
        client.connect((address.hostname, address.port))
        head = f"POST {path} HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\n"
        client.sendall(f"{head}Transfer-Encoding: chunked\r\n\r\n".encode())
        client.sendall(b"%x\r\n%s\r\n" % (2 * count, b"{}" * count))
        # Until as many others as that were answered while nothing more was taken of it.
        last, unchanged = -1.0, 0
        while unchanged < 100:
            assert proxy.ask("POST", path, "{}").status == 200
            others += 1
            now = taken()
            assert now < taken_max
            last, unchanged = now, unchanged + 1 if now == last and now > 0 else 0
    assert proxy.ask("POST", path, "{}").status == 200


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[BarnabasUp]:
    """One that may be killed."""
    broker = BarnabasUp(tmp_path / "data", ("--without", "registry", "--without", "rest")).start()
    yield broker
    broker.kill()


MEMORY_BYTES = 1024 * 1024


@pytest.mark.usefixtures("cluster")
def test_records_for_a_cluster_that_is_down_are_refused_and_take_no_more_than_their_memory(
    broker: BarnabasUp, tmp_path: Path
) -> None:
    configs = {"delivery_timeout_ms": "1500", "request_timeout_ms": "500", "max_block_ms": "1000"}
    with proxy_inside(
        broker.bootstrap, tmp_path / "log", buffer_memory=str(MEMORY_BYTES), **configs
    ) as proxy:
        path = made(proxy, proxy.v3)
        broker.kill()
        clients = [Waiting(proxy, path, records=50) for _ in range(200)]
        (producer,) = proxy.producers
        answered: list[list[int]] = []
        reading = threading.Thread(target=lambda: answered.extend(client.codes() for client in clients))
        reading.start()
        held_max = 0
        while reading.is_alive():
            assert proxy.ask("GET", "/metrics").status == 200
            held_max = max(held_max, producer._native.buffered_bytes)
        reading.join()
        assert MEMORY_BYTES / 2 < held_max < MEMORY_BYTES + 64 * 1024
        assert len(answered) == 200
        assert {code for codes in answered for code in codes} == {50003}
        assert {len(codes) for codes in answered} == {50}
        assert producer._native.buffered_bytes == 0
        broker.start()
        until_met(lambda: proxy.ask("POST", path, "{}").status == 200)


class Waiting:
    """A connection with one request, of so many records, that waits for its answer."""

    def __init__(self, proxy: Proxy, path: str, records: int) -> None:
        address = urlsplit(proxy.url)
        body = json.dumps({"value": {"type": "STRING", "data": "x" * 200}}) * records
        self._socket = socket.create_connection((address.hostname, address.port), PATIENCE)
        head = f"POST {path} HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\n"
        self._socket.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n{body}".encode())

    def codes(self) -> list[int]:
        """What was answered to each record."""
        with self._socket, HTTPResponse(self._socket) as response:
            response.begin()
            assert response.status == 200
            return [json.loads(line)["error_code"] for line in response.read().splitlines()]
