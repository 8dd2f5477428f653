"""What a share group is asked by the server, and what it asks of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from barnabas._core import Uuid
from barnabas.coordinator.group.share.state_partitions import Topics


class DescribeShareGroup(NamedTuple):
    """One group of a ShareGroupDescribe; the answer is a DescribedGroup of that API."""

    group_id: str


class InitializeStates(NamedTuple):
    """An effect: the share coordinator is to begin with these partitions. `StatesInitialized` follows."""

    group_id: str
    state_epoch: int
    topics: Topics


class StatesInitialized(NamedTuple):
    """The share coordinator has begun with these partitions; the answer is None. Those of which it never says
    so are asked for again."""

    group_id: str
    topics: Topics


class StatePartitionsOf(NamedTuple):
    """The partitions that the share coordinator knows a group in; the answer is a StatePartitions."""

    group_id: str
    empty_only: bool = False
    """NonEmptyGroup when the group has members."""


class BeginAlterOffsets(NamedTuple):
    """The states of these partitions are about to be set; the answer is their state epoch.
    `StatesInitialized` follows."""

    group_id: str
    topics: Topics


class BeginDeleteStates(NamedTuple):
    """The states of these topics are about to be deleted (names by id); the answer is the StatePartitions
    before. `StatesDeleted` follows."""

    group_id: str
    topics: Mapping[Uuid, str]


class StatesDeleted(NamedTuple):
    """The states of these topics are deleted; the answer is None."""

    group_id: str
    topics: Mapping[Uuid, str]


class DeleteStatesFirst(NamedTuple):
    """The answer to DeleteGroup while the share coordinator knows an empty share group in these topics (names
    by id)."""

    group_id: str
    topics: Mapping[Uuid, str]
