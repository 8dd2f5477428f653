"""Who is let in to the REST Proxy, and how: log-ins, limits, TLS."""

from __future__ import annotations

import contextlib
import http.client
import json
import ssl
import subprocess
import sys
import time
from base64 import b64encode
from pathlib import Path
from typing import Any

import pytest

from tests.integration.rest.asking import PATIENCE, Cluster, refused, until_met
from tests.support.certificates import Authority
from tests.support.oracle import free_port
from tests.support.registry import Reply, ask
from tests.support.rest import RestProcess
from tests.support.server import BarnabasUp


@pytest.mark.parametrize("cluster", [pytest.param("apache", marks=pytest.mark.oracle)], indirect=True)
def test_the_clusters_acls_decide_for_whoever_asks(
    cluster: Cluster, rest: RestProcess, v3: str, topic: str, tmp_path: Path
) -> None:
    assert cluster.login is not None
    for operation in ("WRITE", "DESCRIBE"):
        acl = {
            "resource_type": "TOPIC",
            "resource_name": topic,
            "pattern_type": "LITERAL",
            "principal": "User:alice",
            "host": "*",
            "operation": operation,
            "permission": "ALLOW",
        }
        assert rest.ask("POST", f"{v3}/acls", acl).status == 201
    proxy = RestProcess(cluster.login, tmp_path / "log", "--login", "plain", "--access-log").start()
    path = f"{v3}/topics/{topic}/records"
    record = {"value": {"type": "JSON", "data": 1}}

    def asked(who: str | None) -> Reply:
        headers = {} if who is None else {"Authorization": f"Basic {b64encode(who.encode()).decode()}"}
        return proxy.ask("POST", path, record, X_Request_ID=f"of {who}", **headers)

    try:
        nobody = asked(None)
        assert refused(nobody) == (401, 40101)
        assert nobody.headers["www-authenticate"].startswith("Basic ")
        assert refused(asked("alice:guessed")) == (401, 40101)
        deadline = time.monotonic() + PATIENCE
        while (written := asked("alice:a")).status != 200:
            assert time.monotonic() < deadline, written
            time.sleep(0.05)
        # Who may not even describe a topic is not told that there is one.
        assert refused(asked("bob:b")) == (403, 40301)
        assert asked("alice:a").status == 200
        assert proxy.stop() == 0
        log = (tmp_path / "log").read_text()
        assert f"POST {path} -> 403" in log
        assert "request id of bob:b" in log
    finally:
        proxy.kill()


def test_a_client_that_asks_too_much_is_told_to_wait(cluster: Cluster, tmp_path: Path) -> None:
    proxy = RestProcess(cluster.bootstrap, tmp_path / "log", "--requests-per-second", "0.01").start()
    try:
        assert proxy.ask("GET", "/v3/clusters").status == 200
        reply = proxy.ask("GET", "/v3/clusters")
        assert refused(reply) == (429, 429)
        assert int(reply.headers["retry-after"]) > 1
    finally:
        proxy.kill()


@pytest.mark.parametrize("cluster", ["barnabas"], indirect=True)
def test_clients_are_talked_to_over_tls_and_may_need_a_certificate(cluster: Cluster, tmp_path: Path) -> None:
    authority = Authority(tmp_path / "certificates")
    server, client = str(authority.store("server")), str(authority.store("client"))
    options = ("--certificate", server, "--key", server, "--client-authority", str(authority.certificate))
    proxy = RestProcess(cluster.bootstrap, tmp_path / "log", *options).start()
    trusting = ssl.create_default_context(cafile=str(authority.certificate))
    known = ssl.create_default_context(cafile=str(authority.certificate))
    known.load_cert_chain(client)

    def asked(context: ssl.SSLContext) -> Any:
        connection = http.client.HTTPSConnection("localhost", proxy.port, timeout=PATIENCE, context=context)
        with contextlib.closing(connection):
            connection.request("GET", "/v3/clusters")
            return json.loads(connection.getresponse().read())

    try:
        assert asked(known)["metadata"]["self"] == f"https://localhost:{proxy.port}/v3/clusters"
        for stranger in (trusting, ssl.create_default_context()):
            with pytest.raises((OSError, http.client.HTTPException)):
                asked(stranger)
        with pytest.raises((OSError, http.client.HTTPException)):
            proxy.ask("GET", "/v3/clusters")
        assert asked(known)["kind"] == "KafkaClusterList"
    finally:
        proxy.kill()


def test_services_beside_a_broker_speak_tls_with_clients_and_with_one_another(tmp_path: Path) -> None:
    authority = Authority(tmp_path / "certificates")
    # The services know one another by their certificate, whatever names are in it.
    server, client = str(authority.store("server", "DNS:localhost")), str(authority.store("client"))
    registry, rest = free_port(), free_port()
    arguments = (
        *(
            "--memory",
            "--registry-port",
            f"{registry}",
            "--rest-port",
            f"{rest}",
            "--services-host",
            "0.0.0.0",
        ),
        *("--services-certificate", server, "--services-key", server, "--services-access-log"),
        *("--services-client-authority", str(authority.certificate)),
    )
    known = ssl.create_default_context(cafile=str(authority.certificate))
    known.load_cert_chain(client)

    def asked(port: int, method: str, path: str, body: Any = None) -> Any:
        connection = http.client.HTTPSConnection("localhost", port, timeout=PATIENCE, context=known)
        with contextlib.closing(connection):
            sent = None if body is None else json.dumps(body)
            connection.request(method, path, sent, {"Content-Type": "application/json"})
            return json.loads(connection.getresponse().read())

    up = BarnabasUp(tmp_path / "data", arguments).start()
    try:
        until_met(lambda: "  try " in up.log.read_text())
        assert f"  rest     https://0.0.0.0:{rest}\n" in up.log.read_text()
        assert asked(rest, "POST", "/v3/clusters/-/topics", {"topic_name": "t"})["topic_name"] == "t"
        value = {"type": "AVRO", "schema": '"string"', "data": "hello"}
        records = "/v3/clusters/-/topics/t/records"
        until_met(lambda: asked(rest, "POST", records, {"value": value}).get("offset") is not None)
        assert asked(registry, "GET", "/subjects") == ["t-value"]
        with pytest.raises((OSError, http.client.HTTPException)):
            ask(f"http://localhost:{registry}", "GET", "/subjects")
        assert up.stop() == 0
        assert "GET /subjects -> 200" in up.log.read_text()
    finally:
        up.kill()


def test_tls_that_can_not_be_had_is_told(tmp_path: Path) -> None:
    (tmp_path / "nothing.pem").write_text("nothing")
    for options in (
        ("--certificate", "nothing.pem"),
        ("--certificate", "nothing.pem", "--key", "nothing.pem"),
        ("--certificate", "missing.pem", "--key", "missing.pem"),
    ):
        command = [sys.executable, "-m", "barnabas", "rest", "--port", "0", *options]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=PATIENCE)
        assert done.returncode != 0
        assert "TLS" in done.stderr
        assert "Traceback" not in done.stderr


@pytest.mark.parametrize("cluster", [pytest.param("apache", marks=pytest.mark.oracle)], indirect=True)
def test_a_certificate_is_a_log_in_at_the_cluster(cluster: Cluster, tmp_path: Path) -> None:
    assert cluster.login is not None
    authority = Authority(tmp_path / "certificates")
    server, logins = str(authority.store("server")), tmp_path / "logins"
    logins.write_text("alice=a\nbob=guessed\n")
    tls = ("--certificate", server, "--key", server, "--client-authority", str(authority.certificate))
    mapping = (f"--certificate-logins={logins}", "--principal-rules=RULE:^CN=(.*)$/$1/")
    log = tmp_path / "log"
    proxy = RestProcess(cluster.login, log, *tls, "--login=PLAIN", *mapping, "--access-log").start()

    def asked(name: str) -> int:
        context = ssl.create_default_context(cafile=str(authority.certificate))
        context.load_cert_chain(str(authority.store(name)))
        connection = http.client.HTTPSConnection("localhost", proxy.port, timeout=PATIENCE, context=context)
        with contextlib.closing(connection):
            connection.request("GET", "/v3/clusters")
            return connection.getresponse().status

    try:
        assert asked("alice") == 200
        # The cluster does not know this password, and the proxy has none.
        assert asked("bob") == asked("carol") == 401
    finally:
        proxy.kill()
