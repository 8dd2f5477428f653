"""`barnabas consume --group`: reading as a member of a consumer group.

What is printed is committed: in the background, and for good before the command ends. So a record may be seen
again after a crash, and none is passed over.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from barnabas.cli.connection import REQUEST_SECONDS_MAX
from barnabas.cli.start_position import BEGINNING, EARLIEST, END, StartPosition

if TYPE_CHECKING:
    from barnabas.cli.record_format import Record
    from barnabas.clients.consumer import Consumer, TopicPartition


def reset_of(start: StartPosition) -> str:
    """Where the group begins in partitions for which it has committed nothing."""
    resets = {BEGINNING: EARLIEST, END: "latest"}
    if start.word not in resets:
        raise click.UsageError("--group goes on where the group has stopped: --from takes beginning or end.")
    return resets[start.word]


class Reading:
    """What a member has to read: up to where its partitions ended when it got them."""

    def __init__(self, consumer: Consumer, topic: str) -> None:
        self._consumer = consumer
        self._ends: dict[tuple[str, int], int] | None = None
        consumer.subscribe([topic], on_assign=self._got, on_revoke=self._lost)

    def _got(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        self._ends = self._ends or {}
        for topic, index, _ in partitions:
            self._ends[topic, index] = consumer.end_offset(topic, index, REQUEST_SECONDS_MAX)

    def _lost(self, _: Consumer, partitions: list[TopicPartition]) -> None:
        for topic, index, _offset in partitions:
            (self._ends or {}).pop((topic, index), None)

    def ends(self) -> dict[tuple[str, int], int] | None:
        """Offsets at which reading ends; None while it has no partitions."""
        return self._ends or None

    @staticmethod
    def no_ends() -> None:
        """For one who waits for more."""
        return

    def printed(self, records: Sequence[Record]) -> None:
        """Has these records committed: before the command ends, or other members get the partitions."""
        offsets = {(record.topic, record.partition): record.offset + 1 for record in records}
        if offsets:
            self._consumer.commit_async(offsets)
