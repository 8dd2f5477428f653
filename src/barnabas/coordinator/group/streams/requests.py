"""What a streams group is asked by the server, and what it answers beyond Kafka's messages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from barnabas.coordinator.group.streams.configured import InternalTopic
    from barnabas.protocol.generated.streams_group_heartbeat_response import StreamsGroupHeartbeatResponse


class DescribeStreamsGroup(NamedTuple):
    """One group of a StreamsGroupDescribe; the answer is a DescribedGroup of that API."""

    group_id: str


class CreateTopicsFirst(NamedTuple):
    """The answer to a StreamsGroupHeartbeat while internal topics are missing: the server makes them before
    it gives the member its response."""

    response: StreamsGroupHeartbeatResponse
    topics: Mapping[str, InternalTopic]
