"""What an assignor is given and gives back.

Always true of what an assignor gives back:
  every partition of a subscribed topic has exactly one owner, who subscribes to the topic
  the same input gives the same assignment
  an assignment that stays as it was is the very object that was given, so that nobody needs to compare
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from barnabas._core import Uuid

Assignment = Mapping[Uuid, frozenset[int]]
"""Partitions by topic; no topic without partitions. Never changed."""

NOTHING: Assignment = {}


class MemberSpec(NamedTuple):
    """A member as an assignor sees it."""

    member_id: str
    instance_id: str | None
    topics: frozenset[Uuid]
    """The topics that it subscribes to and that exist."""
    assigned: Assignment
    """What it was to have until now; may hold topics that it has given up, or that are gone."""


@dataclass(frozen=True, slots=True)
class GroupSpec:
    """A group as an assignor sees it."""

    members: Sequence[MemberSpec]
    """In an order that does not change between calls."""
    same_topics: bool
    """Whether all members subscribe to the same topics."""
    partition_counts: Mapping[Uuid, int]
    """Of every topic that a member subscribes to."""


Assign = Callable[[GroupSpec], dict[str, Assignment]]
"""An assignment for each member."""
