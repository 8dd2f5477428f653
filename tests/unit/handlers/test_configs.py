"""DescribeConfigs, and levels of loggers."""

import logging
from collections.abc import Iterator
from typing import Any

import pytest

from barnabas.protocol import ErrorCode
from barnabas.protocol.generated import incremental_alter_configs_request as incremental
from barnabas.protocol.generated.describe_configs_request import (
    DescribeConfigsRequest,
    DescribeConfigsResource,
)
from tests.support.cluster import Cluster
from tests.support.fake_node import FakeNode

TOPIC, BROKER, LOGGER, CLIENT_METRICS, GROUP = 2, 4, 8, 16, 32


async def describe(node: FakeNode, kind: int, name: str, *keys: str, **options: bool) -> Any:
    resource = DescribeConfigsResource(kind, name, keys or None)
    response = await node.ask(DescribeConfigsRequest([resource], **options))
    return response.results[0]


def node_with_topic() -> FakeNode:
    cluster = Cluster(1, settings={"log.retention.ms": "9000"})
    cluster.create("t", configs={"segment.ms": "7000"})
    return FakeNode(cluster)


async def test_a_topics_configs_come_with_where_they_come_from() -> None:
    result = await describe(
        node_with_topic(), TOPIC, "t", "segment.ms", "retention.ms", include_synonyms=True
    )
    shown = {
        config.name: (
            config.value,
            config.config_source,
            [(synonym.name, synonym.source) for synonym in config.synonyms],
        )
        for config in result.configs
    }
    assert shown["segment.ms"][:2] == ("7000", 1)
    assert shown["segment.ms"][2][0] == ("segment.ms", 1)
    assert shown["retention.ms"] == ("9000", 4, [("log.retention.ms", 4), ("log.retention.hours", 5)])


async def test_synonyms_and_documentation_come_only_when_asked_for() -> None:
    (config,) = (await describe(node_with_topic(), TOPIC, "t", "segment.ms")).configs
    assert (config.synonyms, config.documentation) == ([], None)
    (config,) = (
        await describe(node_with_topic(), TOPIC, "t", "segment.ms", include_documentation=True)
    ).configs
    assert config.documentation


async def test_no_keys_are_all_keys() -> None:
    node = node_with_topic()
    everything = await describe(node, TOPIC, "t")
    resource = DescribeConfigsResource(TOPIC, "t", [])
    response = await node.ask(DescribeConfigsRequest([resource]))
    assert len(everything.configs) > 30
    assert response.results[0].configs == everything.configs


@pytest.mark.parametrize(
    ("kind", "name", "code"),
    [
        (TOPIC, "nope", ErrorCode.UNKNOWN_TOPIC_OR_PARTITION),
        (TOPIC, "", ErrorCode.INVALID_TOPIC_EXCEPTION),
        (TOPIC, "a/b", ErrorCode.INVALID_TOPIC_EXCEPTION),
        (BROKER, "2", ErrorCode.INVALID_REQUEST),
        (BROKER, "x", ErrorCode.INVALID_REQUEST),
        (LOGGER, "", ErrorCode.INVALID_REQUEST),
        (LOGGER, "2", ErrorCode.INVALID_REQUEST),
        (CLIENT_METRICS, "", ErrorCode.INVALID_REQUEST),
        (GROUP, "", ErrorCode.INVALID_REQUEST),
        (1, "t", ErrorCode.INVALID_REQUEST),
        (99, "", ErrorCode.INVALID_REQUEST),
        (BROKER, "1", ErrorCode.NONE),
        (BROKER, "", ErrorCode.NONE),
        (LOGGER, "1", ErrorCode.NONE),
        (CLIENT_METRICS, "any", ErrorCode.NONE),
        (GROUP, "any", ErrorCode.NONE),
    ],
)
async def test_resources_are_described_or_refused(kind: int, name: str, code: ErrorCode) -> None:
    result = await describe(node_with_topic(), kind, name)
    assert (result.error_code, result.resource_type, result.resource_name) == (code, kind, name)
    if code != ErrorCode.NONE:
        assert result.configs == []


async def test_one_unknown_kind_of_resource_refuses_all() -> None:
    asked = [DescribeConfigsResource(TOPIC, "t"), DescribeConfigsResource(1, "t")]
    response = await node_with_topic().ask(DescribeConfigsRequest(asked))
    assert [result.error_code for result in response.results] == [ErrorCode.INVALID_REQUEST] * 2


async def test_the_clusters_defaults_are_described_under_no_name() -> None:
    result = await describe(node_with_topic(), BROKER, "")
    assert [(config.name, config.value, config.config_source) for config in result.configs] == [
        ("min.insync.replicas", "1", 3)
    ]


# ---- loggers ----------------------------------------------------------------------------------------------


@pytest.fixture
def levels_kept() -> Iterator[None]:
    names = ["barnabas", "barnabas.test_logger"]
    kept = {name: logging.getLogger(name).level for name in names}
    yield
    for name, level in kept.items():
        logging.getLogger(name).setLevel(level)


async def set_level(node: FakeNode, logger: str, level: str | None, operation: int = 0, **where: str) -> int:
    resource = incremental.AlterConfigsResource(
        LOGGER, where.get("name", "1"), [incremental.AlterableConfig(logger, operation, level)]
    )
    response = await node.ask(incremental.IncrementalAlterConfigsRequest([resource]))
    code: int = response.responses[0].error_code
    return code


@pytest.mark.usefixtures("levels_kept")
async def test_levels_of_loggers_are_set_shown_and_taken_back() -> None:
    node = node_with_topic()
    assert await set_level(node, "root", "ERROR") == ErrorCode.NONE
    assert await set_level(node, "barnabas.test_logger", "DEBUG") == ErrorCode.NONE
    levels = {config.name: config.value for config in (await describe(node, LOGGER, "1")).configs}
    assert (levels["root"], levels["barnabas.test_logger"]) == ("ERROR", "DEBUG")
    assert await set_level(node, "barnabas.test_logger", None, operation=1) == ErrorCode.NONE
    (config,) = (await describe(node, LOGGER, "1", "barnabas.test_logger")).configs
    assert (config.value, config.config_source) == ("ERROR", 6)


@pytest.mark.usefixtures("levels_kept")
async def test_levels_that_cannot_be_are_refused() -> None:
    node = node_with_topic()
    assert await set_level(node, "no.such.logger", "INFO") == ErrorCode.INVALID_CONFIG
    assert await set_level(node, "root", "LOUD") == ErrorCode.INVALID_CONFIG
    assert await set_level(node, "root", None, operation=1) == ErrorCode.INVALID_REQUEST
    assert await set_level(node, "root", "INFO", operation=2) == ErrorCode.INVALID_REQUEST
    assert await set_level(node, "root", "INFO", name="2") == ErrorCode.INVALID_REQUEST
    assert await set_level(node, "root", "INFO", name="") == ErrorCode.INVALID_REQUEST


async def test_loggers_and_other_resources_can_be_changed_together() -> None:
    node = node_with_topic()
    resources = [
        incremental.AlterConfigsResource(LOGGER, "2", [incremental.AlterableConfig("root", 0, "INFO")]),
        incremental.AlterConfigsResource(TOPIC, "t", [incremental.AlterableConfig("retention.ms", 0, "5")]),
    ]
    response = await node.ask(incremental.IncrementalAlterConfigsRequest(resources))
    codes = {result.resource_type: result.error_code for result in response.responses}
    assert codes == {TOPIC: ErrorCode.NONE, LOGGER: ErrorCode.INVALID_REQUEST}
    assert node.cluster.image.config(TOPIC, "t")["retention.ms"] == "5"
