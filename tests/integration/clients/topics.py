"""Topics for the clients' tests."""

import time
from collections.abc import Callable, Mapping

from confluent_kafka.admin import AdminClient, NewTopic

import barnabas


def create(bootstrap: str, topic: str, *, partitions: int, config: Mapping[str, str] | None = None) -> None:
    """Creates a topic and waits until that is done."""
    admin = AdminClient({"bootstrap.servers": bootstrap})
    new = NewTopic(topic, partitions, 1, config=dict(config or {}))
    admin.create_topics([new])[topic].result(30)


def soon(holds: Callable[[], bool], seconds: float = 30) -> bool:
    """Whether something comes to hold: a broker of Kafka hears a moment later of what its controller did."""
    end = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > end:
            return False
        time.sleep(0.01)
    return True


def read_all(bootstrap: str, topic: str, count: int, **configs: object) -> list[barnabas.Record]:
    """The first `count` records of all partitions."""
    records: list[barnabas.Record] = []
    with barnabas.Consumer(bootstrap_servers=bootstrap, auto_offset_reset="earliest", **configs) as consumer:
        consumer.assign_topic(topic)
        while len(records) < count:
            came = consumer.poll(30)
            assert came, f"{len(records)} of {count} records"
            records += came
    return records
