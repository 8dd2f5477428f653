"""aiokafka: produce and consume by assignment in asyncio, admin."""

import asyncio

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic


@pytest.mark.parametrize("codec", [None, "gzip", "snappy", "lz4", "zstd"])
async def test_what_was_produced_is_consumed(bootstrap: str, topic: str, codec: str | None) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    await admin.create_topics([NewTopic(topic, 1, 1)])
    async with AIOKafkaProducer(
        bootstrap_servers=bootstrap, compression_type=codec, enable_idempotence=True
    ) as producer:
        futures = [await producer.send(topic, str(i).encode(), key=b"k") for i in range(500)]
        results = await asyncio.gather(*futures)
    assert [result.offset for result in results] == list(range(500))
    async with AIOKafkaConsumer(bootstrap_servers=bootstrap, auto_offset_reset="earliest") as consumer:
        partition = TopicPartition(topic, 0)
        consumer.assign([partition])
        records = [await asyncio.wait_for(consumer.getone(), 30) for _ in range(500)]
        assert [int(record.value) for record in records] == list(range(500))
        assert await consumer.end_offsets([partition]) == {partition: 500}
    await admin.delete_topics([topic])
    assert topic not in await admin.list_topics()
    await admin.close()
