"""A REST Proxy with a registry, on barnabas and on Apache Kafka."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest

from tests.integration.rest.asking import Cluster, until
from tests.integration.rest.inside import Proxy, proxy_inside
from tests.support.oracle import apache_kafka, free_port
from tests.support.registry import RegistryProcess
from tests.support.rest import RestProcess
from tests.support.server import cluster_under_test


@pytest.fixture(scope="package", params=["barnabas", pytest.param("apache", marks=pytest.mark.oracle)])
def cluster(request: pytest.FixtureRequest) -> Iterator[Cluster]:
    if request.param == "barnabas":
        with cluster_under_test("--memory", "--without", "registry", "--without", "rest") as bootstrap:
            yield Cluster(bootstrap)
        return
    plain, login, controller = free_port(), free_port(), free_port()
    listeners = f"PLAINTEXT://localhost:{plain},SASL_PLAINTEXT://localhost:{login}"
    module = "org.apache.kafka.common.security.plain.PlainLoginModule"
    users = f'{module} required user_alice="a" user_bob="b" user_registry="r";'
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
        "super.users": "User:ANONYMOUS;User:registry",
    }
    with apache_kafka(settings, port=plain) as kafka:
        yield Cluster(kafka.bootstrap, f"localhost:{login}")


@pytest.fixture(scope="package")
def registry(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RegistryProcess]:
    process = RegistryProcess(cluster.bootstrap, tmp_path_factory.mktemp("registry") / "log").start()
    try:
        yield process
        assert process.stop() == 0
    finally:
        process.kill()


@pytest.fixture(scope="package")
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


@pytest.fixture(scope="package")
def proxy(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    """One in this process."""
    with proxy_inside(cluster.bootstrap, tmp_path_factory.mktemp("rest") / "log") as proxy:
        yield proxy


@pytest.fixture(scope="package")
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
