"""Who is let in to the Schema Registry, and how: log-ins, ACLs, TLS between instances, limits."""

from __future__ import annotations

import contextlib
import http.client
import json
import ssl
import uuid
from base64 import b64encode
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.rest.asking import PATIENCE, Cluster, until_met
from tests.support.certificates import Authority
from tests.support.registry import RegistryProcess
from tests.support.rest import RestProcess

Ask = Callable[..., tuple[int, Any]]

OWN = (
    "security.protocol=SASL_PLAINTEXT",
    "sasl.mechanism=PLAIN",
    "sasl.username=registry",
    "sasl.password=r",
)


@pytest.fixture
def secured(cluster: Cluster, registry: RegistryProcess, tmp_path: Path) -> Iterator[Ask]:
    """Asks the instance of two that is not the primary; both speak TLS and want certificates and log-ins."""
    assert registry.process is not None  # It has made the topic.
    assert cluster.login is not None
    authority = Authority(tmp_path / "certificates")
    server = str(authority.store("server"))
    options = [f"--certificate={server}", f"--key={server}", f"--client-authority={authority.certificate}"]
    options += [f"--instances-authority={authority.certificate}", "--group=secured", "--login=plain"]
    logins = tmp_path / "logins"
    logins.write_text("alice=a\n")
    options += [f"--certificate-logins={logins}", "--principal-rules=RULE:^CN=(.*)$/$1/"]
    options += [f"-X{text}" for text in OWN]
    primary = RegistryProcess(cluster.login, tmp_path / "primary", *options)
    other = RegistryProcess(cluster.login, tmp_path / "other", "--not-eligible", *options)
    contexts = {}
    for name in ("client", "alice"):
        contexts[name] = ssl.create_default_context(cafile=str(authority.certificate))
        contexts[name].load_cert_chain(str(authority.store(name)))

    def ask(
        method: str, path: str, body: Any = None, who: str | None = None, shown: str = "client"
    ) -> tuple[int, Any]:
        headers = {"Content-Type": "application/json"}
        if who is not None:
            headers["Authorization"] = f"Basic {b64encode(who.encode()).decode()}"
        connection = http.client.HTTPSConnection(
            "localhost", other.port, timeout=PATIENCE, context=contexts[shown]
        )
        with contextlib.closing(connection):
            connection.request(method, path, None if body is None else json.dumps(body), headers)
            response = connection.getresponse()
            return response.status, json.loads(response.read() or b"null")

    try:
        primary.start()
        other.start()
        yield ask
        assert other.stop() == 0
        assert primary.stop() == 0
    finally:
        primary.kill()
        other.kill()


def allow(rest: RestProcess, v3: str, principal: str, operation: str, topic: str) -> None:
    acl = {"resource_type": "TOPIC", "resource_name": topic, "pattern_type": "LITERAL", "host": "*"}
    acl |= {"principal": f"User:{principal}", "operation": operation, "permission": "ALLOW"}
    assert rest.ask("POST", f"{v3}/acls", acl).status == 201


@pytest.mark.parametrize("cluster", [pytest.param("apache", marks=pytest.mark.oracle)], indirect=True)
@pytest.mark.usefixtures("cluster")
def test_the_clusters_acls_decide_who_reads_and_who_writes_schemas(
    rest: RestProcess, v3: str, secured: Ask
) -> None:
    for principal, operation in (("alice", "READ"), ("alice", "WRITE"), ("bob", "READ")):
        allow(rest, v3, principal, operation, "_schemas")
    path = f"/subjects/{uuid.uuid4().hex}"
    schema = {"schema": f'{{"type":"fixed","name":"F{uuid.uuid4().hex}","size":1}}'}
    assert secured("GET", "/subjects")[0] == 401
    assert secured("GET", "/subjects", who="alice:guessed")[0] == 401
    status, health = secured("GET", "/health")
    assert (status, health["status"]) == (200, "UP")
    # The primary judges once more what it is handed.
    until_met(lambda: secured("POST", f"{path}/versions", schema, "alice:a")[0] == 200)
    assert secured("GET", f"{path}/versions", who="alice:a") == (200, [1])
    until_met(lambda: secured("GET", f"{path}/versions", who="bob:b") == (200, [1]))
    assert secured("POST", path, schema, "bob:b")[0] == 200
    status, refusal = secured("POST", f"{path}/versions", schema, "bob:b")
    assert (status, refusal["error_code"]) == (403, 40301)
    assert "WRITE the topic _schemas" in refusal["message"]
    # Whose certificate is known need say no more, not even for the primary.
    assert secured("GET", f"{path}/versions", shown="alice") == (200, [1])
    other = {"schema": f'{{"type":"fixed","name":"F{uuid.uuid4().hex}","size":1}}'}
    assert secured("POST", f"{path}-2/versions", other, shown="alice")[0] == 200
    assert secured("GET", f"{path}/versions", who="alice:guessed", shown="alice")[0] == 401
    # Keys are of another topic.
    assert secured("GET", "/dek-registry/v1/keks", who="alice:a")[0] == 403


@pytest.mark.parametrize("cluster", ["barnabas"], indirect=True)
def test_a_client_that_asks_the_registry_too_much_is_told_to_wait(cluster: Cluster, tmp_path: Path) -> None:
    options = ("--alone", "--requests-per-second=0.01", "--access-log")
    process = RegistryProcess(cluster.bootstrap, tmp_path / "log", *options).start()
    try:
        assert process.ask("GET", "/").status == 200
        # Not even what could be answered without being asked about again, nor under another name.
        reply = process.ask("GET", "/", Authorization="Basic YTpi")
        assert (reply.status, reply.body["error_code"]) == (429, 429)
        assert int(reply.headers["retry-after"]) > 1
        assert process.stop() == 0
        assert "GET / -> 429" in (tmp_path / "log").read_text()
    finally:
        process.kill()
