"""DescribeCluster, DescribeQuorum, log directories, Metadata's auto-creation, DeleteTopics switched off."""

from types import SimpleNamespace
from typing import Any

from barnabas._core import Uuid
from barnabas.controller import brokers
from barnabas.controller.controllers import register_controller
from barnabas.protocol import ErrorCode
from barnabas.protocol.generated import alter_replica_log_dirs_request as moves
from barnabas.protocol.generated import describe_quorum_request as quorum
from barnabas.protocol.generated.create_acls_request import AclCreation, CreateAclsRequest
from barnabas.protocol.generated.delete_topics_request import DeleteTopicsRequest, DeleteTopicState
from barnabas.protocol.generated.describe_cluster_request import DescribeClusterRequest
from barnabas.protocol.generated.describe_log_dirs_request import (
    DescribableLogDirTopic,
    DescribeLogDirsRequest,
)
from barnabas.protocol.generated.metadata_request import MetadataRequest, MetadataRequestTopic
from barnabas.protocol.generated.sasl_authenticate_request import SaslAuthenticateRequest
from barnabas.protocol.generated.sasl_handshake_request import SaslHandshakeRequest
from barnabas.protocol.generated.unregister_broker_request import UnregisterBrokerRequest
from barnabas.server import dispatch
from tests.support.cluster import CLUSTER_ID, Cluster, numbered, registration
from tests.support.fake_node import FakeNode


def cluster_with_listeners(count: int) -> Cluster:
    from barnabas.protocol.generated.broker_registration_request import Listener

    cluster = Cluster(count)
    for broker_id in range(1, count + 1):
        request = registration(
            broker_id,
            incarnation=numbered(900 + broker_id),
            log_dirs=[numbered(950 + broker_id)],
            previous_epoch=cluster.state.brokers[broker_id].epoch,
        )
        request.listeners = [
            Listener("PLAINTEXT", f"host-{broker_id}", 9092, 0),
            Listener("OTHER", f"other-{broker_id}", 9094, 0),
        ]
        cluster.apply(brokers.register(cluster.state, request, cluster.image.offset + 1, session_valid=False))
        cluster.write(brokers.unfence(cluster.state, broker_id))
    return cluster


async def test_a_cluster_is_described_through_the_listener_that_is_asked() -> None:
    node = FakeNode(cluster_with_listeners(2))
    response = await node.ask(DescribeClusterRequest())
    assert (response.cluster_id, response.controller_id) == (CLUSTER_ID, 1)
    assert [(b.broker_id, b.host, b.port) for b in response.brokers] == [
        (1, "host-1", 9092),
        (2, "host-2", 9092),
    ]
    response = await node.ask(DescribeClusterRequest(), listener="OTHER")
    assert [b.host for b in response.brokers] == ["other-1", "other-2"]


async def test_fenced_brokers_are_described_when_asked_for() -> None:
    node = FakeNode(cluster_with_listeners(2))
    node.cluster.write(brokers.fence(node.cluster.state, 2))
    response = await node.ask(DescribeClusterRequest())
    assert [b.broker_id for b in response.brokers] == [1]
    response = await node.ask(DescribeClusterRequest(include_fenced_brokers=True))
    assert [(b.broker_id, b.is_fenced) for b in response.brokers] == [(1, False), (2, True)]


async def test_authorized_operations_are_all_of_them() -> None:
    node = FakeNode()
    response = await node.ask(DescribeClusterRequest(include_cluster_authorized_operations=True))
    assert response.cluster_authorized_operations == 8096
    assert (await node.ask(DescribeClusterRequest())).cluster_authorized_operations == -(2**31)


async def test_controllers_are_not_described_by_a_broker() -> None:
    node = FakeNode()
    response = await node.ask(DescribeClusterRequest(endpoint_type=2))
    assert response.error_code == ErrorCode.MISMATCHED_ENDPOINT_TYPE
    response = await node.ask(DescribeClusterRequest(endpoint_type=7))
    assert response.error_code == ErrorCode.UNSUPPORTED_ENDPOINT_TYPE


async def test_controllers_are_described_on_their_own_listener_only() -> None:
    node = FakeNode(cluster_with_listeners(2))
    at = [("CONTROLLER", "controller-1", 9093, 0), ("ELSEWHERE", "controller-1", 9094, 0)]
    node.cluster.write([register_controller(1, numbered(990), at)])
    response = await node.ask(DescribeClusterRequest(endpoint_type=2), listener="CONTROLLER")
    assert (response.endpoint_type, response.cluster_id, response.controller_id) == (2, CLUSTER_ID, 1)
    assert [(b.broker_id, b.host, b.port, b.rack, b.is_fenced) for b in response.brokers] == [
        (1, "controller-1", 9093, None, False)
    ]
    refused = await node.ask(DescribeClusterRequest(endpoint_type=1), listener="CONTROLLER")
    assert refused.error_code == ErrorCode.MISMATCHED_ENDPOINT_TYPE
    # Version 0 has neither endpoint types nor their error.
    refused = await node.ask(DescribeClusterRequest(), version=0, listener="CONTROLLER")
    assert refused.error_code == ErrorCode.INVALID_REQUEST


async def test_the_quorum_is_this_node() -> None:
    asked = quorum.DescribeQuorumRequest([quorum.TopicData("__cluster_metadata", [quorum.PartitionData(0)])])
    response = await FakeNode().ask(asked)
    partition = response.topics[0].partitions[0]
    assert (partition.leader_id, partition.leader_epoch, partition.high_watermark) == (1, 3, 20)
    assert [(v.replica_id, v.log_end_offset) for v in partition.current_voters] == [(1, 21)]


async def test_voters_are_found_where_their_quorum_says() -> None:
    asked = quorum.DescribeQuorumRequest([quorum.TopicData("__cluster_metadata", [quorum.PartitionData(0)])])
    response = await FakeNode().ask(asked)
    assert [voter.replica_directory_id for voter in response.topics[0].partitions[0].current_voters] == [
        numbered(5)
    ]
    [voter] = response.nodes
    [listener] = voter.listeners
    assert voter.node_id == 1
    assert (listener.name, listener.host, listener.port) == ("CONTROLLER", "127.0.0.1", 9093)
    older = await FakeNode().ask(asked, version=1)
    assert list(older.nodes) == []


async def test_no_other_log_has_a_quorum() -> None:
    for topic, index in (("t", 0), ("__cluster_metadata", 1)):
        asked = quorum.DescribeQuorumRequest([quorum.TopicData(topic, [quorum.PartitionData(index)])])
        response = await FakeNode().ask(asked)
        assert response.error_code == ErrorCode.NONE
        assert response.topics[0].partitions[0].error_code == ErrorCode.UNKNOWN_TOPIC_OR_PARTITION


def directory(path: str, *replicas: tuple[str, int, int, int, bool]) -> Any:
    return SimpleNamespace(
        path=path, error_code=0, total_bytes=1000, usable_bytes=600, replicas=list(replicas)
    )


async def test_log_directories_are_described_with_what_is_asked_for() -> None:
    node = FakeNode()
    node.native.directories = [
        directory("/data/a", ("t", 0, 50, 0, False), ("t", 1, 60, 0, False)),
        directory("/data/b", ("t", 0, 10, 40, True)),
    ]

    async def described(request: DescribeLogDirsRequest) -> dict[str, list[tuple[str, int, int, bool]]]:
        response = await node.ask(request)
        return {
            result.log_dir: [
                (topic.name, partition.partition_index, partition.partition_size, partition.is_future_key)
                for topic in result.topics
                for partition in topic.partitions
            ]
            for result in response.results
        }

    assert await described(DescribeLogDirsRequest(topics=None)) == {
        "/data/a": [("t", 0, 50, False), ("t", 1, 60, False)],
        "/data/b": [("t", 0, 10, True)],
    }
    one = DescribeLogDirsRequest(topics=[DescribableLogDirTopic("t", [1, 9])])
    assert await described(one) == {"/data/a": [("t", 1, 60, False)], "/data/b": []}


async def test_replicas_are_moved_one_by_one() -> None:
    node = FakeNode()
    node.native.move_code = ErrorCode.LOG_DIR_NOT_FOUND
    topic = moves.AlterReplicaLogDirTopic("t", [0, 1])
    request = moves.AlterReplicaLogDirsRequest([moves.AlterReplicaLogDir("/nope", [topic])])
    response = await node.ask(request)
    assert node.native.moves == [("t", 0, "/nope"), ("t", 1, "/nope")]
    (result,) = response.results
    assert [(p.partition_index, p.error_code) for p in result.partitions] == [(0, 57), (1, 57)]


def metadata(*names: str, allow: bool = True) -> MetadataRequest:
    asked = [MetadataRequestTopic(name=name) for name in names]
    return MetadataRequest(topics=asked, allow_auto_topic_creation=allow)


async def test_missing_topics_are_created_and_rust_answers() -> None:
    node = FakeNode()
    node.cluster.create("there")
    names = "there", "new", "bad name", "__consumer_offsets"
    assert await node.ask(metadata(*names)) is dispatch.ELSEWHERE
    assert [topic.name for topic in node.cluster.image.topics()] == ["new", "there"]
    assert node.answered_natively == [1]


async def test_topics_are_not_created_when_client_or_broker_forbids_it() -> None:
    node = FakeNode()
    await node.ask(metadata("new", allow=False))
    assert node.cluster.image.topic_count() == 0
    strict = FakeNode(Cluster(1, settings={"auto.create.topics.enable": "false"}))
    await strict.ask(metadata("new"))
    assert strict.cluster.image.topic_count() == 0
    assert strict.answered_natively == [1]


async def test_topics_are_kept_when_deletion_is_switched_off() -> None:
    cluster = Cluster(1, settings={"delete.topic.enable": "false"})
    cluster.create("t")
    node = FakeNode(cluster)
    response = await node.ask(DeleteTopicsRequest(topics=[DeleteTopicState("t", Uuid.ZERO)]))
    assert [r.error_code for r in response.responses] == [ErrorCode.TOPIC_DELETION_DISABLED]
    response = await node.ask(DeleteTopicsRequest(topic_names=["t"]), 2)
    assert [r.error_code for r in response.responses] == [ErrorCode.INVALID_REQUEST]
    assert cluster.image.topic_count() == 1


async def test_acls_need_an_authorizer() -> None:
    response = await FakeNode().ask(CreateAclsRequest([AclCreation(), AclCreation()]))
    assert [result.error_code for result in response.results] == [ErrorCode.SECURITY_DISABLED] * 2


async def test_nobody_logs_in_on_a_plaintext_listener() -> None:
    for request in (SaslHandshakeRequest("PLAIN"), SaslAuthenticateRequest(b"")):
        assert (await FakeNode().ask(request)).error_code == ErrorCode.ILLEGAL_SASL_STATE


async def test_a_running_broker_is_not_unregistered() -> None:
    node = FakeNode(Cluster(2))
    assert (await node.ask(UnregisterBrokerRequest(broker_id=1))).error_code == ErrorCode.INVALID_REQUEST
    assert (await node.ask(UnregisterBrokerRequest(broker_id=2))).error_code == ErrorCode.NONE
    unknown = await node.ask(UnregisterBrokerRequest(broker_id=2))
    assert unknown.error_code == ErrorCode.BROKER_ID_NOT_REGISTERED
    assert [broker.id for broker in node.image().brokers()] == [1]
