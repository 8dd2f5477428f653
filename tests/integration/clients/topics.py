"""Topics for the clients' tests."""

from collections.abc import Mapping

from confluent_kafka.admin import AdminClient, NewTopic

import barnabas


def create(bootstrap: str, topic: str, *, partitions: int, config: Mapping[str, str] | None = None) -> None:
    """Creates a topic and waits until that is done."""
    admin = AdminClient({"bootstrap.servers": bootstrap})
    new = NewTopic(topic, partitions, 1, config=dict(config or {}))
    admin.create_topics([new])[topic].result(30)


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
