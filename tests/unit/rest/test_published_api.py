"""The routes beside the operations of the published APIs."""

from __future__ import annotations

from barnabas.rest.application import RestApplication

CLUSTER = "/v3/clusters/{cluster_id}"
GROUP = f"{CLUSTER}/consumer-groups/{{consumer_group_id}}"
TOPIC = f"{CLUSTER}/topics/{{topic_name}}"
BROKER = f"{CLUSTER}/brokers/{{broker_id}}"
PARTITION = f"{TOPIC}/partitions/{{partition_id}}"
V3 = {
    "/v3/clusters": "GET",
    CLUSTER: "GET",
    f"{CLUSTER}/acls": "GET POST DELETE",
    f"{CLUSTER}/acls:batch": "POST",
    f"{CLUSTER}/broker-configs": "GET",
    f"{CLUSTER}/broker-configs:alter": "POST",
    f"{CLUSTER}/broker-configs/{{name}}": "GET PUT DELETE",
    f"{CLUSTER}/brokers": "GET",
    BROKER: "GET",
    f"{CLUSTER}/brokers/-/configs": "GET",
    f"{BROKER}/configs": "GET",
    f"{BROKER}/configs:alter": "POST",
    f"{BROKER}/configs/{{name}}": "GET PUT DELETE",
    f"{BROKER}/partition-replicas": "GET",
    f"{CLUSTER}/consumer-groups": "GET",
    GROUP: "GET",
    f"{GROUP}/consumers": "GET",
    f"{GROUP}/lag-summary": "GET",
    f"{GROUP}/lags": "GET",
    f"{GROUP}/lags/{{topic_name}}/partitions/{{partition_id}}": "GET",
    f"{GROUP}/consumers/{{consumer_id}}": "GET",
    f"{GROUP}/consumers/{{consumer_id}}/assignments": "GET",
    f"{GROUP}/consumers/{{consumer_id}}/assignments/{{topic_name}}/partitions/{{partition_id}}": "GET",
    f"{CLUSTER}/topics": "GET POST",
    TOPIC: "GET PATCH DELETE",
    f"{TOPIC}/configs": "GET",
    f"{TOPIC}/configs:alter": "POST",
    f"{TOPIC}/configs/{{name}}": "GET PUT DELETE",
    f"{PARTITION}/offset": "GET",
    f"{TOPIC}/partitions": "GET",
    PARTITION: "GET",
    f"{CLUSTER}/topics/-/partitions/-/reassignment": "GET",
    f"{TOPIC}/partitions/-/reassignment": "GET",
    f"{PARTITION}/reassignment": "GET",
    f"{PARTITION}/replicas": "GET",
    f"{PARTITION}/replicas/{{broker_id}}": "GET",
    f"{CLUSTER}/topics/-/configs": "GET",
    f"{TOPIC}/records": "POST",
    f"{TOPIC}/records:batch": "POST",
}
INSTANCE = "/consumers/{group}/instances/{instance}"
V2 = {
    "/": "GET POST",
    "/brokers": "GET",
    "/topics": "GET",
    "/topics/{topic}": "GET POST",
    "/topics/{topic}/partitions": "GET",
    "/topics/{topic}/partitions/{partition}": "GET POST",
    "/topics/{topic}/partitions/{partition}/offsets": "GET",
    "/consumers/{group}": "POST",
    INSTANCE: "DELETE",
    f"{INSTANCE}/subscription": "POST GET DELETE",
    f"{INSTANCE}/records": "GET",
    f"{INSTANCE}/offsets": "POST GET",
    f"{INSTANCE}/positions": "POST",
    f"{INSTANCE}/positions/beginning": "POST",
    f"{INSTANCE}/positions/end": "POST",
    f"{INSTANCE}/assignments": "POST GET",
}
ADDED = {f"{TOPIC}/records": "GET", f"{PARTITION}/records": "GET"}
"""What the published API lacks: reading."""
DESCRIBED = {"/openapi.json", "/openapi", "/health"}


def operations(table: dict[str, str]) -> set[tuple[str, str]]:
    return {(method, path) for path, methods in table.items() for method in methods.split()}


def test_every_published_operation_is_served_and_what_is_added_is_known() -> None:
    assert len(operations(V3)) == 50
    assert len(operations(V2)) == 23
    application = RestApplication(lambda _: None)  # type: ignore[arg-type, return-value]
    served = {(one.method, one.pattern) for one in application.routes.declared}
    own = {(method, path) for method, path in served if path not in DESCRIBED}
    assert own == operations(V3) | operations(V2) | operations(ADDED)
