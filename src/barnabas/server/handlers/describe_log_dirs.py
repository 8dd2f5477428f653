"""DescribeLogDirs."""

from collections.abc import Callable

from barnabas._core import ColdRequest
from barnabas.protocol import ApiKey
from barnabas.protocol.generated.describe_log_dirs_request import DescribeLogDirsRequest
from barnabas.protocol.generated.describe_log_dirs_response import (
    DescribeLogDirsPartition,
    DescribeLogDirsResponse,
    DescribeLogDirsResult,
    DescribeLogDirsTopic,
)
from barnabas.server.handlers.context import NodeContext, body, handles


@handles(ApiKey.DESCRIBE_LOG_DIRS)
async def describe_log_dirs(node: NodeContext, request: ColdRequest) -> DescribeLogDirsResponse:
    """Directories of this node, and the replicas in them, all or those asked for."""
    wanted = _selection(body(request, DescribeLogDirsRequest))
    cordoned = node.settings.get_list("cordoned.log.dirs")
    response = DescribeLogDirsResponse()
    for directory in node.native.log_directories():
        topics: dict[str, DescribeLogDirsTopic] = {}
        for topic, partition, size, lag, future in directory.replicas:
            if wanted(topic, partition):
                entry = topics.setdefault(topic, DescribeLogDirsTopic(name=topic))
                entry.partitions.append(
                    DescribeLogDirsPartition(
                        partition_index=partition, partition_size=size, offset_lag=lag, is_future_key=future
                    )
                )
        response.results.append(
            DescribeLogDirsResult(
                error_code=directory.error_code,
                log_dir=directory.path,
                topics=topics.values(),
                total_bytes=directory.total_bytes,
                usable_bytes=directory.usable_bytes,
                is_cordoned=directory.path in cordoned or cordoned == ("*",),
            )
        )
    return response


def _selection(asked: DescribeLogDirsRequest) -> Callable[[str, int], bool]:
    if asked.topics is None:
        return lambda _topic, _partition: True
    wanted = {(topic.topic, partition) for topic in asked.topics for partition in topic.partitions}
    return lambda topic, partition: (topic, partition) in wanted
