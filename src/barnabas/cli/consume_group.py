"""`barnabas consume --group`: reading as a member of a consumer group.

What is printed is committed: in the background, and for good before the command ends. So a record may be seen
again after a crash, and none is passed over.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

import click

from barnabas.cli.connection import REQUEST_SECONDS_MAX
from barnabas.cli.errors import CommandFailed, sentence
from barnabas.cli.start_position import BEGINNING, END, StartPosition

if TYPE_CHECKING:
    from confluent_kafka import Consumer, TopicPartition

    from barnabas.cli.record_format import Record


EARLIEST = "earliest"


def reset_of(start: StartPosition) -> str:
    """Where the group begins in partitions for which it has committed nothing."""
    resets = {BEGINNING: EARLIEST, END: "latest"}
    if start.word not in resets:
        raise click.UsageError("--group goes on where the group has stopped: --from takes beginning or end.")
    return resets[start.word]


def subscribe(consumer: Consumer, topic: str, reset: str, *, cooperative: bool) -> None:
    """Joins the group."""
    from confluent_kafka import KafkaException

    try:
        if cooperative:
            consumer.subscribe([topic])
        else:
            consumer.subscribe([topic], on_assign=partial(_assign, reset))
    except KafkaException as error:
        raise CommandFailed(sentence(error)) from error


def _assign(reset: str, consumer: Consumer, partitions: list[TopicPartition]) -> None:
    """Takes over the assignment with all its offsets. librdkafka would wait a tenth of a second before it
    looks where a partition begins: longer than joining takes."""
    begun = consumer.committed(partitions, timeout=REQUEST_SECONDS_MAX)
    for partition in begun:
        if partition.offset < 0:
            low, high = consumer.get_watermark_offsets(partition, timeout=REQUEST_SECONDS_MAX)
            partition.offset = low if reset == EARLIEST else high
    consumer.assign(begun)


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
