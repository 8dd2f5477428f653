"""Requests that the REST Proxy's own description allows, and many that it does not: every answer is one that
the description has, and none is a failure."""

from __future__ import annotations

import contextlib
import http.client
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from barnabas.rest.application import SERVICE, description
from barnabas.rest.operations import OPERATIONS
from barnabas.rest.v2 import operations as v2
from barnabas.rest.v2.asking import MEDIA_TYPE
from tests.support.fuzz import NAMES, NO_JSON, Fuzz, Service
from tests.support.rest import RestProcess
from tests.support.server import cluster_under_test

REQUESTS = 3
"""Of each operation."""
TOPIC = "topic"
CONSUMED = {True: "application/json", False: MEDIA_TYPE}
COUNTS = st.integers(-1, 3) | st.just(2**31 - 1)
FUZZ = Fuzz(
    {**OPERATIONS, **v2.OPERATIONS, **SERVICE},
    description().schemas,
    names=st.just(TOPIC) | NAMES,
    # No longer than needed: nothing more comes.
    places={"cluster_id": st.just("-"), "timeout": COUNTS, "timeout_ms": COUNTS},
    special={
        "partitions_count": COUNTS,
        "replication_factor": COUNTS,
        "consumer.request.timeout.ms": st.integers(-1, 5),
    },
)


@pytest.fixture(scope="module")
def proxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RestProcess]:
    """One that nobody else needs, before a cluster that nobody else needs."""
    with cluster_under_test("--memory", "--without", "registry", "--without", "rest") as bootstrap:
        process = RestProcess(bootstrap, tmp_path_factory.mktemp("rest") / "log").start()
        try:
            assert process.ask("POST", "/v3/clusters/-/topics", {"topic_name": TOPIC}).status == 201
            yield process
            assert process.stop() == 0
            assert " ERROR " not in process.log.read_text()
        finally:
            process.kill()


@pytest.fixture(scope="module")
def service(proxy: RestProcess) -> Iterator[Service]:
    connection = http.client.HTTPConnection(urlsplit(proxy.url).netloc, timeout=60)
    with contextlib.closing(connection):
        yield Service(connection, "application/json")


@pytest.mark.parametrize("name", FUZZ.operations)
@settings(max_examples=REQUESTS, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_every_operation_answers_as_it_is_described(service: Service, name: str, data: st.DataObject) -> None:
    method, path = name.split()
    service.try_it(data.draw(FUZZ.requests_of(method, path)), path)


@pytest.mark.parametrize(
    "path", [f"/v3/clusters/-/topics/{TOPIC}/records", "/v3/clusters/-/topics", "/consumers/g"]
)
@pytest.mark.parametrize("body", NO_JSON.values(), ids=NO_JSON)
def test_bodies_that_are_no_json_are_refused(proxy: RestProcess, path: str, body: bytes) -> None:
    reply = proxy.ask("POST", path, body, Content_Type=CONSUMED[path.startswith("/v3")])
    assert (reply.status, set(reply.body)) == (400, {"error_code", "message"})
    assert proxy.ask("GET", f"/v3/clusters/-/topics/{TOPIC}").status == 200
