"""What is wrong with a heartbeat by itself, before any group is asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from barnabas.coordinator.group.consumer.member import LEAVE_STATIC_EPOCH, NO_TIMEOUT
from barnabas.coordinator.group.epochs.group import LEAVE_EPOCH
from barnabas.coordinator.group.epochs.part import validate_not_empty
from barnabas.errors import InvalidRequest, UnsupportedAssignor

if TYPE_CHECKING:
    from barnabas.protocol.generated.consumer_group_heartbeat_request import ConsumerGroupHeartbeatRequest

CLIENT_IDS_VERSION = 1
"""From here on members choose their ids themselves (KIP-1082)."""


def validate(request: ConsumerGroupHeartbeatRequest, version: int, assignors: tuple[str, ...]) -> None:
    """Raises InvalidRequest or UnsupportedAssignor."""
    epoch = request.member_epoch
    if (version >= CLIENT_IDS_VERSION or epoch > 0 or epoch == LEAVE_EPOCH) and not request.member_id.strip():
        raise InvalidRequest("MemberId can't be empty.")
    validate_not_empty(GroupId=request.group_id, InstanceId=request.instance_id, RackId=request.rack_id)
    if epoch == 0:
        _validate_join(request)
    elif epoch == LEAVE_STATIC_EPOCH:
        if request.instance_id is None:
            raise InvalidRequest("InstanceId can't be null.")
    elif epoch < LEAVE_STATIC_EPOCH:
        raise InvalidRequest("MemberEpoch is invalid.")
    if request.server_assignor is not None and request.server_assignor not in assignors:
        raise UnsupportedAssignor(
            f"ServerAssignor {request.server_assignor} is not supported."
            f" Supported assignors: {', '.join(assignors)}."
        )


def _validate_join(request: ConsumerGroupHeartbeatRequest) -> None:
    if request.rebalance_timeout_ms == NO_TIMEOUT:
        raise InvalidRequest("RebalanceTimeoutMs must be provided in first request.")
    if request.topic_partitions is None or request.topic_partitions:
        raise InvalidRequest("TopicPartitions must be empty when (re-)joining.")
    if request.subscribed_topic_names is None and request.subscribed_topic_regex is None:
        raise InvalidRequest(
            "Either SubscribedTopicNames or SubscribedTopicRegex must be non-null when (re-)joining."
        )
