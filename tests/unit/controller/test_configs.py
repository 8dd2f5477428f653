"""AlterConfigs, IncrementalAlterConfigs and ListConfigResources."""

from barnabas.controller import configs
from barnabas.protocol import ErrorCode
from barnabas.protocol.generated import alter_configs_request, incremental_alter_configs_request
from barnabas.protocol.generated.alter_configs_request import AlterConfigsRequest
from barnabas.protocol.generated.config_record import ConfigRecord
from barnabas.protocol.generated.incremental_alter_configs_request import IncrementalAlterConfigsRequest
from barnabas.protocol.generated.list_config_resources_request import ListConfigResourcesRequest
from tests.support.cluster import Cluster

SET, DELETE, APPEND, SUBTRACT = range(4)
TOPIC, BROKER, CLIENT_METRICS, GROUP = 2, 4, 16, 32


def incremental(
    cluster: Cluster, kind: int, name: str, *changes: tuple[str, int, str | None], validate_only: bool = False
) -> ErrorCode:
    resource = incremental_alter_configs_request.AlterConfigsResource(
        kind, name, [incremental_alter_configs_request.AlterableConfig(*change) for change in changes]
    )
    request = IncrementalAlterConfigsRequest(resources=[resource], validate_only=validate_only)
    (result,) = cluster.apply(configs.incremental_alter_configs(cluster.state, request)).responses
    assert (result.resource_type, result.resource_name) == (kind, name)
    return ErrorCode(result.error_code)


def replace(cluster: Cluster, kind: int, name: str, **wanted: str | None) -> ErrorCode:
    resource = alter_configs_request.AlterConfigsResource(
        kind,
        name,
        [
            alter_configs_request.AlterableConfig(key.replace("_", "."), value)
            for key, value in wanted.items()
        ],
    )
    request = AlterConfigsRequest(resources=[resource])
    (result,) = cluster.apply(configs.alter_configs(cluster.state, request)).responses
    return ErrorCode(result.error_code)


def with_topic() -> Cluster:
    cluster = Cluster(1)
    cluster.create("t")
    return cluster


def test_one_config_is_one_record() -> None:
    cluster = with_topic()
    change = incremental_alter_configs_request.AlterableConfig("retention.ms", SET, "5")
    resource = incremental_alter_configs_request.AlterConfigsResource(TOPIC, "t", [change])
    request = IncrementalAlterConfigsRequest(resources=[resource])
    assert configs.incremental_alter_configs(cluster.state, request).records == [
        (ConfigRecord(resource_type=2, resource_name="t", name="retention.ms", value="5"), 0)
    ]


def test_configs_are_set_deleted_and_their_lists_changed() -> None:
    cluster = with_topic()
    assert incremental(cluster, TOPIC, "t", ("retention.ms", SET, "5")) == ErrorCode.NONE
    assert incremental(cluster, TOPIC, "t", ("cleanup.policy", APPEND, "compact")) == ErrorCode.NONE
    assert cluster.image.config(TOPIC, "t") == {"retention.ms": "5", "cleanup.policy": "delete,compact"}
    assert incremental(cluster, TOPIC, "t", ("cleanup.policy", SUBTRACT, "delete")) == ErrorCode.NONE
    assert incremental(cluster, TOPIC, "t", ("retention.ms", DELETE, None)) == ErrorCode.NONE
    assert cluster.image.config(TOPIC, "t") == {"cleanup.policy": "compact"}


def test_nothing_is_written_when_only_validation_is_asked_for() -> None:
    cluster = with_topic()
    assert incremental(cluster, TOPIC, "t", ("retention.ms", SET, "5"), validate_only=True) == ErrorCode.NONE
    assert cluster.image.config(TOPIC, "t") == {}


def test_changes_that_cannot_be_are_refused_as_kafka_does() -> None:
    cluster = with_topic()
    retention = ("retention.ms", SET, "5")
    for kind, name, change, code in [
        (TOPIC, "t", ("retention.ms", SET, None), ErrorCode.INVALID_REQUEST),
        (TOPIC, "t", ("retention.ms", APPEND, "5"), ErrorCode.INVALID_CONFIG),
        (TOPIC, "t", ("nope", SET, "1"), ErrorCode.INVALID_CONFIG),
        (TOPIC, "t", ("nope", DELETE, None), ErrorCode.NONE),
        (TOPIC, "nope", retention, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION),
        (TOPIC, "nope", ("nope", SET, "1"), ErrorCode.INVALID_CONFIG),
        (TOPIC, "", retention, ErrorCode.INVALID_REQUEST),
        (TOPIC, "a/b", retention, ErrorCode.INVALID_TOPIC_EXCEPTION),
        (BROKER, "2", ("log.retention.ms", SET, "5000"), ErrorCode.INVALID_REQUEST),
        (BROKER, "x", ("log.retention.ms", SET, "5000"), ErrorCode.INVALID_REQUEST),
        (BROKER, "1", ("node.id", SET, "5"), ErrorCode.INVALID_REQUEST),
        (BROKER, "", ("log.retention.ms", SET, "soon"), ErrorCode.INVALID_REQUEST),
        (BROKER, "", ("log.retention.ms", SET, "5000"), ErrorCode.NONE),
        (CLIENT_METRICS, "", ("interval.ms", SET, "1000"), ErrorCode.INVALID_REQUEST),
        (CLIENT_METRICS, "s", ("interval.ms", SET, "5"), ErrorCode.INVALID_REQUEST),
        (CLIENT_METRICS, "s", ("match", SET, "foo=a"), ErrorCode.INVALID_CONFIG),
        (CLIENT_METRICS, "s", ("interval.ms", SET, "1000"), ErrorCode.NONE),
        (GROUP, "", ("consumer.session.timeout.ms", SET, "50000"), ErrorCode.INVALID_REQUEST),
        (GROUP, "g", ("consumer.session.timeout.ms", SET, "5"), ErrorCode.INVALID_CONFIG),
        (GROUP, "g", ("consumer.session.timeout.ms", SET, "50000"), ErrorCode.NONE),
        (99, "x", ("a", SET, "b"), ErrorCode.INVALID_REQUEST),
    ]:
        assert incremental(cluster, kind, name, change) == code, (kind, name, change)


def test_a_config_or_resource_named_twice_is_refused() -> None:
    cluster = with_topic()
    twice = ("retention.ms", SET, "5"), ("retention.ms", SET, "6")
    assert incremental(cluster, TOPIC, "t", *twice) == ErrorCode.INVALID_REQUEST
    change = incremental_alter_configs_request.AlterableConfig("retention.ms", SET, "5")
    resource = incremental_alter_configs_request.AlterConfigsResource(TOPIC, "t", [change])
    request = IncrementalAlterConfigsRequest(resources=[resource, resource])
    decision = configs.incremental_alter_configs(cluster.state, request)
    assert decision.records == []
    assert [result.error_code for result in decision.response.responses] == [ErrorCode.INVALID_REQUEST] * 2


def test_min_isr_is_one_for_all_brokers_while_elr_is_on() -> None:
    cluster = with_topic()
    assert incremental(cluster, BROKER, "", ("min.insync.replicas", DELETE, None)) == ErrorCode.INVALID_CONFIG
    assert incremental(cluster, BROKER, "1", ("min.insync.replicas", SET, "1")) == ErrorCode.INVALID_CONFIG
    assert replace(cluster, BROKER, "") == ErrorCode.INVALID_CONFIG
    assert incremental(cluster, BROKER, "", ("min.insync.replicas", SET, "2")) == ErrorCode.NONE
    assert cluster.image.config(BROKER, "")["min.insync.replicas"] == "2"


def test_a_replacement_takes_back_what_it_does_not_name() -> None:
    cluster = with_topic()
    replace(cluster, TOPIC, "t", retention_ms="5", segment_ms="7000")
    assert replace(cluster, TOPIC, "t", retention_ms="6") == ErrorCode.NONE
    assert cluster.image.config(TOPIC, "t") == {"retention.ms": "6"}
    assert replace(cluster, TOPIC, "t") == ErrorCode.NONE
    assert cluster.image.config(TOPIC, "t") == {}
    assert replace(cluster, TOPIC, "t", retention_ms=None) == ErrorCode.INVALID_REQUEST
    assert replace(cluster, TOPIC, "zz", retention_ms="6") == ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
    assert replace(cluster, 8, "1", root="INFO") == ErrorCode.INVALID_REQUEST


def test_resources_are_listed_by_kind() -> None:
    cluster = with_topic()
    incremental(cluster, CLIENT_METRICS, "s", ("interval.ms", SET, "1000"))
    incremental(cluster, GROUP, "g", ("consumer.session.timeout.ms", SET, "50000"))

    def listed(*kinds: int, version: int = 1) -> list[tuple[int, str]]:
        request = ListConfigResourcesRequest(resource_types=kinds)
        response = configs.list_config_resources(cluster.image, [1], request, version)
        return [(resource.resource_type, resource.resource_name) for resource in response.config_resources]

    assert listed() == [(32, "g"), (16, "s"), (8, "1"), (4, "1"), (2, "t")]
    assert listed(2, 16) == [(16, "s"), (2, "t")]
    assert listed(version=0) == [(16, "s")]
    request = ListConfigResourcesRequest(resource_types=[2, 99])
    refused = configs.list_config_resources(cluster.image, [1], request, 1)
    assert refused.error_code == ErrorCode.UNSUPPORTED_VERSION
