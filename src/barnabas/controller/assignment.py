"""Partitions that a user places by hand, and the records of new partitions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from barnabas.controller.decision import ControllerState, Record, refuse
from barnabas.controller.placement import UsableBroker, place
from barnabas.protocol import ErrorCode
from barnabas.protocol.generated.partition_record import PartitionRecord

if TYPE_CHECKING:
    from barnabas._core import Uuid


def check_manual_assignment(
    state: ControllerState, replicas: Sequence[int], replication_factor: int | None
) -> None:
    """Refuses replicas that are none, not registered, not distinct, or not as many as others have."""
    where = "The manual partition assignment includes"
    if not replicas:
        raise refuse(ErrorCode.INVALID_REPLICA_ASSIGNMENT, f"{where} an empty replica list.")
    previous = None
    for replica in sorted(replicas):
        if replica not in state.brokers:
            raise refuse(
                ErrorCode.INVALID_REPLICA_ASSIGNMENT,
                f"{where} broker {replica}, but no such broker is registered.",
            )
        if replica == previous:
            raise refuse(
                ErrorCode.INVALID_REPLICA_ASSIGNMENT, f"{where} the broker {replica} more than once."
            )
        previous = replica
    if replication_factor is not None and len(replicas) != replication_factor:
        raise refuse(
            ErrorCode.INVALID_REPLICA_ASSIGNMENT,
            f"{where} a partition with {len(replicas)} replica(s), but other partitions have "
            f"{replication_factor}.",
        )


def check_manual_assignment_is_live(state: ControllerState, replicas: Sequence[int], index: int) -> None:
    """Refuses replicas none of which could lead."""
    if not any(map(state.active, replicas)):
        raise refuse(
            ErrorCode.INVALID_REPLICA_ASSIGNMENT,
            f"All brokers specified in the manual partition assignment for partition {index} are fenced or "
            "in controlled shutdown.",
        )


def place_automatically(state: ControllerState, partitions: int, replication_factor: int) -> list[list[int]]:
    """Replicas of new partitions on brokers that are not leaving."""
    usable = [
        UsableBroker(broker.id, broker.rack, broker.fenced)
        for broker in state.brokers.values()
        if not broker.in_controlled_shutdown
    ]
    return place(usable, partitions, replication_factor, state.chance)


def new_partition(state: ControllerState, topic_id: Uuid, index: int, replicas: Sequence[int]) -> Record:
    """The record of a partition that starts with all its live replicas in sync."""
    isr = [replica for replica in replicas if state.active(replica)]
    record = PartitionRecord(
        topic_id=topic_id,
        partition_id=index,
        replicas=list(replicas),
        isr=isr,
        leader=isr[0],
        leader_epoch=0,
        partition_epoch=0,
    )
    if state.versions.directories:
        record.directories = [state.default_directory(replica) for replica in replicas]
    return record, state.versions.partition
