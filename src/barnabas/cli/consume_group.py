"""`barnabas consume --group`: reading as a member of a consumer group.

What is printed is committed: in the background, and for good before the command ends. So a record may be seen
again after a crash, and none is passed over.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from barnabas.cli.errors import CommandFailed, sentence
from barnabas.cli.start_position import BEGINNING, END, StartPosition

if TYPE_CHECKING:
    from confluent_kafka import Consumer

    from barnabas.cli.record_format import Record


def reset_of(start: StartPosition) -> str:
    """Where the group begins in partitions for which it has committed nothing."""
    resets = {BEGINNING: "earliest", END: "latest"}
    if start.word not in resets:
        raise click.UsageError("--group goes on where the group has stopped: --from takes beginning or end.")
    return resets[start.word]


def subscribe(consumer: Consumer, topic: str) -> None:
    """Joins the group."""
    from confluent_kafka import KafkaException

    try:
        consumer.subscribe([topic])
    except KafkaException as error:
        raise CommandFailed(sentence(error)) from error


def assigned_count(consumer: Consumer) -> int | None:
    """How many partitions this member has; None while the group is rebalancing."""
    return len(consumer.assignment()) or None


def note_printed(consumer: Consumer, printed: Sequence[Record]) -> None:
    """Has these records committed with the next commit, at the latest when the consumer closes."""
    from confluent_kafka import KafkaException, TopicPartition

    ends = {(record.topic, record.partition): record.offset + 1 for record in printed}
    if not ends:
        return
    try:
        consumer.store_offsets(offsets=[TopicPartition(*place, offset) for place, offset in ends.items()])
    except KafkaException:
        # The partition is another member's by now: that one prints these records again.
        return
