"""DescribeCluster."""

from barnabas._core import ColdRequest
from barnabas.protocol import ApiKey, ErrorCode
from barnabas.protocol.generated.describe_cluster_request import DescribeClusterRequest
from barnabas.protocol.generated.describe_cluster_response import (
    DescribeClusterBroker,
    DescribeClusterResponse,
)
from barnabas.server.handlers.context import NodeContext, body, handles

BROKERS, CONTROLLERS = 1, 2
"""Kinds of endpoints."""

CLUSTER_OPERATIONS = sum(1 << operation for operation in (5, 7, 8, 9, 10, 11, 12))
"""Create, Alter, Describe, ClusterAction, DescribeConfigs, AlterConfigs and IdempotentWrite, as bits: all
that can be done to a cluster, since nothing is forbidden without an authorizer."""


@handles(ApiKey.DESCRIBE_CLUSTER)
async def describe_cluster(node: NodeContext, request: ColdRequest) -> DescribeClusterResponse:
    """Cluster id, controller and brokers."""
    asked = body(request, DescribeClusterRequest)
    if asked.endpoint_type == CONTROLLERS:
        return DescribeClusterResponse(
            error_code=ErrorCode.MISMATCHED_ENDPOINT_TYPE,
            error_message="The request was sent to a BROKER endpoint, but asks for a CONTROLLER endpoint.",
        )
    if asked.endpoint_type != BROKERS:
        return DescribeClusterResponse(
            error_code=ErrorCode.UNSUPPORTED_ENDPOINT_TYPE,
            error_message=f"Unsupported endpoint type {asked.endpoint_type}",
        )
    response = DescribeClusterResponse(cluster_id=node.cluster_id, controller_id=node.node_id)
    for broker in node.image().brokers():
        for name, host, port, _ in broker.listeners:
            if name == request.listener and (asked.include_fenced_brokers or not broker.fenced):
                response.brokers.append(
                    DescribeClusterBroker(
                        broker_id=broker.id, host=host, port=port, rack=broker.rack, is_fenced=broker.fenced
                    )
                )
    if asked.include_cluster_authorized_operations:
        response.cluster_authorized_operations = CLUSTER_OPERATIONS
    return response
