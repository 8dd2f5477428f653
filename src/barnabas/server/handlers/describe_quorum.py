"""DescribeQuorum."""

from barnabas._core import ColdRequest, Uuid
from barnabas.controller.names import CLUSTER_METADATA_TOPIC
from barnabas.errors import KafkaError
from barnabas.protocol import ApiKey, ErrorCode
from barnabas.protocol.generated.describe_quorum_request import DescribeQuorumRequest
from barnabas.protocol.generated.describe_quorum_response import (
    DescribeQuorumResponse,
    Listener,
    Node,
    PartitionData,
    ReplicaState,
    TopicData,
)
from barnabas.server.handlers.context import NodeContext, body, handles

NO_DIRECTORY = Uuid(bytes(16))


@handles(ApiKey.DESCRIBE_QUORUM)
async def describe_quorum(node: NodeContext, request: ColdRequest) -> DescribeQuorumResponse:
    """State of the metadata log: leader, high watermark, voters."""
    asked = body(request, DescribeQuorumRequest)
    partitions = [
        (topic.topic_name, partition.partition_index)
        for topic in asked.topics
        for partition in topic.partitions
    ]
    # Kafka answers for exactly this one partition or for none.
    if partitions == [(CLUSTER_METADATA_TOPIC, 0)]:
        return _quorum(node, request.api_version)
    error = KafkaError.for_code(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
    return DescribeQuorumResponse(
        topics=[
            TopicData(
                topic_name=topic.topic_name,
                partitions=[
                    PartitionData(
                        partition_index=partition.partition_index,
                        error_code=error.error_code,
                        error_message=error.message,
                    )
                    for partition in topic.partitions
                ],
            )
            for topic in asked.topics
        ]
    )


def _quorum(node: NodeContext, version: int) -> DescribeQuorumResponse:
    quorum, now = node.native.quorum(), node.now()
    voters = [
        ReplicaState(
            replica_id=voter_id,
            replica_directory_id=directory_id if version >= 2 else NO_DIRECTORY,
            log_end_offset=quorum.log_end_offset,
            last_fetch_timestamp=now,
            last_caught_up_timestamp=now,
        )
        for voter_id, directory_id, _ in quorum.voters
    ]
    partition = PartitionData(
        partition_index=0,
        leader_id=quorum.leader_id,
        leader_epoch=quorum.leader_epoch,
        high_watermark=quorum.high_watermark,
        current_voters=voters,
    )
    return DescribeQuorumResponse(
        topics=[TopicData(topic_name=CLUSTER_METADATA_TOPIC, partitions=[partition])],
        nodes=[
            Node(
                node_id=voter_id,
                listeners=[Listener(name=name, host=host, port=port) for name, host, port in endpoints],
            )
            for voter_id, _, endpoints in quorum.voters
            if version >= 2
        ],
    )
