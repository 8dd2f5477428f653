"""Describes streams groups, for StreamsGroupDescribe."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, cast

from barnabas.coordinator.group.streams.tasks import Tasks, written
from barnabas.protocol.generated import streams_group_describe_response as response

if TYPE_CHECKING:
    from barnabas.coordinator.group.streams.configured import InternalTopic
    from barnabas.coordinator.group.streams.group import StreamsGroup
    from barnabas.coordinator.group.streams.member import StreamsMember
    from barnabas.coordinator.machine import Context
    from barnabas.protocol.generated import streams_group_topology_value as value


def described(group: StreamsGroup, context: Context) -> response.DescribedGroup:
    """The group as it is."""
    assignor = context.configs.of_group(context.image, group.group_id, "streams.assignor.name")
    return response.DescribedGroup(
        group_id=group.group_id,
        group_state=group.state_name(context.now),
        group_epoch=group.group_epoch,
        assignment_epoch=group.assignment_epoch,
        topology=_topology(group),
        members=[_member(group, member) for member in group.members.values()],
        assignor_name=cast("str", assignor),
    )


def _topology(group: StreamsGroup) -> response.Topology | None:
    """With numbers of partitions, where they are known."""
    topology, configured = group.topology, group.configured
    if topology is None:
        return None
    ready = configured.subtopologies if configured is not None and configured.is_ready else {}
    subtopologies = []
    for subtopology_id, one in topology.subtopologies.items():
        known = ready.get(subtopology_id)
        subtopologies.append(
            response.Subtopology(
                subtopology_id=subtopology_id,
                source_topics=sorted(one.source_topics),
                repartition_sink_topics=sorted(one.repartition_sink_topics),
                state_changelog_topics=_topics(
                    one.state_changelog_topics, known.state_changelog_topics if known else {}
                ),
                repartition_source_topics=_topics(
                    one.repartition_source_topics, known.repartition_source_topics if known else {}
                ),
            )
        )
    return response.Topology(topology.epoch, subtopologies)


def _topics(
    topics: Iterable[value.TopicInfo], known: Mapping[str, InternalTopic]
) -> list[response.TopicInfo]:
    return [
        response.TopicInfo(
            topic.name,
            known[topic.name].partition_count if topic.name in known else topic.partitions,
            topic.replication_factor,
            [response.KeyValue(config.key, config.value) for config in topic.topic_configs],
        )
        for topic in sorted(topics, key=lambda topic: topic.name)
    ]


def _member(group: StreamsGroup, member: StreamsMember) -> response.Member:
    endpoint = member.user_endpoint
    return response.Member(
        member_id=member.member_id,
        member_epoch=member.member_epoch,
        instance_id=member.instance_id,
        rack_id=member.rack_id,
        client_id=member.client_id,
        client_host=member.client_host,
        topology_epoch=member.topology_epoch,
        process_id=member.process_id,
        user_endpoint=None if endpoint is None else response.Endpoint(*endpoint),
        client_tags=[response.KeyValue(key, member.client_tags[key]) for key in sorted(member.client_tags)],
        assignment=_assignment(member.assigned.tasks()),
        target_assignment=_assignment(group.target_of(member.member_id)),
    )


def _assignment(tasks: Tasks) -> response.Assignment:
    return response.Assignment(*(written(role, response.TaskIds) for role in tasks.roles()))
