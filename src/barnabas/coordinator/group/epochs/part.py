"""What the parts of all kinds of groups with epochs do alike."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

from barnabas._core import changed_topics
from barnabas.coordinator.group.epochs.group import EpochGroup, EpochMember
from barnabas.coordinator.group.kind import Groups, Part
from barnabas.errors import FencedMemberEpoch, GroupIdNotFound, InvalidGroupId, InvalidRequest, KafkaError

if TYPE_CHECKING:
    from barnabas._core import MetadataImage, Uuid
    from barnabas.coordinator.machine import Call, Outputs

G = TypeVar("G", bound=EpochGroup[Any, Any])


class EpochPart(Part, Generic[G]):
    """The part of one kind."""

    group_class: ClassVar[type[EpochGroup[Any, Any]]]

    def __init__(self, groups: Groups) -> None:
        super().__init__(groups)
        self.image: MetadataImage | None = None
        """The metadata that the groups were last compared with."""

    def groups_of_kind(self) -> Sequence[Any]:
        """All groups of the kind."""
        return [group for group in self.groups.by_id.values() if isinstance(group, self.group_class)]

    def describe(self, call: Call, out: Outputs, described: Callable[[Any], Any], failed: type[Any]) -> None:
        """Answers with the group's description, or with one that says why there is none."""
        group_id = call.request.group_id
        try:
            if not group_id:
                raise InvalidGroupId()
            answer = described(self.groups.get(self.group_class, group_id))
        except KafkaError as error:
            answer = failed(group_id=group_id, error_code=error.error_code)
            if isinstance(error, GroupIdNotFound):
                answer.error_message = error.message
        out.respond(call.ticket, answer)

    def look(self, image: MetadataImage) -> tuple[set[str], bool]:
        """Takes up new metadata. Groups whose topics have changed look at them with their next heartbeat.
        Names of the topics that differ, and whether any was created; nothing where there are no groups, for
        whoever comes later looks at all topics anyway."""
        before, self.image = self.image, image
        groups = self.groups_of_kind()
        if before is None or not groups:
            return set(), True
        changed, created = changed_topics(before, image)
        if changed:
            for group in groups:
                if not changed.isdisjoint(group.subscribed_topics()):
                    group.metadata_checked_at_epoch = None
        return changed, created


def validate_epoch(
    kind: str, member: EpochMember, epoch: int, owns_only_assigned: Callable[[], bool] = lambda: True
) -> None:
    """Raises FencedMemberEpoch when a member is not where it believes to be.

    One that has not heard of its last step may repeat its heartbeat, if it owns nothing that it lost then."""
    if epoch in (0, member.member_epoch):
        return
    if epoch < member.member_epoch and epoch == member.previous_member_epoch and owns_only_assigned():
        return
    than = "greater" if epoch > member.member_epoch else "smaller"
    raise FencedMemberEpoch(
        f"The {kind} group member has a {than} member epoch ({epoch}) than the one known by the group"
        f" coordinator ({member.member_epoch}). The member must abandon all its partitions and rejoin."
    )


def validate_not_empty(**fields: str | None) -> None:
    """Raises InvalidRequest for a field, by its name in the protocol, that is given but says nothing."""
    for name, value in fields.items():
        if value is not None and not value.strip():
            raise InvalidRequest(f"{name} can't be empty.")


def named_topics(
    assignment: Mapping[Uuid, frozenset[int]], image: MetadataImage, topic_partitions: type[Any]
) -> list[Any]:
    """An assignment as descriptions have it: topics that exist, with their names, in order."""
    topics = []
    for topic_id in sorted(assignment):
        topic = image.topic_by_id(topic_id)
        if topic is not None:
            topics.append(topic_partitions(topic_id, topic.name, sorted(assignment[topic_id])))
    return topics
