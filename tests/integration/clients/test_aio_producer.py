"""`barnabas.aio.Producer`: what is awaited is delivered, and what waits for room lets the loop go on."""

import asyncio

import pytest

from barnabas import aio
from barnabas.errors import BufferFull, MessageTooLarge, TransactionAborted
from tests.integration.clients.topics import create, read_all
from tests.support import oracle


async def test_what_is_awaited_is_delivered(cluster: str, topic: str) -> None:
    create(cluster, topic, partitions=1)
    async with aio.Producer(bootstrap_servers=cluster) as producer:
        assert (await producer.send(topic, b"first")).offset == 0
        results = await asyncio.gather(*(producer.send(topic, str(n)) for n in range(500)))
        assert [result.offset for result in results] == list(range(1, 501))
        futures = [await producer.produce(topic, str(n)) for n in range(500)]
        await producer.flush(30)
        assert [future.result().offset for future in futures] == list(range(501, 1001))
        assert await producer.send_batch(topic, [b"a", b"b"]) == 2
    assert [record.value for record in read_all(cluster, topic, 1_003)][-2:] == [b"a", b"b"]


async def test_who_waits_for_room_lets_the_loop_go_on(cluster: str, topic: str) -> None:
    create(cluster, topic, partitions=1)
    async with aio.Producer(bootstrap_servers=cluster, buffer_memory=1 << 20, batch_size=50_000) as producer:
        futures = [await producer.produce(topic, bytes(10_000)) for _ in range(1_000)]
        results = await asyncio.gather(*futures)
    assert [result.offset for result in results] == list(range(1_000))


async def test_no_broker_means_no_room_for_ever(topic: str) -> None:
    bootstrap = f"127.0.0.1:{oracle.free_port()}"
    async with aio.Producer(bootstrap_servers=bootstrap, max_block_ms=50) as producer:
        with pytest.raises(BufferFull, match="no metadata"):
            await producer.send(topic, b"x")


async def test_failures_are_raised_where_they_are_awaited(cluster: str, topic: str) -> None:
    create(cluster, topic, partitions=1, config={"max.message.bytes": "2000"})
    async with aio.Producer(bootstrap_servers=cluster) as producer:
        good, bad = producer.send(topic, b"x"), producer.send(topic, bytes(5_000))
        results = await asyncio.gather(good, bad, return_exceptions=True)
    assert isinstance(results[1], MessageTooLarge)
    assert not isinstance(results[0], BaseException)


async def test_who_gives_up_waiting_disturbs_nobody(cluster: str, topic: str) -> None:
    create(cluster, topic, partitions=1)
    async with aio.Producer(bootstrap_servers=cluster, linger_ms=50) as producer:
        await producer.partitions_for(topic)
        impatient = asyncio.ensure_future(producer.send(topic, b"a"))
        patient = asyncio.ensure_future(producer.send(topic, b"b"))
        await asyncio.sleep(0)
        impatient.cancel()
        assert (await patient).offset == 1
    with pytest.raises(asyncio.CancelledError):
        await impatient


async def test_transactions(cluster: str, topic: str) -> None:
    create(cluster, topic, partitions=1)
    async with aio.Producer(bootstrap_servers=cluster, transactional_id=topic) as producer:
        async with producer.transaction():
            kept = await producer.produce(topic, b"kept")
            await producer.send_offsets(topic, {(topic, 0): 1})
        assert kept.result().offset == 0
        lost = []

        async def fail() -> None:
            async with producer.transaction():
                lost.append(await producer.produce(topic, b"lost"))
                raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            await fail()
        with pytest.raises(TransactionAborted):
            await lost[0]
        async with producer.transaction():
            await producer.produce(topic, b"kept too")
    records = read_all(cluster, topic, 2, isolation_level="read_committed")
    assert [record.value for record in records] == [b"kept", b"kept too"]


async def test_interceptors_are_refused_and_not_passed_over() -> None:
    with pytest.raises(TypeError, match="takes no on_send"):
        aio.Producer(bootstrap_servers="127.0.0.1:1", on_send=lambda record: record)
