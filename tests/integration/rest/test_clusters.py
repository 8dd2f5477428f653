"""Several clusters behind one proxy."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from tests.integration.rest.asking import PATIENCE, refused
from tests.support.oracle import free_port
from tests.support.rest import RestProcess
from tests.support.server import cluster_under_test

JSON_V2 = "application/vnd.kafka.json.v2+json"


@pytest.fixture(scope="module")
def proxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RestProcess]:
    """Before two clusters, and one that does not answer."""
    directory = tmp_path_factory.mktemp("clusters")
    alone = ("--memory", "--without", "registry", "--without", "rest")
    own = directory / "east.properties"
    own.write_text("client.id=east\n")
    with cluster_under_test(*alone) as east, cluster_under_test(*alone) as west:
        options = [f"--cluster=east={east}", f"--cluster=west={west}", f"--cluster-config=east={own}"]
        options.append(f"--cluster=nowhere=127.0.0.1:{free_port()}")
        process = RestProcess("", directory / "log", *options).start()
        try:
            yield process
            assert process.stop() == 0
        finally:
            process.kill()


def ids(proxy: RestProcess) -> list[str]:
    found = proxy.ask("GET", "/v3/clusters")
    assert found.status == 200
    return [one["cluster_id"] for one in found.body["data"]]


def test_all_that_answer_are_listed_and_paths_go_to_the_one_they_name(proxy: RestProcess) -> None:
    east, west = ids(proxy)
    assert east != west
    for named, found in (("east", east), ("west", west), ("-", east), (east, east), (west, west)):
        reply = proxy.ask("GET", f"/v3/clusters/{named}")
        assert (reply.status, reply.body["cluster_id"]) == (200, found)
        assert reply.body["metadata"]["self"] == f"{proxy.url}/v3/clusters/{found}"
    assert proxy.ask("POST", "/v3/clusters/west/topics", {"topic_name": "of-west"}).status == 201
    deadline = time.monotonic() + PATIENCE
    while proxy.ask("GET", f"/v3/clusters/{west}/topics/of-west").status != 200:
        assert time.monotonic() < deadline
    record = {"value": {"type": "JSON", "data": 7}}
    written = proxy.ask("POST", f"/v3/clusters/{west}/topics/of-west/records", record)
    assert (written.status, written.body["cluster_id"]) == (200, west)
    assert refused(proxy.ask("GET", "/v3/clusters/east/topics/of-west")) == (404, 40403)


def test_version_2_speaks_to_the_first(proxy: RestProcess) -> None:
    assert proxy.ask("POST", "/v3/clusters/east/topics", {"topic_name": "of-east"}).status == 201
    deadline = time.monotonic() + PATIENCE
    while "of-east" not in proxy.ask("GET", "/topics").body:
        assert time.monotonic() < deadline
    body = {"records": [{"value": 1}]}
    assert proxy.ask("POST", "/topics/of-east", body, Content_Type=JSON_V2).status == 200


def test_a_cluster_that_does_not_answer_says_so_for_itself_alone(proxy: RestProcess) -> None:
    assert proxy.ask("GET", "/v3/clusters/nowhere").status == 500
    assert proxy.ask("GET", "/v3/clusters/east").status == 200
