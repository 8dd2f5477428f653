"""A player whose members may also speak the classic protocol."""

from __future__ import annotations

from typing import Any

from barnabas._core import decode, encode
from barnabas.protocol.generated import consumer_protocol_subscription as subscription
from barnabas.protocol.generated.consumer_protocol_assignment import ConsumerProtocolAssignment
from barnabas.protocol.generated.heartbeat_request import HeartbeatRequest
from barnabas.protocol.generated.join_group_request import JoinGroupRequest, JoinGroupRequestProtocol
from barnabas.protocol.generated.leave_group_request import LeaveGroupRequest, MemberIdentity
from barnabas.protocol.generated.sync_group_request import SyncGroupRequest
from tests.conformance.groups.player import REBALANCE_TIMEOUT_MS, Member, Player, Seen, shown

PROTOCOL = "range"
SUBSCRIPTION_VERSION = 1
SESSION_TIMEOUT_MS = 600_000


class MixedPlayer(Player):
    """Members of both protocols on one cluster."""

    def classic_join(self, who: str, group: str, topics: Seen, instance: str | None = None) -> Seen:
        """A member joins with JoinGroup. It chooses its id itself, which a consumer group allows: the range
        assignor goes by ids."""
        new = Member(group, "" if instance else f"{self.prefix}-{who}", instance)
        member = self.members.setdefault(who, new)
        response = self._join(member, topics)
        if response.error_code == 0:
            member.member_id, member.epoch = response.member_id, response.generation_id
            self.ids[response.member_id] = who
        said = (response.protocol_type, response.protocol_name, len(response.members))
        return (response.error_code, response.generation_id, *said)

    def _join(self, member: Member, topics: Seen) -> Any:
        owned = [
            subscription.TopicPartition(f"{self.prefix}-{name}", sorted(member.owned[name]))
            for name in sorted(member.owned)
        ]
        names = [f"{self.prefix}-{name}" for name in topics]
        says = subscription.ConsumerProtocolSubscription(names, None, owned)
        metadata = SUBSCRIPTION_VERSION.to_bytes(2, "big") + encode(says, SUBSCRIPTION_VERSION)
        request = JoinGroupRequest(
            group_id=self._group(member),
            session_timeout_ms=SESSION_TIMEOUT_MS,
            rebalance_timeout_ms=REBALANCE_TIMEOUT_MS,
            member_id=member.member_id,
            group_instance_id=self._instance(member),
            protocol_type="consumer",
            protocols=[JoinGroupRequestProtocol(PROTOCOL, metadata)],
        )
        return self.connection.request(request, 9)

    def _group(self, member: Member) -> str:
        return f"{self.prefix}-{member.group}"

    def _instance(self, member: Member) -> str | None:
        return member.instance_id and f"{self.prefix}-{member.instance_id}"

    def classic_sync(self, who: str) -> Seen:
        """A member asks for what it has been assigned."""
        member = self.member(who)
        request = SyncGroupRequest(
            group_id=self._group(member),
            generation_id=member.epoch,
            member_id=member.member_id,
            group_instance_id=self._instance(member),
            protocol_type="consumer",
            protocol_name=PROTOCOL,
        )
        response = self.connection.request(request, 5)
        if response.error_code:
            return (response.error_code,)
        version = int.from_bytes(response.assignment[:2], "big")
        read: Any = decode(ConsumerProtocolAssignment, version, response.assignment[2:])
        prefix = len(self.prefix) + 1
        member.owned = {topic.topic[prefix:]: set(topic.partitions) for topic in read.assigned_partitions}
        return (0, version, shown(member.owned))

    def classic_beat(self, who: str, epoch: int = 0) -> Seen:
        """A member heartbeats with Heartbeat."""
        member = self.member(who)
        request = HeartbeatRequest(
            self._group(member), member.epoch + epoch, member.member_id, self._instance(member)
        )
        return (self.connection.request(request, 4).error_code,)

    def classic_leave(self, who: str) -> Seen:
        """A member leaves with LeaveGroup."""
        member = self.member(who)
        leaver = MemberIdentity(member.member_id, self._instance(member))
        response = self.connection.request(LeaveGroupRequest(self._group(member), members=[leaver]), 5)
        member.owned.clear()
        return (response.error_code, [one.error_code for one in response.members])
