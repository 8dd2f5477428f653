"""Transactions of a producer: the `with` block, and what commits offsets."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol, Self

from barnabas.errors import BarnabasError

if TYPE_CHECKING:
    from barnabas.clients.producer import Producer


class GroupMetadata(Protocol):
    """Who a consumer is in its group: what `Consumer.group_metadata()` gives."""

    @property
    def group_id(self) -> str: ...
    @property
    def generation_id(self) -> int: ...
    @property
    def member_id(self) -> str: ...
    @property
    def group_instance_id(self) -> str | None: ...


Group = GroupMetadata | str
"""A member of a group; or a group's name, for offsets that are committed from outside."""
Offsets = Mapping[Any, Any] | Iterable[Any]
"""Offsets by topic and partition (a `TopicPartition`, or a pair), each a number or an `OffsetAndMetadata`; or
`TopicPartition`s with offsets."""


def group_of(group: Group) -> tuple[str, int, str, str | None]:
    """A group as the native half takes it."""
    if isinstance(group, str):
        return group, -1, "", None
    return group.group_id, group.generation_id, group.member_id, group.group_instance_id


def offsets_of(offsets: Offsets) -> list[tuple[str, int, int, int, str]]:
    """Offsets as the native half takes them: topic, partition, offset, leader epoch, metadata."""
    if isinstance(offsets, Mapping):
        pairs = [(place[0], place[1], offset) for place, offset in offsets.items()]
    else:
        pairs = [(topic, partition, offset) for topic, partition, offset in offsets]
    found = []
    for topic, partition, offset in pairs:
        match offset:
            case int():
                found.append((topic, partition, offset, -1, ""))
            case None:
                raise ValueError(f"{topic}-{partition} has no offset to commit")
            case _:
                found.append((topic, partition, offset.offset, offset.leader_epoch, offset.metadata))
    return found


class TransactionBlock:
    """A transaction from the beginning of a `with` block to its end."""

    def __init__(self, producer: Producer) -> None:
        self._producer = producer

    def __enter__(self) -> Self:
        self._producer.begin_transaction()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            with contextlib.suppress(BarnabasError):  # What went wrong in the block is what matters.
                self._producer.abort_transaction()
            return
        try:
            self._producer.commit_transaction()
        except TimeoutError:
            raise  # It may still be committed.
        except BarnabasError:
            with contextlib.suppress(BarnabasError):  # Why it could not be committed is what matters.
                self._producer.abort_transaction()
            raise
