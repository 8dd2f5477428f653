"""The controller's listener (KIP-919): what is served there, where it is, and that nobody trips over it."""

import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from barnabas import Broker, _core
from barnabas.cli import exit_codes
from barnabas.protocol import ApiKey, ErrorCode, Message, message_class
from barnabas.protocol.generated import create_topics_request as creation
from barnabas.protocol.generated import describe_cluster_request as cluster
from barnabas.protocol.generated import describe_configs_request as configs
from barnabas.protocol.generated import describe_quorum_request as quorum
from barnabas.protocol.generated import metadata_request as metadata
from barnabas.protocol.generated.api_versions_request import ApiVersionsRequest
from barnabas.server.apis import MODULES
from tests.support.oracle import free_port
from tests.support.server import BARNABAS_UP
from tests.support.wire import Connection

APIS_OF_CONTROLLERS = {
    1, *range(17, 21), *range(29, 34), *range(36, 42), *range(43, 47), *range(49, 61), *range(62, 65),
    67, 70, 73, *range(80, 83), 94,
}  # fmt: skip
"""What Apache Kafka lists there: 4.3.1 on the wire, and UnregisterController of 4.4.0."""

BROKERS, CONTROLLERS = 1, 2
SECONDS_MAX = 30


def ask(address: str, message: Message, version: int) -> Any:
    with Connection(address) as connection:
        return connection.request(message, version)


def voters(address: str) -> dict[int, list[tuple[str, str, int]]]:
    """Where each voter listens, by node id."""
    asked = quorum.DescribeQuorumRequest([quorum.TopicData("__cluster_metadata", [quorum.PartitionData(0)])])
    response = ask(address, asked, 2)
    return {
        node.node_id: [(one.name, one.host, one.port) for one in node.listeners] for node in response.nodes
    }


def controller_of(address: str) -> str:
    """host:port of the only controller."""
    [(_, host, port)] = voters(address)[1]
    return f"{host}:{port}"


@pytest.fixture(scope="module")
def broker() -> Iterator[str]:
    with Broker() as running:
        yield running.bootstrap


@pytest.fixture(scope="module")
def controller(broker: str) -> str:
    return controller_of(broker)


def served(address: str) -> set[int]:
    asked = ApiVersionsRequest(client_software_name="test", client_software_version="1")
    response = ask(address, asked, 4)
    assert response.error_code == 0
    return {api.api_key for api in response.api_keys}


def test_each_listener_tells_what_is_served_there(broker: str, controller: str) -> None:
    answered = {*MODULES, *_core.native_apis()}
    assert served(controller) == (APIS_OF_CONTROLLERS & answered) - {ApiKey.FETCH}
    assert served(broker) <= answered
    assert {ApiKey.PRODUCE, ApiKey.FETCH, ApiKey.METADATA} <= served(broker)


def test_what_is_not_served_there_closes_the_connection(broker: str, controller: str) -> None:
    for address, other in ((controller, served(broker) - served(controller)), (broker, {52, 62, 63})):
        for key in sorted(other - {ApiKey.FETCH}):
            kind = message_class(key, response=False)
            assert ask(address, kind(), kind.HIGHEST_VERSION) is None, kind.__name__
    # Fetch is known there, of the metadata log, which other nodes read; there are none.
    assert ask(controller, message_class(1, response=False)(), 12) is None


def test_nodes_are_described_where_they_listen_as_the_client_does(broker: str, controller: str) -> None:
    for address, kind, other in ((broker, BROKERS, CONTROLLERS), (controller, CONTROLLERS, BROKERS)):
        found = ask(address, cluster.DescribeClusterRequest(endpoint_type=kind), 2)
        assert found.endpoint_type == kind
        [node] = found.brokers
        assert f"{node.host}:{node.port}" == address
        mismatch = ask(address, cluster.DescribeClusterRequest(endpoint_type=other), 2)
        assert mismatch.error_code == ErrorCode.MISMATCHED_ENDPOINT_TYPE


def test_the_controller_takes_what_brokers_forward_to_it(broker: str, controller: str) -> None:
    topics = [creation.CreatableTopic(name="orders", num_partitions=2, replication_factor=1)]
    made = ask(controller, creation.CreateTopicsRequest(topics=topics, timeout_ms=10_000), 7)
    assert [one.error_code for one in made.topics] == [0]
    asked = metadata.MetadataRequest([metadata.MetadataRequestTopic(name="orders")])
    found = ask(broker, asked, 12)
    assert [len(topic.partitions) for topic in found.topics] == [2]
    resource = configs.DescribeConfigsResource(resource_type=4, resource_name="1")
    described = ask(controller, configs.DescribeConfigsRequest([resource]), 4)
    [result] = described.results
    assert result.error_code == 0
    assert result.configs


def test_both_listeners_know_the_same_quorum(broker: str, controller: str) -> None:
    assert voters(broker) == voters(controller)


def test_a_configured_listener_is_where_it_was_put_and_a_changed_one_is_told_to_the_quorum(
    tmp_path: Path,
) -> None:
    directory = tmp_path / "data"
    for port in (free_port(), free_port()):
        address = free_port()
        listeners = f"PLAINTEXT://127.0.0.1:{address},CONTROLLER://127.0.0.1:{port}"
        with Broker(directory, settings={"listeners": listeners}) as running:
            assert voters(running.bootstrap) == {1: [("CONTROLLER", "127.0.0.1", port)]}
            assert served(f"127.0.0.1:{port}") >= {ApiKey.DESCRIBE_QUORUM}
    with Broker(directory) as running:
        [(_, _, chosen)] = voters(running.bootstrap)[1]
        assert served(f"127.0.0.1:{chosen}") >= {ApiKey.DESCRIBE_QUORUM}


def test_controllers_are_told_under_the_advertised_address() -> None:
    settings = {
        "listeners": "PLAINTEXT://127.0.0.1:0,CTRL://127.0.0.1:0",
        "controller.listener.names": "CTRL",
        "advertised.listeners": "PLAINTEXT://127.0.0.1:0,CTRL://controllers.example:1234",
    }
    with Broker(settings=settings) as running:
        assert voters(running.bootstrap) == {1: [("CTRL", "controllers.example", 1234)]}


def test_a_busy_port_of_the_controller_is_told_before_anything_is_touched(tmp_path: Path) -> None:
    with socket.socket() as owner:
        owner.bind(("127.0.0.1", 0))
        owner.listen()
        port = owner.getsockname()[1]
        listeners = f"listeners=PLAINTEXT://127.0.0.1:{free_port()},CONTROLLER://127.0.0.1:{port}"
        command = [*BARNABAS_UP, "--dir", str(tmp_path / "data"), "--set", listeners]
        done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS_MAX)
    assert done.returncode == exit_codes.ADDRESS_IN_USE
    assert f"listener CONTROLLER: 127.0.0.1:{port} is in use" in done.stderr
    assert not (tmp_path / "data").exists()


def test_nodes_that_name_no_controller_listener_run_side_by_side() -> None:
    with Broker() as one, Broker() as other:
        assert controller_of(one.bootstrap) != controller_of(other.bootstrap)
