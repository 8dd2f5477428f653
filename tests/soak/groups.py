"""Groups of all three kinds whose members come and go: no record is passed over."""

import contextlib
import random

from confluent_kafka import Consumer, KafkaException, ShareConsumer, TopicPartition
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    ResourceType,
)

from tests.soak.load import SECONDS_MAX, Load, settings
from tests.soak.streams import PARTITIONS, check

MEMBERS_MAX = 3
STEPS_PER_CHANGE = 40
"""Steps between two changes of the members."""


def ends(bootstrap: str, topic: str) -> list[int]:
    """The end of each partition."""
    consumer = Consumer(settings(bootstrap, group_id="ends"))
    try:
        places = [TopicPartition(topic, partition) for partition in range(PARTITIONS)]
        return [consumer.get_watermark_offsets(place, SECONDS_MAX)[1] for place in places]
    finally:
        consumer.close()


class Group(Load):
    """A classic group, or one of the new protocol.

    Whoever has a partition goes on where its offset is committed: records may be read twice after a change of
    members, but never does one come before those that precede it.
    """

    def __init__(self, bootstrap: str, protocol: str, topic: str, chance: random.Random) -> None:
        super().__init__(bootstrap)
        self._protocol, self._topic, self._chance = protocol, topic, chance
        self._members: list[Consumer] = []
        self._next = [0] * PARTITIONS
        """The offset behind what somebody has read, for each partition."""
        self._steps = 0

    def step(self) -> None:
        if self._steps % STEPS_PER_CHANGE == 0:
            self._change()
        self._steps += 1
        for member in self._members:
            self._consume(member)
        if self._steps % 10 == 0 and self._members:
            self._commit(self._chance.choice(self._members))

    def _change(self) -> None:
        leaves = len(self._members) == MEMBERS_MAX or (self._members and self._chance.random() < 0.4)
        if leaves:
            self._members.pop(self._chance.randrange(len(self._members))).close()
            return
        member = Consumer(
            settings(
                self.bootstrap,
                group_id=f"group-{self._protocol}",
                group_protocol=self._protocol,
                auto_offset_reset="earliest",
                enable_auto_commit=False,
            )
        )
        member.subscribe([self._topic], on_revoke=lambda revoked, _: self._commit(revoked))
        self._members.append(member)

    def _commit(self, member: Consumer) -> None:
        # A member that another one has taken over from may not commit, and need not.
        with contextlib.suppress(KafkaException):
            places = [one.partition for one in member.assignment()]
            if offsets := [TopicPartition(self._topic, index, self._next[index]) for index in places]:
                member.commit(offsets=offsets, asynchronous=False)

    def _consume(self, member: Consumer) -> None:
        for message in member.consume(200, 0.02):
            (_, partition), offset = check(message)
            assert offset <= self._next[partition], f"{self}: {offset} follows {self._next[partition] - 1}"
            self._next[partition] = max(self._next[partition], offset + 1)
            self.done += 1

    def finish(self) -> None:
        wanted = ends(self.bootstrap, self._topic)
        if not self._members:
            self._change()
        self.wait(
            f"{self._topic}'s end",
            lambda: all(seen >= end for seen, end in zip(self._next, wanted, strict=True)),
            lambda: [self._consume(member) for member in self._members],
        )
        for member in self._members:
            member.close()

    def __str__(self) -> str:
        return f"{self._protocol} group"


class ShareGroup(Load):
    """Each record comes to some member at least once, in any order."""

    NAME = "group-share"

    def __init__(self, bootstrap: str, topic: str, chance: random.Random) -> None:
        super().__init__(bootstrap)
        self._topic, self._chance = topic, chance
        self._members: list[ShareConsumer] = []
        self._next = [0] * PARTITIONS
        self._ahead: list[set[int]] = [set() for _ in range(PARTITIONS)]
        """Offsets that were seen before one below them was."""
        self._steps = 0
        entry = ConfigEntry(
            "share.auto.offset.reset", "earliest", incremental_operation=AlterConfigOpType.SET
        )
        resource = ConfigResource(ResourceType.GROUP, self.NAME, incremental_configs=[entry])
        admin = AdminClient(settings(bootstrap))
        [altered] = admin.incremental_alter_configs([resource]).values()
        altered.result(SECONDS_MAX)

    def step(self) -> None:
        if self._steps % STEPS_PER_CHANGE == 0:
            self._change()
        self._steps += 1
        self._poll()

    def _change(self) -> None:
        leaves = len(self._members) == MEMBERS_MAX or (self._members and self._chance.random() < 0.4)
        if leaves:
            self._members.pop(self._chance.randrange(len(self._members))).close()
            return
        member = ShareConsumer(settings(self.bootstrap, group_id=self.NAME))
        member.subscribe([self._topic])
        self._members.append(member)

    def _poll(self) -> None:
        for member in self._members:
            for message in member.poll(0.05):
                (_, partition), offset = check(message)
                if offset >= self._next[partition]:
                    self._ahead[partition].add(offset)
                self.done += 1
        for partition, ahead in enumerate(self._ahead):
            while self._next[partition] in ahead:
                ahead.remove(self._next[partition])
                self._next[partition] += 1

    def finish(self) -> None:
        wanted = ends(self.bootstrap, self._topic)
        if not self._members:
            self._change()
        self.wait(
            f"{self._topic}'s end: seen up to {self._next} of {wanted}, "
            f"and {[len(ahead) for ahead in self._ahead]} behind that",
            lambda: all(seen >= end for seen, end in zip(self._next, wanted, strict=True)),
            self._poll,
        )
        for member in self._members:
            member.close()

    def __str__(self) -> str:
        return "share group"
