"""A REST Proxy in the process of the tests, which can tell what Python has seen of it."""

from __future__ import annotations

import asyncio
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

import barnabas.rest.cluster
import barnabas.rest.v3.records as by_python
from barnabas import Consumer
from barnabas.aio.producer import Producer
from barnabas.http.listeners import Listeners
from barnabas.rest.beside import IN_PIECES
from barnabas.rest.producing import offered_of
from barnabas.rest.service import RestSettings, serve
from tests.integration.rest.asking import PATIENCE, Cluster, until, until_met
from tests.support.rest import RestProcess


class Proxy(RestProcess):
    """A proxy in this process, which tells what Python has seen of it."""

    def __init__(self, bootstrap: str, log: Path) -> None:
        super().__init__(bootstrap, log)
        self._listeners = Listeners()
        self._service, port = self._listeners.listen("REST proxy", "127.0.0.1", 0, IN_PIECES)
        self.url = f"http://127.0.0.1:{port}"
        self.seen: list[Any] = []
        """Records that Python has read."""
        self.producers: list[Producer] = []
        self._loop = asyncio.new_event_loop()
        self._ending = asyncio.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def end(self) -> None:
        self._loop.call_soon_threadsafe(self._ending.set)
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive()

    def _run(self) -> None:
        settings = RestSettings({"here": {"bootstrap.servers": self.bootstrap}})
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(serve(settings, self._listeners, self._service, self._ending))

    @property
    def v3(self) -> str:
        """The path of the cluster."""
        (found,) = self.ask("GET", "/v3/clusters").body["data"]
        return f"/v3/clusters/{found['cluster_id']}"


@contextmanager
def proxy_inside(bootstrap: str, log: Path, **configs: str) -> Iterator[Proxy]:
    """A proxy that runs. `configs`: of its producer, by Kafka's names with underscores."""
    proxy = Proxy(bootstrap, log)
    named = {name.replace("_", "."): value for name, value in configs.items()}

    async def offered(sender: Any, topic: str, body: dict[str, Any]) -> Any:
        proxy.seen.append(body)
        return await offered_of(sender, topic, body)

    def producer(usual: dict[str, Any]) -> Producer:
        proxy.producers.append(Producer({**usual, **named}))
        return proxy.producers[-1]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(by_python, "offered_of", offered)
        patch.setattr(barnabas.rest.cluster, "Producer", producer)
        yield proxy
    proxy.end()


def made(proxy: Proxy, v3: str, **configs: str) -> str:
    """The path of the records of a new topic with one partition, which has one record already: from then on
    Python need not be asked."""
    name = f"t-{uuid.uuid4().hex}"
    entries = [{"name": config.replace("_", "."), "value": value} for config, value in configs.items()]
    body = {"topic_name": name, "partitions_count": 1, "configs": entries}
    assert proxy.ask("POST", f"{v3}/topics", body).status == 201
    until(proxy, f"{v3}/topics/{name}/partitions/0/offset", lambda reply: reply.status == 200)
    path = f"{v3}/topics/{name}/records"
    # A producer that has but just begun may not know the topic in its time.
    until_met(lambda: proxy.ask("POST", path, "{}").status == 200)
    return path


def written(cluster: Cluster, path: str, count: int) -> list[Any]:
    """So many records of the topic of a path, from its first."""
    with Consumer(bootstrap_servers=cluster.bootstrap, auto_offset_reset="earliest") as consumer:
        consumer.assign([(path.split("/")[-2], 0)])
        found: list[Any] = []
        while len(found) < count:
            polled = consumer.poll(PATIENCE)
            assert polled, f"{len(found)} of {count}"
            found += polled
    return found
