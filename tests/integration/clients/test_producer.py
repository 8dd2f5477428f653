"""`barnabas.Producer`: what is handed in is in the log once, in order, where Java's client would put it."""

import os
import random
import threading
import warnings
from pathlib import Path

import pytest

import barnabas
from barnabas._core import partition_of_key
from barnabas.errors import ClientClosed, ForkedClient, KafkaError, MessageTooLarge
from tests.integration.clients.topics import create, read_all
from tests.support import oracle

CODECS = ("none", "gzip", "snappy", "lz4", "zstd")


@pytest.mark.parametrize("codec", CODECS)
def test_records_come_back_as_they_were_sent(cluster: str, topic: str, codec: str) -> None:
    create(cluster, topic, partitions=1)
    sent = [(f"k{n}".encode() if n % 3 else None, b"v" * (n % 300) if n % 7 else None) for n in range(2_000)]
    with barnabas.Producer(bootstrap_servers=cluster, compression_type=codec) as producer:
        for n, (key, value) in enumerate(sent):
            producer.produce(topic, value, key, headers={"n": str(n), "none": None}, timestamp=1_000 + n)
    records = read_all(cluster, topic, len(sent))
    assert [(record.key, record.value) for record in records] == sent
    assert [record.offset for record in records] == list(range(len(sent)))
    assert [record.timestamp for record in records] == list(range(1_000, 1_000 + len(sent)))
    assert records[5].headers == [("n", b"5"), ("none", None)]


def test_keys_choose_the_partitions_of_javas_client(cluster: str, topic: str) -> None:
    create(cluster, topic, partitions=7)
    with barnabas.Producer({"bootstrap.servers": cluster}) as producer:
        for n in range(1_000):
            producer.produce(topic, str(n), key=f"key-{n}")
    for record in read_all(cluster, topic, 1_000):
        assert record.key is not None
        assert record.partition == partition_of_key(record.key, 7)


@pytest.mark.oracle
def test_a_hundred_thousand_keys_hash_as_in_java(tmp_path: Path) -> None:
    seeded = random.Random(7)
    keys = [seeded.randbytes(seeded.randrange(40)) for _ in range(100_000)]
    source = tmp_path / "Partitions.java"
    source.write_text(
        """
        import java.util.HexFormat;
        import org.apache.kafka.common.utils.Utils;

        public class Partitions {
            public static void main(String[] arguments) throws Exception {
                var out = new StringBuilder();
                var in = new java.io.BufferedReader(new java.io.InputStreamReader(System.in));
                for (String line; (line = in.readLine()) != null; ) {
                    var key = HexFormat.of().parseHex(line);
                    out.append(Utils.toPositive(Utils.murmur2(key)) % 1009).append('\\n');
                }
                System.out.print(out);
            }
        }
        """
    )
    done = oracle.java(str(source), stdin="".join(key.hex() + "\n" for key in keys))
    assert done.returncode == 0, done.stderr
    assert [partition_of_key(key, 1009) for key in keys] == list(map(int, done.stdout.split()))


def test_results_say_where_records_lie(cluster: str, topic: str) -> None:
    create(cluster, topic, partitions=2)
    with barnabas.Producer(bootstrap_servers=cluster) as producer:
        first = producer.send(topic, b"a", partition=1)
        second = producer.send(topic, b"b", partition=1)
        assert (second.result(30).partition, second.result().offset) == (1, 1)
        assert (first.result().topic, first.result().offset) == (topic, 0)


def test_every_callback_is_called_once_with_its_own_offset(cluster: str, topic: str) -> None:
    create(cluster, topic, partitions=1)
    told: list[int] = []
    with barnabas.Producer(bootstrap_servers=cluster) as producer:
        for _ in range(10_000):
            producer.produce(topic, b"x", on_delivery=lambda error, at: told.append(at.offset if at else -1))
    assert told == list(range(10_000))


@pytest.mark.parametrize("acks", ["0", "1", "all"])
def test_acks(cluster: str, topic: str, acks: str) -> None:
    create(cluster, topic, partitions=1)
    with barnabas.Producer(bootstrap_servers=cluster, acks=acks) as producer:
        for n in range(5_000):
            producer.produce(topic, str(n))
    values = [record.value for record in read_all(cluster, topic, 5_000)]
    assert values == [str(n).encode() for n in range(5_000)]


def test_a_topic_is_created_when_it_is_first_used(cluster: str, topic: str) -> None:
    with barnabas.Producer(bootstrap_servers=cluster) as producer:
        assert producer.send(topic, b"hello").result(30).offset == 0


def test_batches_that_are_too_large_for_the_topic_are_split(cluster: str, topic: str) -> None:
    create(cluster, topic, partitions=1, config={"max.message.bytes": "2000"})
    with barnabas.Producer(bootstrap_servers=cluster, linger_ms=50) as producer:
        for n in range(300):
            producer.produce(topic, f"{n:0100}")
    values = [record.value for record in read_all(cluster, topic, 300)]
    assert values == [f"{n:0100}".encode() for n in range(300)]


def test_a_record_that_is_too_large_for_the_topic_fails_alone(cluster: str, topic: str) -> None:
    create(cluster, topic, partitions=1, config={"max.message.bytes": "2000"})
    with barnabas.Producer(bootstrap_servers=cluster) as producer:
        small, large, after = (producer.send(topic, bytes(size)) for size in (10, 5_000, 20))
        with pytest.raises(MessageTooLarge):
            large.result(30)
        assert (small.result(30).offset, after.result(30).offset) == (0, 1)


def test_a_failure_that_nobody_asked_about_is_raised_by_flush(cluster: str, topic: str) -> None:
    create(cluster, topic, partitions=1, config={"max.message.bytes": "2000"})
    with barnabas.Producer(bootstrap_servers=cluster) as producer:
        producer.produce(topic, bytes(5_000))
        with pytest.raises(MessageTooLarge):
            producer.flush(30)
        producer.flush(30)


def test_memory_is_bounded_while_no_broker_answers(topic: str) -> None:
    with barnabas.Producer(bootstrap_servers=f"127.0.0.1:{oracle.free_port()}", max_block_ms=50) as producer:
        with pytest.raises(TimeoutError):
            producer.produce(topic, b"x")
        assert producer.buffered_bytes == 0


def test_partitions_that_a_topic_does_not_have_are_refused(cluster: str, topic: str) -> None:
    create(cluster, topic, partitions=2)
    with barnabas.Producer(bootstrap_servers=cluster) as producer:
        assert producer.partitions_for(topic) == [0, 1]
        with pytest.raises(KafkaError, match="no partition 2"):
            producer.produce(topic, b"x", partition=2)


def test_many_threads_may_produce(cluster: str, topic: str) -> None:
    create(cluster, topic, partitions=1)
    with barnabas.Producer(bootstrap_servers=cluster, batch_size=1_000) as producer:

        def work(name: int) -> None:
            for n in range(1_000):
                producer.produce(topic, f"{name} {n}")

        threads = [threading.Thread(target=work, args=(name,)) for name in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    values = [(record.value or b"").decode().split() for record in read_all(cluster, topic, 4_000)]
    for name in range(4):
        assert [int(n) for who, n in values if int(who) == name] == list(range(1_000))


def test_a_closed_producer_takes_nothing(cluster: str, topic: str) -> None:
    producer = barnabas.Producer(bootstrap_servers=cluster)
    producer.close()
    producer.close()
    with pytest.raises(ClientClosed):
        producer.produce(topic, b"x")


def test_a_child_process_is_refused(cluster: str, topic: str) -> None:
    with barnabas.Producer(bootstrap_servers=cluster) as producer:
        producer.send(topic, b"parent").result(30)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # Newer Pythons warn of what is tested here.
            child = os.fork()
        if child == 0:  # Nothing of pytest may run in the child.
            try:
                producer.produce(topic, b"child")
            except ForkedClient:
                os._exit(7)
            os._exit(1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
        producer.send(topic, b"parent").result(30)
