"""What a streams group is reckoned with, and what its members are to have."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

from barnabas._core import subscription_hash
from barnabas.coordinator.group.streams import records
from barnabas.coordinator.group.streams.assignor import MemberSpec, assign_sticky
from barnabas.coordinator.group.streams.configured import ConfiguredTopology, configure

if TYPE_CHECKING:
    from barnabas.coordinator.group.streams.group import StreamsGroup
    from barnabas.coordinator.group.streams.member import StreamsMember
    from barnabas.coordinator.group.streams.tasks import Tasks
    from barnabas.coordinator.group.streams.topology import Topology
    from barnabas.coordinator.machine import Context, Record

NOT_VALIDATED = -1
"""Validated topology epoch of a group whose topics aren't all there."""
STANDBY_REPLICAS = "num.standby.replicas"
"""The assignor's config, as the group's records name it."""


class Basis(NamedTuple):
    """What a group epoch is reckoned with: when it differs, the epoch goes up."""

    metadata_hash: int
    validated_topology_epoch: int
    assignment_configs: Mapping[str, str]


def configured_now(
    group: StreamsGroup, topology: Topology, context: Context
) -> tuple[ConfiguredTopology, int]:
    """The topology on the topics as they are now, and their hash."""
    checked = group.metadata_checked_at_epoch == group.group_epoch
    if group.topology is not None and group.configured is not None and checked:
        return group.configured, group.metadata_hash
    metadata_hash = subscription_hash(sorted(topology.required_topics), context.image)
    if group.topology is None or group.configured is None or metadata_hash != group.metadata_hash:
        group.configured = configure(topology, context.image)
    return group.configured, metadata_hash


def update_epoch(
    group: StreamsGroup,
    topology: Topology,
    configured: ConfiguredTopology,
    metadata_hash: int,
    context: Context,
    written: list[Record],
    *,
    bump: bool,
) -> int:
    """The group's epoch, which goes up when what it is reckoned with differs, or else when told to `bump`."""
    basis = Basis(
        metadata_hash,
        topology.epoch if configured.is_ready else NOT_VALIDATED,
        {STANDBY_REPLICAS: str(_standby_replicas(group, context))},
    )
    epoch = group.group_epoch
    if bump or basis != (group.metadata_hash, group.validated_topology_epoch, group.assignment_configs):
        epoch += 1
        written.append(records.group_epoch(group.group_id, epoch, *basis))
    group.metadata_checked_at_epoch = epoch
    return epoch


def new_target(
    group: StreamsGroup,
    members: Mapping[str, StreamsMember],
    epoch: int,
    configured: ConfiguredTopology,
    context: Context,
    written: list[Record],
) -> Mapping[str, Tasks]:
    """Assigns anew, to members as they will be; what each is to have. Adds to `written` what has changed."""
    specs = [
        MemberSpec(member_id, member.process_id, group.target_of(member_id))
        for member_id, member in members.items()
    ]
    subtopologies = configured.subtopologies if configured.is_ready else {}
    assigned = assign_sticky(specs, subtopologies, _standby_replicas(group, context))
    for member_id in sorted(assigned):
        if group.target.get(member_id) != assigned[member_id]:
            written.append(records.target(group.group_id, member_id, assigned[member_id]))
    written.append(records.target_epoch(group.group_id, epoch, context.now))
    return assigned


def _standby_replicas(group: StreamsGroup, context: Context) -> int:
    count: int = context.configs.group_integer(context.image, group.group_id, "streams.num.standby.replicas")
    return count
