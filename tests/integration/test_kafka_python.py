"""kafka-python: produce, consume by assignment, admin."""

import pytest
from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import KafkaAdminClient, NewTopic


@pytest.mark.parametrize("codec", [None, "gzip", "snappy", "lz4", "zstd"])
def test_what_was_produced_is_consumed(bootstrap: str, topic: str, codec: str | None) -> None:
    admin = KafkaAdminClient(bootstrap_servers=bootstrap)
    admin.create_topics([NewTopic(topic, 2, 1)])
    producer = KafkaProducer(bootstrap_servers=bootstrap, compression_type=codec, acks="all")
    futures = [
        producer.send(topic, str(i).encode(), partition=i % 2, headers=[("n", str(i).encode())])
        for i in range(500)
    ]
    producer.flush()
    assert [future.get(30).offset for future in futures[::2]] == list(range(250))
    consumer = KafkaConsumer(
        bootstrap_servers=bootstrap, auto_offset_reset="earliest", consumer_timeout_ms=10_000, group_id=None
    )
    consumer.assign([TopicPartition(topic, 0), TopicPartition(topic, 1)])
    values = []
    for record in consumer:
        values.append(int(record.value))
        if len(values) == 500:
            break
    assert sorted(values) == list(range(500))
    ends = consumer.end_offsets([TopicPartition(topic, 0), TopicPartition(topic, 1)])
    assert sorted(ends.values()) == [250, 250]
    consumer.close()
    producer.close()
    admin.delete_topics([topic])
    assert topic not in admin.list_topics()
    admin.close()
