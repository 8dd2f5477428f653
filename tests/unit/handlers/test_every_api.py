"""Every API that Python answers, in every version: an answer that can be written in that version."""

import copy

import pytest

from barnabas import _core
from barnabas.protocol import Message, message_class
from barnabas.protocol.generated import (
    alter_configs_request,
    alter_partition_reassignments_request,
    create_partitions_request,
    create_topics_request,
    describe_configs_request,
    describe_quorum_request,
    elect_leaders_request,
    incremental_alter_configs_request,
    offset_commit_request,
    update_features_request,
)
from barnabas.server import apis, dispatch
from tests.support.cluster import Cluster, numbered
from tests.support.fake_node import FakeNode


def _requests() -> list[Message]:
    """A request of each API whose answer has parts: some that succeed, some that fail."""
    topic, unknown = numbered(1), numbered(77)
    return [
        create_topics_request.CreateTopicsRequest(
            [create_topics_request.CreatableTopic(name, 1, 1) for name in ("new", "bad name", "t")]
        ),
        create_partitions_request.CreatePartitionsRequest(
            [
                create_partitions_request.CreatePartitionsTopic("t", 2, None),
                create_partitions_request.CreatePartitionsTopic("nope", 2, None),
            ]
        ),
        describe_configs_request.DescribeConfigsRequest(
            [
                describe_configs_request.DescribeConfigsResource(kind, name, None)
                for kind, name in ((2, "t"), (2, "nope"), (4, "1"), (4, ""), (8, "1"), (16, "s"), (32, "g"))
            ],
            include_synonyms=True,
        ),
        alter_configs_request.AlterConfigsRequest(
            [
                alter_configs_request.AlterConfigsResource(
                    2, name, [alter_configs_request.AlterableConfig("retention.ms", "5")]
                )
                for name in ("t", "nope")
            ]
        ),
        incremental_alter_configs_request.IncrementalAlterConfigsRequest(
            [
                incremental_alter_configs_request.AlterConfigsResource(
                    2, name, [incremental_alter_configs_request.AlterableConfig("retention.ms", 0, "5")]
                )
                for name in ("t", "nope")
            ]
        ),
        elect_leaders_request.ElectLeadersRequest(
            topic_partitions=[elect_leaders_request.TopicPartitions("t", [0, 9])]
        ),
        alter_partition_reassignments_request.AlterPartitionReassignmentsRequest(
            topics=[
                alter_partition_reassignments_request.ReassignableTopic(
                    "t",
                    [
                        alter_partition_reassignments_request.ReassignablePartition(0, [1]),
                        alter_partition_reassignments_request.ReassignablePartition(0, None),
                    ],
                )
            ]
        ),
        update_features_request.UpdateFeaturesRequest(
            feature_updates=[
                update_features_request.FeatureUpdateKey(feature="group.version", max_version_level=1)
            ]
        ),
        describe_quorum_request.DescribeQuorumRequest(
            [
                describe_quorum_request.TopicData(
                    "__cluster_metadata", [describe_quorum_request.PartitionData(0)]
                )
            ]
        ),
        offset_commit_request.OffsetCommitRequest(
            group_id="g",
            topics=[
                offset_commit_request.OffsetCommitRequestTopic(
                    name="t",
                    topic_id=topic,
                    partitions=[offset_commit_request.OffsetCommitRequestPartition(0)],
                ),
                offset_commit_request.OffsetCommitRequestTopic(
                    name="nope",
                    topic_id=unknown,
                    partitions=[offset_commit_request.OffsetCommitRequestPartition(0)],
                ),
            ],
        ),
    ]


PARTS = [
    pytest.param(request, version, id=f"{type(request).__name__}-v{version}")
    for request in _requests()
    for version in range(type(request).LOWEST_VERSION, type(request).HIGHEST_VERSION + 1)
]


CASES = [
    pytest.param(key, version, id=f"{message_class(key, response=False).__name__}-v{version}")
    for key in apis.MODULES
    for version in range(
        message_class(key, response=False).LOWEST_VERSION,
        message_class(key, response=False).HIGHEST_VERSION + 1,
    )
]


@pytest.mark.parametrize(("key", "version"), CASES)
async def test_the_emptiest_request_is_answered_in_its_version(key: int, version: int) -> None:
    cluster = Cluster(1)
    cluster.create("t")
    response = await FakeNode(cluster).ask(message_class(key, response=False)(), version)
    if response is not dispatch.ELSEWHERE:
        check_writable(key, version, response)


@pytest.mark.parametrize(("request_", "version"), PARTS)
async def test_answers_with_parts_are_written_in_each_version(request_: Message, version: int) -> None:
    cluster = Cluster(1)
    cluster.ids = 0
    cluster.create("t")
    response = await FakeNode(cluster).ask(copy.deepcopy(request_), version)
    check_writable(request_.API_KEY, version, response)


def check_writable(key: int, version: int, response: object) -> None:
    assert isinstance(response, Message)
    assert type(response) is message_class(key, response=True)
    decoded = _core.decode(type(response), version, _core.encode(response, version))
    assert type(decoded) is type(response)


def test_every_module_exists_and_answers_what_the_table_says() -> None:
    for key in apis.MODULES:
        assert dispatch.handler_of(key) is not None
