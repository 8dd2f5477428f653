"""What the services tell Prometheus."""

from __future__ import annotations

import pytest

from tests.support.registry import RegistryProcess
from tests.support.rest import RestProcess

pytestmark = pytest.mark.parametrize("cluster", ["barnabas"], indirect=True)


def figures(service: RegistryProcess) -> dict[str, float]:
    """The samples, by name and labels."""
    reply = service.ask("GET", "/metrics")
    assert (reply.status, reply.headers["content-type"]) == (200, "text/plain; version=0.0.4; charset=utf-8")
    samples = (line.rpartition(" ") for line in reply.body.splitlines() if not line.startswith("#"))
    return {name: float(value) for name, _, value in samples}


def counted(operation: str, status: int) -> str:
    return f'barnabas_http_request_seconds_count{{operation="{operation}",status="{status}"}}'


def test_requests_are_counted_whoever_answers_them(registry: RegistryProcess) -> None:
    operations = [counted("GET /schemas/types", 200), counted("GET /subjects/{subject}/versions", 404)]
    operations.append(counted("other", 404))
    before = figures(registry)
    for _ in range(3):  # From the second time on without Python.
        assert registry.ask("GET", "/schemas/types").status == 200
    assert registry.ask("GET", "/subjects/nobody/versions").status == 404
    assert registry.ask("GET", "/no/such/path").status == 404
    after = figures(registry)
    assert [after[name] - before.get(name, 0) for name in operations] == [3, 1, 1]
    bucket = operations[0].replace("_count{", "_bucket{").replace("}", ',le="+Inf"}')
    assert after[bucket] == after[operations[0]]
    assert after["barnabas_http_connections"] >= 1
    assert after["barnabas_http_connections_total"] > before["barnabas_http_connections_total"]


def test_the_registry_tells_what_it_holds_and_whether_it_writes(registry: RegistryProcess) -> None:
    before = figures(registry)
    body = {"schema": '{"type":"fixed","name":"OfMetrics","size":3}'}
    assert registry.ask("POST", "/subjects/of-metrics/versions", body).status == 200
    after = figures(registry)
    for name in ("subjects", "versions", "schemas"):
        assert after[f"barnabas_registry_{name}"] == before[f"barnabas_registry_{name}"] + 1
    assert after["barnabas_registry_is_primary"] == after["barnabas_registry_is_readable"] == 1


def test_the_proxy_tells_what_it_has_written_and_read(rest: RestProcess, v3: str, topic: str) -> None:
    before = figures(rest)
    path = f"{v3}/topics/{topic}/records"
    assert rest.ask("POST", path, {"value": {"type": "JSON", "data": 1}}).status == 200
    assert len(rest.ask("GET", f"{path}?timeout_ms=30000").body["data"]) == 1
    after = figures(rest)
    for name in ("barnabas_rest_produced_records_total", "barnabas_rest_consumed_records_total"):
        assert after[name] == before[name] + 1
    assert after["barnabas_rest_principals"] == after["barnabas_rest_readings"] == 0
