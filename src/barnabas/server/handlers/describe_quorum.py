"""DescribeQuorum."""

from barnabas._core import ColdRequest
from barnabas.controller.names import CLUSTER_METADATA_TOPIC
from barnabas.errors import KafkaError
from barnabas.protocol import ApiKey, ErrorCode
from barnabas.protocol.generated.describe_quorum_request import DescribeQuorumRequest
from barnabas.protocol.generated.describe_quorum_response import (
    DescribeQuorumResponse,
    Node,
    PartitionData,
    ReplicaState,
    TopicData,
)
from barnabas.server.handlers.context import NodeContext, body, handles


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
    voter = ReplicaState(
        replica_id=node.node_id,
        log_end_offset=quorum.log_end_offset,
        last_fetch_timestamp=now,
        last_caught_up_timestamp=now,
    )
    if version >= 2:
        voter.replica_directory_id = quorum.directory_id
    partition = PartitionData(
        partition_index=0,
        leader_id=quorum.leader_id,
        leader_epoch=quorum.leader_epoch,
        high_watermark=quorum.high_watermark,
        current_voters=[voter],
    )
    return DescribeQuorumResponse(
        topics=[TopicData(topic_name=CLUSTER_METADATA_TOPIC, partitions=[partition])],
        # Without listeners: the controller of one node opens none; nobody should be sent to a closed port.
        nodes=[Node(node_id=node.node_id)] if version >= 2 else (),
    )
