"""DescribeCluster: the brokers on their listeners, the controllers on theirs (KIP-919)."""

from collections.abc import Iterable

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

NAMES = {BROKERS: "BROKER", CONTROLLERS: "CONTROLLER"}

CLUSTER_OPERATIONS = sum(1 << operation for operation in (5, 7, 8, 9, 10, 11, 12))
"""Create, Alter, Describe, ClusterAction, DescribeConfigs, AlterConfigs and IdempotentWrite, as bits: all
that can be done to a cluster, since nothing is forbidden without an authorizer."""


@handles(ApiKey.DESCRIBE_CLUSTER)
async def describe_cluster(node: NodeContext, request: ColdRequest) -> DescribeClusterResponse:
    """Cluster id, controller, and the nodes that listen as the client's listener does."""
    asked = body(request, DescribeClusterRequest)
    here = CONTROLLERS if node.settings.is_controller_listener(request.listener) else BROKERS
    if asked.endpoint_type not in NAMES:
        return DescribeClusterResponse(
            error_code=ErrorCode.UNSUPPORTED_ENDPOINT_TYPE,
            error_message=f"Unsupported endpoint type {asked.endpoint_type}",
        )
    if asked.endpoint_type != here:
        # Version 0 knows neither the error nor any endpoint but brokers.
        known = request.api_version >= 1
        return DescribeClusterResponse(
            error_code=ErrorCode.MISMATCHED_ENDPOINT_TYPE if known else ErrorCode.INVALID_REQUEST,
            error_message=(
                f"The request was sent to a {NAMES[here]} endpoint, "
                f"but asks for a {NAMES[asked.endpoint_type]} endpoint."
            ),
        )
    nodes = _controllers(node, request) if here == CONTROLLERS else _brokers(node, request, asked)
    response = DescribeClusterResponse(
        endpoint_type=here, cluster_id=node.cluster_id, controller_id=node.node_id, brokers=nodes
    )
    if asked.include_cluster_authorized_operations:
        response.cluster_authorized_operations = CLUSTER_OPERATIONS
    return response


def _brokers(
    node: NodeContext, request: ColdRequest, asked: DescribeClusterRequest
) -> Iterable[DescribeClusterBroker]:
    for broker in node.image().brokers():
        for name, host, port, _ in broker.listeners:
            if name == request.listener and (asked.include_fenced_brokers or not broker.fenced):
                yield DescribeClusterBroker(
                    broker_id=broker.id, host=host, port=port, rack=broker.rack, is_fenced=broker.fenced
                )


def _controllers(node: NodeContext, request: ColdRequest) -> Iterable[DescribeClusterBroker]:
    image = node.image()
    for controller_id, _ in image.controllers():
        controller = image.controller(controller_id)
        for name, host, port, _ in controller.listeners if controller is not None else ():
            if name == request.listener:
                yield DescribeClusterBroker(broker_id=controller_id, host=host, port=port)
