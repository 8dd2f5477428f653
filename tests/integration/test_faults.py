"""Killed, paused and with a disk that refuses: what was acknowledged stays, once and in order.

`KILLS=50 PAUSES=50 FULL_DISKS=20 pytest tests/integration/test_faults.py` looks longer; `SEED` repeats one
run's instants.
"""

import contextlib
import itertools
import os
import random
import resource
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import cast

import pytest
from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, Message, Producer
from confluent_kafka import TopicPartition as Place
from confluent_kafka.admin import AdminClient, NewTopic

from barnabas.protocol import ErrorCode
from barnabas.protocol.generated.describe_log_dirs_request import DescribeLogDirsRequest
from tests.support.server import BarnabasUp
from tests.support.wire import Connection

SEED = int(os.environ.get("SEED", "0")) or random.SystemRandom().randrange(1, 1 << 32)
KILLS = int(os.environ.get("KILLS", "5"))
PAUSES = int(os.environ.get("PAUSES", "5"))
FULL_DISKS = int(os.environ.get("FULL_DISKS", "1"))
PARTITIONS = 2
SECONDS_MAX = 60
IN_FLIGHT_MAX = 2_000
TOPICS = {"cached": {}, "synced": {"barnabas.durability": "fsync"}}
PLACES = list(itertools.product(TOPICS, range(PARTITIONS)))
VOLUME_BYTES = 16 << 20


def told(message: Message) -> tuple[tuple[str, int], int, int]:
    """Partition, offset and number of a record."""
    return (
        (str(message.topic()), cast("int", message.partition())),
        cast("int", message.offset()),
        int(cast("bytes", message.value())),
    )


class Writer:
    """One idempotent producer through all faults; each record is its number in its partition."""

    def __init__(self, node: BarnabasUp) -> None:
        self.acknowledged: dict[tuple[str, int], dict[int, int]] = {}
        """Number by offset, for each partition."""
        self.count = 0
        self.errors: list[KafkaError] = []
        self._numbers = {place: itertools.count() for place in PLACES}
        self.write_to(PLACES)
        self.producer = Producer(
            {
                "bootstrap.servers": node.bootstrap,
                "enable.idempotence": True,
                "linger.ms": 1,
                "reconnect.backoff.max.ms": 100,
                "retry.backoff.max.ms": 100,
            }
        )

    def write_to(self, places: list[tuple[str, int]]) -> None:
        """From now on only these partitions get records, in turn."""
        self._next = itertools.cycle(places)

    def _note(self, error: KafkaError | None, message: Message) -> None:
        if error is not None:
            self.errors.append(error)
            return
        place, offset, number = told(message)
        self.acknowledged.setdefault(place, {})[offset] = number
        self.count += 1

    def write_until(self, count: int) -> None:
        """Sends until so many more records are acknowledged."""
        wanted, deadline = self.count + count, time.monotonic() + SECONDS_MAX
        while self.count < wanted:
            assert time.monotonic() < deadline, f"{self.count} of {wanted} acknowledged"
            if len(self.producer) < IN_FLIGHT_MAX:
                self.send()
                self.producer.poll(0)
            else:
                self.producer.poll(0.01)

    def send(self) -> None:
        """One more record, to be acknowledged some time."""
        topic, partition = next(self._next)
        number = next(self._numbers[topic, partition])
        self.producer.produce(topic, str(number).encode(), partition=partition, on_delivery=self._note)

    def send_some(self) -> None:
        """A few more, unless too many are under way."""
        for _ in range(min(50, IN_FLIGHT_MAX - len(self.producer))):
            self.send()
        self.producer.poll(0.05)

    def finish(self) -> None:
        assert self.producer.flush(SECONDS_MAX) == 0
        assert self.errors == []


def everything(node: BarnabasUp) -> dict[tuple[str, int], dict[int, int]]:
    """All records, as a consumer from the beginning sees them."""
    consumer = Consumer(
        {"bootstrap.servers": node.bootstrap, "group.id": "reader", "enable.auto.commit": False}
    )
    places = [Place(topic, index) for topic, index in PLACES]
    ends = {}
    deadline = time.monotonic() + SECONDS_MAX
    for place in places:
        _, ends[place.topic, place.partition] = consumer.get_watermark_offsets(place, timeout=SECONDS_MAX)
    consumer.assign([Place(place.topic, place.partition, OFFSET_BEGINNING) for place in places])
    read: dict[tuple[str, int], dict[int, int]] = {key: {} for key in ends}
    while any(max(read[key], default=-1) + 1 < end for key, end in ends.items()):
        assert time.monotonic() < deadline, "the log does not come to its end"
        for message in consumer.consume(500, timeout=1):
            assert message.error() is None
            partition, offset, number = told(message)
            read[partition][offset] = number
    consumer.close()
    return read


def check(node: BarnabasUp, writer: Writer) -> None:
    """Everything acknowledged is where it was acknowledged; each number is there once, in order."""
    read = everything(node)
    for place, acknowledged in writer.acknowledged.items():
        lost = {
            offset: number for offset, number in acknowledged.items() if read[place].get(offset) != number
        }
        assert lost == {}, f"{place}: {len(lost)} of {len(acknowledged)} are lost"
        numbers = [number for _, number in sorted(read[place].items())]
        assert numbers == list(range(len(numbers))), f"{place}: out of order, missing or twice"


@pytest.fixture
def node(tmp_path: Path) -> Iterator[BarnabasUp]:
    print(f"SEED={SEED}")
    up = BarnabasUp(tmp_path / "data", ("--set", "log.segment.bytes=1048576")).start()
    try:
        create_topics(up)
        yield up
    finally:
        up.kill()


def create_topics(node: BarnabasUp) -> None:
    topics = [NewTopic(name, PARTITIONS, 1, config=config) for name, config in TOPICS.items()]
    admin = AdminClient({"bootstrap.servers": node.bootstrap})
    for future in admin.create_topics(topics).values():
        future.result(SECONDS_MAX)


def test_kills_lose_nothing_that_was_acknowledged(node: BarnabasUp) -> None:
    chance, writer = random.Random(SEED), Writer(node)
    for _ in range(KILLS):
        writer.write_until(chance.randrange(1, 3_000))
        node.kill()
        node.start()
    writer.finish()
    check(node, writer)


def test_pauses_lose_and_repeat_nothing(node: BarnabasUp) -> None:
    chance, writer = random.Random(SEED), Writer(node)
    for _ in range(PAUSES):
        writer.write_until(chance.randrange(1, 3_000))
        os.kill(node.pid, signal.SIGSTOP)
        time.sleep(chance.random() / 2)  # The fault itself.
        os.kill(node.pid, signal.SIGCONT)
    writer.finish()
    check(node, writer)


@pytest.mark.skipif(not hasattr(resource, "prlimit"), reason="needs a limit that can be set from outside")
def test_a_directory_that_refuses_writes_goes_offline_and_comes_back(tmp_path: Path) -> None:
    directories = [tmp_path / "first", tmp_path / "second"]
    log_dirs = f"log.dirs={','.join(map(str, directories))}"
    node = BarnabasUp(tmp_path / "data", ("--set", log_dirs, "--set", f"metadata.log.dir={directories[0]}"))
    node.start()
    try:
        admin = AdminClient({"bootstrap.servers": node.bootstrap})
        # One partition in each directory, the one with fewer logs taking the next.
        for future in admin.create_topics([NewTopic("orders", 2, 1)]).values():
            future.result(SECONDS_MAX)
        large, small = sorted(
            (0, 1), key=lambda index: (directories[1] / f"orders-{index}").exists(), reverse=True
        )
        value = os.urandom(64 * 1024)
        kept = [produce(node, large, value) for _ in range(16)]
        assert kept == list(range(16))
        # From here on no file may grow beyond this: the large log can't, what is small still can.
        resource.prlimit(node.pid, resource.RLIMIT_FSIZE, (512 * 1024, resource.RLIM_INFINITY))
        with pytest.raises(KafkaException):
            produce(node, large, value)
        assert produce(node, small, b"the other directory goes on") == 0
        resource.prlimit(node.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        deadline = time.monotonic() + SECONDS_MAX
        while True:
            try:
                offset = produce(node, large, b"back")
                break
            except KafkaException:
                assert time.monotonic() < deadline, node.log.read_text()
        assert offset >= len(kept)
        assert read_one(node, large, 15) == value
        assert read_one(node, large, offset) == b"back"
        assert node.stop() == 0
    finally:
        node.kill()


@pytest.fixture
def volume(tmp_path: Path) -> Iterator[Path]:
    """A directory that is a small file system of its own."""
    place = tmp_path / "volume"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={VOLUME_BYTES}", "barnabas-tests", str(place)]
    try:
        mounted = subprocess.run(mount, capture_output=True, text=True)
    except FileNotFoundError:
        pytest.skip("needs mount")
    if mounted.returncode != 0:
        pytest.skip(f"needs to mount a file system: {mounted.stderr.strip()}")
    try:
        yield place
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True)


def fill(volume: Path) -> Path:
    """A file that takes all the space that is left."""
    ballast = volume / "ballast"
    with ballast.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(1 << 16))
    with ballast.open("ab", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(1))
    return ballast


def wait_for(what: str, holds: Callable[[], bool], go_on: Callable[[], object]) -> None:
    deadline = time.monotonic() + SECONDS_MAX
    while not holds():
        assert time.monotonic() < deadline, f"waited in vain: {what}"
        go_on()


def offline(node: BarnabasUp) -> list[str]:
    """Log directories that the node does without."""
    with Connection(node.bootstrap) as connection:
        told = connection.request(DescribeLogDirsRequest(topics=None), 4)
    return [one.log_dir for one in told.results if one.error_code == ErrorCode.KAFKA_STORAGE_ERROR]


def test_a_full_disk_takes_its_directory_offline_until_there_is_space(tmp_path: Path, volume: Path) -> None:
    directories = [tmp_path / "first", volume / "second"]
    arguments = ["--set", f"log.dirs={','.join(map(str, directories))}"]
    arguments += ["--set", f"metadata.log.dir={directories[0]}", "--set", "log.segment.bytes=1048576"]
    node = BarnabasUp(tmp_path / "data", arguments).start()
    try:
        create_topics(node)
        there = [place for place in PLACES if (directories[1] / f"{place[0]}-{place[1]}").exists()]
        elsewhere = [place for place in PLACES if place not in there]
        assert there
        assert elsewhere
        writer = Writer(node)
        for _ in range(FULL_DISKS):
            writer.write_to(PLACES)
            writer.write_until(2_000)
            ballast = fill(volume)
            writer.write_to(there)
            wait_for("goes offline", lambda: offline(node) == [str(directories[1])], writer.send_some)
            assert "No space left on device" in node.log.read_text()
            writer.write_to(elsewhere)
            writer.write_until(1_000)
            ballast.unlink()
            wait_for("comes back", lambda: offline(node) == [], lambda: writer.producer.poll(0.1))
        writer.write_to(PLACES)
        writer.write_until(2_000)
        writer.finish()
        check(node, writer)
        assert node.stop() == 0
        node.start()
        check(node, writer)
    finally:
        node.kill()


def produce(node: BarnabasUp, partition: int, value: bytes) -> int:
    """Offset of one record; raises what the node answers, at the latest after two seconds of retries."""
    outcome: list[tuple[KafkaError | None, Message]] = []
    producer = Producer({"bootstrap.servers": node.bootstrap, "delivery.timeout.ms": 2_000, "acks": "all"})
    producer.produce("orders", value, partition=partition, on_delivery=lambda *done: outcome.append(done))
    producer.flush(SECONDS_MAX)
    [(error, message)] = outcome
    if error is not None:
        raise KafkaException(error)
    offset = message.offset()
    assert offset is not None
    return offset


def read_one(node: BarnabasUp, partition: int, offset: int) -> bytes:
    consumer = Consumer(
        {"bootstrap.servers": node.bootstrap, "group.id": "reader", "enable.auto.commit": False}
    )
    consumer.assign([Place("orders", partition, offset)])
    message = consumer.poll(SECONDS_MAX)
    assert message is not None
    assert (message.error(), message.offset()) == (None, offset)
    value = message.value()
    consumer.close()
    assert value is not None
    return value
