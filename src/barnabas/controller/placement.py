"""Where new replicas go: striped over racks, leaders only on brokers that are up.

Always true of a placement:
  the replicas of a partition are distinct, and the first is on a broker that is neither fenced nor leaving
  replicas of a partition are on as many racks as there are, before any rack gets a second one
  over a whole round of partitions each broker of a rack leads equally often
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from barnabas.controller.decision import refuse
from barnabas.protocol import ErrorCode

T = TypeVar("T")

Chance = Callable[[int], int]
"""A number from 0 to below its argument, each as likely as the other."""


@dataclass(frozen=True)
class UsableBroker:
    """A broker that may get replicas."""

    id: int
    rack: str | None
    fenced: bool


@dataclass
class _Rack:
    unfenced: list[int]
    fenced: list[int]

    def sequence(self, turn: int) -> list[int]:
        return _rotate(self.unfenced, turn) + _rotate(self.fenced, turn)


def place(
    brokers: Iterable[UsableBroker], partitions: int, replication_factor: int, chance: Chance
) -> list[list[int]]:
    """Replicas of each new partition, leader first."""
    usable = sorted(brokers, key=lambda broker: broker.id)
    unfenced = sum(not broker.fenced for broker in usable)
    if replication_factor <= 0:
        raise _impossible(f"the replication factor {replication_factor} is not positive.", replication_factor)
    if unfenced == 0:
        raise _impossible("All brokers are currently fenced.", replication_factor)
    if replication_factor > len(usable):
        raise _impossible(
            f"The target replication factor of {replication_factor} cannot be reached because only "
            f"{len(usable)} broker(s) are registered.",
            replication_factor,
        )

    racks = _racks(usable)
    start = chance(len(racks))
    placements = []
    for partition in range(partitions):
        # After a whole round the same pairs would come again: mix, so that followers spread too.
        if partition % unfenced == 0:
            for rack in racks:
                _shuffle(rack.unfenced, chance)
                _shuffle(rack.fenced, chance)
        turn, first = divmod(start + partition, len(racks))
        placements.append(_one(_rotate(racks, first), turn, replication_factor))
    return placements


def _one(racks: Sequence[_Rack], turn: int, replication_factor: int) -> list[int]:
    first = next(index for index, rack in enumerate(racks) if rack.unfenced)
    sequences = [rack.sequence(turn) for rack in (*racks[first:], *racks[:first])]
    longest = max(map(len, sequences))
    round_robin = (row[column] for column in range(longest) for row in sequences if column < len(row))
    return [next(round_robin) for _ in range(replication_factor)]


def _racks(brokers: Sequence[UsableBroker]) -> list[_Rack]:
    racks: dict[str, _Rack] = {}
    for broker in sorted(brokers, key=lambda broker: (broker.rack or "", broker.id)):
        rack = racks.setdefault(broker.rack or "", _Rack([], []))
        (rack.fenced if broker.fenced else rack.unfenced).append(broker.id)
    return list(racks.values())


def _rotate(items: Sequence[T], by: int) -> list[T]:
    cut = by % len(items) if items else 0
    return [*items[cut:], *items[:cut]]


def _shuffle(items: list[int], chance: Chance) -> None:
    for index in range(len(items) - 1, 0, -1):
        other = chance(index + 1)
        items[index], items[other] = items[other], items[index]


def _impossible(reason: str, replication_factor: int) -> Exception:
    return refuse(
        ErrorCode.INVALID_REPLICATION_FACTOR,
        f"Unable to replicate the partition {replication_factor} time(s): {reason}",
    )
