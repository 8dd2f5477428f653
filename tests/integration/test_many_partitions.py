"""Partitions that nobody uses cost memory and some files on disk: no thread, open file or map for each."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka.admin import AdminClient, NewTopic

from tests.support.server import BarnabasUp

TOPICS, PARTITIONS = 4, 250
SECONDS_MAX = 60
SPARE = TOPICS * PARTITIONS // 4
"""What a node may have more of than before for other reasons (thread stacks, arenas of the allocator)."""


@pytest.fixture
def node(tmp_path: Path) -> Iterator[BarnabasUp]:
    node = BarnabasUp(tmp_path / "data")
    try:
        yield node
    finally:
        node.kill()


def costs(node: BarnabasUp) -> dict[str, int]:
    process = Path("/proc") / str(node.pid)
    return {
        "threads": len(list((process / "task").iterdir())),
        "open files": len(list((process / "fd").iterdir())),
        "maps": len((process / "maps").read_text().splitlines()),
    }


def create(node: BarnabasUp, *topics: NewTopic) -> None:
    admin = AdminClient({"bootstrap.servers": node.bootstrap})
    for future in admin.create_topics(list(topics), operation_timeout=SECONDS_MAX).values():
        future.result(SECONDS_MAX)


def led_partitions(node: BarnabasUp) -> int:
    topics = AdminClient({"bootstrap.servers": node.bootstrap}).list_topics(timeout=SECONDS_MAX).topics
    partitions = [one for topic in topics.values() for one in topic.partitions.values()]
    return sum(one.leader >= 0 for one in partitions)


def test_idle_partitions_hold_no_thread_no_open_file_and_no_map(node: BarnabasUp) -> None:
    node.start()
    # The node lets clients in before it has loaded all of its modules: a topic's creation needs them.
    create(node, NewTopic("first", 1, 1))
    empty = costs(node)
    create(node, *(NewTopic(f"idle-{number}", PARTITIONS, 1) for number in range(TOPICS)))

    def grown() -> dict[str, int]:
        assert led_partitions(node) == TOPICS * PARTITIONS + 1
        return {
            name: count - empty[name] for name, count in costs(node).items() if count > empty[name] + SPARE
        }

    assert grown() == {}, "after they were created"
    node.stop()
    node.start()
    assert grown() == {}, "after a clean stop"
    node.kill()
    node.start()
    assert grown() == {}, "after kill -9"
