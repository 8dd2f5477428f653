"""`barnabas.aio.Consumer`: the same names, awaited."""

import asyncio
import contextlib

import pytest

import barnabas
from barnabas import aio
from barnabas.errors import TlsFailed
from tests.integration.clients.topics import create


def fill(cluster: str, topic: str, count: int) -> None:
    """Values "0", "1", … in partition 0."""
    with barnabas.Producer(bootstrap_servers=cluster) as producer:
        for n in range(count):
            producer.produce(topic, str(n), partition=0)


def test_a_group_is_read_in_a_loop(cluster: str, topic: str) -> None:
    create(cluster, topic, partitions=2)
    fill(cluster, topic, 100)
    told: list[str] = []

    async def got(_: object, partitions: list[barnabas.TopicPartition]) -> None:
        await asyncio.sleep(0)
        told.append(f"+{len(partitions)}")

    def lost(_: object, partitions: list[barnabas.TopicPartition]) -> None:
        told.append(f"-{len(partitions)}")

    async def read(stop: int) -> list[int]:
        values = []
        async with aio.Consumer(
            bootstrap_servers=cluster, group_id=topic, auto_offset_reset="earliest"
        ) as consumer:
            consumer.subscribe(topic, on_assign=got, on_revoke=lost)
            async for record in consumer:
                values.append(int(record.value or b"-1"))
                if values[-1] == stop:
                    break
        return values

    assert asyncio.run(read(41)) == list(range(42))
    assert asyncio.run(read(99)) == list(range(42, 100))
    assert told == ["+2", "-2"] * 2


def test_commits_and_questions_are_awaited(cluster: str, topic: str) -> None:
    create(cluster, topic, partitions=1)
    fill(cluster, topic, 10)
    place = barnabas.TopicPartition(topic, 0)

    async def run() -> None:
        async with aio.Consumer(
            bootstrap_servers=cluster, group_id=topic, auto_offset_reset="earliest", enable_auto_commit=False
        ) as consumer:
            await consumer.assign_topic(topic)
            records = await consumer.poll(30)
            assert await consumer.committed([place]) == {place: None}
            await asyncio.gather(consumer.commit(records[3]), consumer.commit(records[4]))
            found = (await consumer.committed([place]))[place]
            assert found is not None
            assert found.offset == 5
            assert await consumer.end_offset(topic, 0) == 10
            assert await consumer.position(topic, 0) == 10
            consumer.seek(topic, 0, 7)
            assert [record.offset for record in await consumer.poll(30)] == [7, 8, 9]
            assert await consumer.poll(0.01) == []

    asyncio.run(run())


def test_other_tasks_run_while_one_waits_for_records(cluster: str, topic: str) -> None:
    create(cluster, topic, partitions=1)

    async def run() -> int:
        async with aio.Consumer(bootstrap_servers=cluster) as consumer:
            await consumer.assign_topic(topic)
            await consumer.position(topic, 0)
            waiting = asyncio.create_task(consumer.poll(30))
            await asyncio.sleep(0)
            await asyncio.to_thread(fill, cluster, topic, 1)
            return len(await waiting)

    assert asyncio.run(run()) == 1


def test_a_commit_fails_at_once_where_nobody_lets_the_consumer_in() -> None:
    """An alert of TLS is what a client hears that does not speak it."""

    async def alert(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(b"\x15\x03\x01\x00\x02\x02\x46")
        with contextlib.suppress(ConnectionError):
            await writer.drain()
            await reader.read()
        writer.close()

    async def commit() -> None:
        server = await asyncio.start_server(alert, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        consumer = aio.Consumer(bootstrap_servers=f"127.0.0.1:{port}", group_id="g")
        with pytest.raises(TlsFailed, match="the broker speaks TLS"):
            await consumer.commit({("t", 0): 1}, timeout=None)
        await consumer.close(timeout=0.0)
        server.close()

    asyncio.run(commit())
