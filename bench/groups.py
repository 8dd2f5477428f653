"""Groups of librdkafka consumers: how long until everybody has a share when many join, when one leaves, when
one joins; how long the first member of a new group waits for its first record, librdkafka's and ours."""

import threading
import time
import uuid
from collections.abc import Set

from confluent_kafka import Consumer, TopicPartition

from bench.load import Figures, LoadFailed

SECONDS_MAX = 90
FIRST_SECONDS_MAX = 0.1
"""What our own client may need from the start of its join to its first record."""
QUIET_SECONDS = 1.5
"""A group is settled when nothing has moved for so long; the wait is not counted."""


class Shares:
    """Who owns which partitions, as the members' callbacks say."""

    def __init__(self, partitions: int) -> None:
        self.partitions = partitions
        self._owned: dict[int, set[int]] = {}
        self._moved = time.perf_counter()
        self._lock = threading.Lock()

    def change(self, member: int, *, got: Set[int] = frozenset(), lost: Set[int] = frozenset()) -> None:
        with self._lock:
            self._owned[member] = (self._owned.get(member, set()) - lost) | got
            self._moved = time.perf_counter()

    def leave(self, member: int) -> None:
        with self._lock:
            self._owned.pop(member, None)
            self._moved = time.perf_counter()

    def settled(self, members: int) -> bool:
        """Every partition has one owner, every member its share, and nothing moves."""
        with self._lock:
            shares = [share for share in self._owned.values() if share]
            sizes = [len(share) for share in shares]
            return (
                len(shares) == members
                and sum(sizes) == len(set().union(*shares)) == self.partitions
                and max(sizes) - min(sizes) <= 1
                and time.perf_counter() - self._moved > QUIET_SECONDS
            )

    def seconds_until_settled(self, members: int) -> float:
        begun = time.perf_counter()
        while not self.settled(members):
            if time.perf_counter() - begun > SECONDS_MAX:
                raise LoadFailed(f"a group of {members} has not settled after {SECONDS_MAX} s")
            time.sleep(0.01)
        return max(0.0, self._moved - begun)


class Member:
    """A consumer in a thread of its own."""

    def __init__(self, number: int, config: dict[str, str], topic: str, shares: Shares) -> None:
        self.number, self.config, self.topic, self.shares = number, config, topic, shares
        self.stopping = threading.Event()
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def leave(self) -> None:
        self.stopping.set()

    def _run(self) -> None:
        consumer = Consumer(self.config)
        consumer.subscribe([self.topic], on_assign=self._got, on_revoke=self._lost, on_lost=self._lost)
        while not self.stopping.is_set():
            consumer.poll(0.05)
        self.shares.leave(self.number)
        consumer.close()

    def _got(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        self.shares.change(self.number, got={one.partition for one in partitions})
        if self.config["group.protocol"] == "consumer":
            consumer.incremental_assign(partitions)
        else:
            consumer.assign(partitions)

    def _lost(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        if not self.stopping.is_set():
            self.shares.change(self.number, lost={one.partition for one in partitions})
        if self.config["group.protocol"] == "consumer":
            consumer.incremental_unassign(partitions)
        else:
            consumer.unassign()


def measure(bootstrap: str, topic: str, count: int, partitions: int, protocol: str) -> Figures:
    """Seconds until the group has settled after each change."""
    config = {
        "bootstrap.servers": bootstrap,
        "group.id": f"bench-{uuid.uuid4()}",
        "group.protocol": protocol,
        "enable.auto.commit": "false",
        "auto.offset.reset": "latest",
        "log_level": "3",
    }
    shares = Shares(partitions)
    members = [Member(number, config, topic, shares) for number in range(count)]
    try:
        figures = {"join_s": shares.seconds_until_settled(count)}
        members[0].leave()
        figures["one_leaves_s"] = shares.seconds_until_settled(count - 1)
        members.append(Member(count, config, topic, shares))
        figures["one_joins_s"] = shares.seconds_until_settled(count)
        return figures
    finally:
        for member in members:
            member.leave()
        for member in members:
            member.thread.join(20)


def first_record(bootstrap: str, topic: str) -> Figures:
    """Seconds from the start of the join to the first record, in a group that nobody has heard of."""
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": f"bench-{uuid.uuid4()}",
            "auto.offset.reset": "earliest",
            "log_level": "3",
        }
    )
    try:
        begun = time.perf_counter()
        consumer.subscribe([topic])
        message = consumer.poll(SECONDS_MAX)
        seconds = time.perf_counter() - begun
    finally:
        consumer.close()
    if message is None or message.error():
        raise LoadFailed(f"no record after {SECONDS_MAX} s")
    return {"first_record_s": seconds}


def own_first_record(bootstrap: str, topic: str) -> Figures:
    """The same of our own client. The consumer is made before, as librdkafka's is."""
    import barnabas

    group = f"bench-{uuid.uuid4()}"
    with barnabas.Consumer(
        bootstrap_servers=bootstrap, group_id=group, auto_offset_reset="earliest"
    ) as consumer:
        begun = time.perf_counter()
        consumer.subscribe([topic])
        records = consumer.poll(SECONDS_MAX)
        seconds = time.perf_counter() - begun
    if not records:
        raise LoadFailed(f"no record after {SECONDS_MAX} s")
    return {"first_record_s": seconds, "first_record_s_max": FIRST_SECONDS_MAX}
