"""A member of a share group, as its records say it is."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from barnabas.coordinator.group.consumer.assignor import NOTHING, Assignment

if TYPE_CHECKING:
    from collections.abc import Mapping

    from barnabas._core import Uuid


def _nothing() -> Mapping[Uuid, frozenset[int]]:
    return NOTHING


@dataclass(frozen=True, slots=True)
class ShareMember:
    """A member. Never changed: there is another one instead."""

    member_id: str
    member_epoch: int = 0
    previous_member_epoch: int = -1
    rack_id: str | None = None
    client_id: str = ""
    client_host: str = ""
    topic_names: frozenset[str] = frozenset()
    """Topics that it subscribes to."""
    assigned: Assignment = field(default_factory=_nothing)
    """Partitions that it has; others may have them too."""
