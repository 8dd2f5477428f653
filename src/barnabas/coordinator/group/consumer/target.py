"""Makes target assignments: asks an assignor who is to have what, and writes down what has changed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from barnabas._core import Uuid
from barnabas.coordinator.group.consumer import records
from barnabas.coordinator.group.consumer.assignor import NOTHING, Assign, GroupSpec, MemberSpec
from barnabas.coordinator.group.consumer.range import assign_range
from barnabas.coordinator.group.consumer.reconcile import Target
from barnabas.coordinator.group.consumer.uniform import assign_uniform

if TYPE_CHECKING:
    from barnabas._core import MetadataImage
    from barnabas.coordinator.group.consumer.group import ConsumerGroup
    from barnabas.coordinator.group.consumer.member import Member
    from barnabas.coordinator.machine import Context, Record

ASSIGNORS: Mapping[str, Assign] = {"uniform": assign_uniform, "range": assign_range}
"""By the names that configs and clients use."""


class SubscribedTopics:
    """The topics that a member subscribes to, asked by id."""

    __slots__ = ("_image", "_names")

    def __init__(self, names: frozenset[str], image: MetadataImage) -> None:
        self._names = names
        self._image = image

    def __contains__(self, topic_id: Uuid) -> bool:
        topic = self._image.topic_by_id(topic_id)
        return topic is not None and topic.name in self._names


def present_target(group: ConsumerGroup, member: Member) -> Target:
    """What a member was to have at last."""
    return Target(group.assignment_epoch, group.target_of(member))


def new_target(
    group: ConsumerGroup,
    group_epoch: int,
    member: Member,
    assign: Assign,
    context: Context,
    written: list[Record],
) -> Target:
    """Assigns anew, with `member` as it will be; what it is to have. Adds to `written` what has changed."""
    spec = _Specs(group, member, context.image).spec()
    assignments = assign(spec)
    for member_id, assignment in assignments.items():
        before = group.target.get(member_id)
        if before is None or (assignment is not before and assignment != before):
            written.append(records.target(group.group_id, member_id, assignment))
    written.append(records.target_epoch(group.group_id, group_epoch, context.now))
    return Target(group_epoch, assignments[member.member_id])


class _Specs:
    """Members as the assignor is to see them."""

    def __init__(self, group: ConsumerGroup, member: Member, image: MetadataImage) -> None:
        self._group = group
        self._member = member
        self._image = image
        self._counts: dict[Uuid, int] = {}
        self._topics: dict[frozenset[str], frozenset[Uuid]] = {}

    def spec(self) -> GroupSpec:
        group, member = self._group, self._member
        members = {**group.members, member.member_id: member}
        if member.instance_id is not None:
            previous = group.static_members.get(member.instance_id)
            if previous is not None and previous != member.member_id:
                del members[previous]
        specs = [self._member_spec(members[member_id]) for member_id in sorted(members)]
        # Kafka 4.3.1 asks the members as they were: one that joins without topics may cost the others theirs.
        same_topics = all(spec.topics == specs[0].topics for spec in specs)
        return GroupSpec(specs, same_topics, self._counts)

    def _member_spec(self, member: Member) -> MemberSpec:
        group = self._group
        assigned = group.target.get(member.member_id, NOTHING)
        if member is self._member and member.instance_id is not None:
            assigned = group.target_of(member) if member.instance_id in group.static_members else assigned
        topics = self._topic_ids(group.topics_of(member))
        return MemberSpec(member.member_id, member.instance_id, topics, assigned)

    def _topic_ids(self, names: frozenset[str]) -> frozenset[Uuid]:
        ids = self._topics.get(names)
        if ids is None:
            found = [topic for name in names if (topic := self._image.topic(name)) is not None]
            self._counts.update((topic.id, topic.partition_count) for topic in found)
            ids = self._topics[names] = frozenset(topic.id for topic in found)
        return ids
