"""AlterPartitionReassignments and ListPartitionReassignments."""

from barnabas._core import ColdRequest
from barnabas.controller import reassignment
from barnabas.protocol import ApiKey
from barnabas.protocol.generated.alter_partition_reassignments_request import (
    AlterPartitionReassignmentsRequest,
)
from barnabas.protocol.generated.alter_partition_reassignments_response import (
    AlterPartitionReassignmentsResponse,
)
from barnabas.protocol.generated.list_partition_reassignments_request import (
    ListPartitionReassignmentsRequest,
)
from barnabas.protocol.generated.list_partition_reassignments_response import (
    ListPartitionReassignmentsResponse,
)
from barnabas.server.handlers.context import NodeContext, body, handles


@handles(ApiKey.ALTER_PARTITION_REASSIGNMENTS)
async def alter_partition_reassignments(
    node: NodeContext, request: ColdRequest
) -> AlterPartitionReassignmentsResponse:
    """Moves partitions to other brokers, or ends moves, each or not."""
    asked = body(request, AlterPartitionReassignmentsRequest)
    return await node.commit(reassignment.alter_partition_reassignments(node.state(), asked))


@handles(ApiKey.LIST_PARTITION_REASSIGNMENTS)
async def list_partition_reassignments(
    node: NodeContext, request: ColdRequest
) -> ListPartitionReassignmentsResponse:
    """The moves under way."""
    asked = body(request, ListPartitionReassignmentsRequest)
    return reassignment.list_partition_reassignments(node.image(), asked)
