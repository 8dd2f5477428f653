"""AlterReplicaLogDirs."""

from barnabas._core import ColdRequest
from barnabas.protocol import ApiKey
from barnabas.protocol.generated.alter_replica_log_dirs_request import AlterReplicaLogDirsRequest
from barnabas.protocol.generated.alter_replica_log_dirs_response import (
    AlterReplicaLogDirPartitionResult,
    AlterReplicaLogDirsResponse,
    AlterReplicaLogDirTopicResult,
)
from barnabas.server.handlers.context import NodeContext, body, handles


@handles(ApiKey.ALTER_REPLICA_LOG_DIRS)
async def alter_replica_log_dirs(node: NodeContext, request: ColdRequest) -> AlterReplicaLogDirsResponse:
    """Moves replicas of this node between its directories, each or not."""
    wanted: dict[tuple[str, int], str] = {}
    for directory in body(request, AlterReplicaLogDirsRequest).dirs:
        for topic in directory.topics:
            wanted.update({(topic.name, partition): directory.path for partition in topic.partitions})
    results: dict[str, AlterReplicaLogDirTopicResult] = {}
    for (name, partition), path in wanted.items():
        code = node.native.alter_replica_log_dir(name, partition, path)
        result = results.setdefault(name, AlterReplicaLogDirTopicResult(topic_name=name))
        result.partitions.append(
            AlterReplicaLogDirPartitionResult(partition_index=partition, error_code=code)
        )
    return AlterReplicaLogDirsResponse(results=results.values())
