"""`barnabas up` as a process: what outlives a restart, a kill and a refusal to start."""

import itertools
import signal
import subprocess
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest
from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, Message, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, ConfigResource, NewTopic, ResourceType

from barnabas.cli import exit_codes
from tests.support.oracle import free_port
from tests.support.server import BARNABAS_UP, BarnabasUp

SECONDS_MAX = 30
IN_FLIGHT_MAX = 50_000
"""Records that wait for an acknowledgement: below what librdkafka's queue takes."""

Start = Callable[..., BarnabasUp]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts a node in the test's directory `data`; all are killed at the end."""
    nodes: list[BarnabasUp] = []

    def call(*arguments: str, port: int | None = None) -> BarnabasUp:
        nodes.append(BarnabasUp(tmp_path / "data", arguments, port))
        return nodes[-1].start()

    yield call
    for node in nodes:
        node.kill()


def refused(*arguments: str) -> tuple[int, str]:
    """Exit code and complaint of a node that doesn't start."""
    done = subprocess.run([*BARNABAS_UP, *arguments], capture_output=True, text=True, timeout=SECONDS_MAX)
    assert done.stdout == "", "nothing says that it is ready"
    assert "Traceback" not in done.stderr
    return done.returncode, done.stderr


def create(node: BarnabasUp, topic: str, partitions: int = 1, **config: str) -> None:
    admin = AdminClient({"bootstrap.servers": node.bootstrap})
    names = {name.replace("_", "."): value for name, value in config.items()}
    [future] = admin.create_topics([NewTopic(topic, partitions, 1, config=names)]).values()
    future.result(SECONDS_MAX)


class Sender:
    """An idempotent producer that notes what the node has acknowledged."""

    def __init__(self, node: BarnabasUp, **config: object) -> None:
        self.acknowledged: dict[tuple[int, int], bytes] = {}
        """Value by partition and offset."""
        self.errors: list[KafkaError] = []
        self.producer = Producer(
            {
                "bootstrap.servers": node.bootstrap,
                "enable.idempotence": True,
                "reconnect.backoff.max.ms": 200,
                **config,
            }
        )

    def send(self, topic: str, values: Iterable[int], partitions: int = 1) -> None:
        for value in values:
            self.producer.produce(
                topic, str(value).encode(), partition=value % partitions, on_delivery=self._done
            )
            self.producer.poll(0)
            while len(self.producer) > IN_FLIGHT_MAX:
                self.producer.poll(0.1)

    def finish(self) -> None:
        assert self.producer.flush(SECONDS_MAX) == 0
        assert self.errors == []

    def _done(self, error: KafkaError | None, message: Message) -> None:
        if error is not None:
            self.errors.append(error)
            return
        partition, offset, value = message.partition(), message.offset(), message.value()
        assert partition is not None
        assert offset is not None
        assert value is not None
        self.acknowledged[partition, offset] = value


def read(node: BarnabasUp, topic: str, partitions: int = 1) -> dict[tuple[int, int], bytes]:
    """All there is, by partition and offset."""
    consumer = Consumer(
        {
            "bootstrap.servers": node.bootstrap,
            "group.id": "unused",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
        }
    )
    consumer.assign([TopicPartition(topic, index, OFFSET_BEGINNING) for index in range(partitions)])
    found: dict[tuple[int, int], bytes] = {}
    ended: set[int] = set()
    while len(ended) < partitions:
        message = consumer.poll(SECONDS_MAX)
        assert message is not None, f"nothing for {SECONDS_MAX} s after {len(found)} records"
        error, partition = message.error(), message.partition()
        assert partition is not None
        if error is None:
            offset, value = message.offset(), message.value()
            assert offset is not None
            assert value is not None
            found[partition, offset] = value
        else:
            assert error.code() == KafkaError._PARTITION_EOF, error
            ended.add(partition)
    consumer.close()
    return found


def cluster_id(node: BarnabasUp) -> str:
    admin = AdminClient({"bootstrap.servers": node.bootstrap})
    found = admin.describe_cluster(request_timeout=SECONDS_MAX).result().cluster_id
    assert isinstance(found, str)
    return found


def config(node: BarnabasUp, topic: str, name: str) -> str | None:
    admin = AdminClient({"bootstrap.servers": node.bootstrap})
    [described] = admin.describe_configs([ConfigResource(ResourceType.TOPIC, topic)]).values()
    value = described.result(SECONDS_MAX)[name].value
    assert value is None or isinstance(value, str)
    return value


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_all_is_there_after_a_stop_and_a_start(start: Start, number: signal.Signals) -> None:
    node = start()
    create(node, "orders", 3, retention_ms="777000")
    sender = Sender(node, **{"compression.type": "lz4"})
    sender.send("orders", range(1000), partitions=3)
    sender.finish()
    cluster = cluster_id(node)
    assert node.stop(number) == exit_codes.OK

    again = start()
    assert cluster_id(again) == cluster
    assert read(again, "orders", partitions=3) == sender.acknowledged
    assert config(again, "orders", "retention.ms") == "777000"
    assert again.stop() == exit_codes.OK


def test_acknowledged_records_and_their_producer_survive_kill_9(start: Start) -> None:
    node = start()
    create(node, "orders", 3)
    sender = Sender(node, **{"linger.ms": 1, "batch.num.messages": 50, "compression.type": "zstd"})
    values = itertools.count()
    sender.send(
        "orders", itertools.takewhile(lambda _: len(sender.acknowledged) < 2_000, values), partitions=3
    )
    node.kill()  # Some are sent and not acknowledged; some are not even sent.

    again = start(port=node.port)
    sender.finish()
    found = read(again, "orders", partitions=3)
    assert found == sender.acknowledged, "each record once, where its acknowledgement has put it"
    for partition in range(3):
        kept = [int(value) for (index, _), value in sorted(found.items()) if index == partition]
        assert kept == list(range(partition, 3 * len(kept), 3)), "and in the order in which they were sent"


def test_topics_created_before_kill_9_are_there(start: Start) -> None:
    node = start()
    for number in range(20):
        create(node, f"topic-{number}", 2)
    node.kill()

    again = start()
    topics = AdminClient({"bootstrap.servers": again.bootstrap}).list_topics(timeout=SECONDS_MAX).topics
    assert {name: len(topic.partitions) for name, topic in topics.items()} == {
        f"topic-{number}": 2 for number in range(20)
    }


def test_a_node_in_memory_leaves_nothing_behind(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("TMPDIR", str(home))
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    node = start("--memory")
    create(node, "orders")
    sender = Sender(node)
    sender.send("orders", range(100))
    sender.finish()
    assert read(node, "orders") == sender.acknowledged
    assert node.stop() == exit_codes.OK
    assert list(home.iterdir()) == []
    assert not node.directory.exists()


@pytest.mark.parametrize(
    ("listener", "advertised", "told"),
    [
        ("PLAINTEXT://:{}", "PLAINTEXT://localhost:{}", "localhost:{}"),
        ("PLAINTEXT://0.0.0.0:{}", "PLAINTEXT://127.0.0.1:{}", "127.0.0.1:{}"),
    ],
)
def test_the_address_it_says_is_one_that_clients_can_use(
    start: Start, listener: str, advertised: str, told: str
) -> None:
    port = free_port()
    listeners = f"listeners={listener.format(port)}"
    address = f"advertised.listeners={advertised.format(port)}"
    node = start("--memory", "--set", listeners, "--set", address, port=port)
    create(node, "orders")
    admin = AdminClient({"bootstrap.servers": told.format(port)})
    assert set(admin.list_topics(timeout=SECONDS_MAX).topics) == {"orders"}
    assert node.stop() == exit_codes.OK
    assert f"barnabas is ready at {told.format(port)}\n" in node.log.read_text()


def test_second_node_on_a_directory_is_refused_and_the_first_serves_on(start: Start) -> None:
    node = start()
    create(node, "orders")
    code, complaint = refused("--dir", str(node.directory), "--port", str(free_port()))
    assert code == exit_codes.DIRECTORY_IN_USE
    assert f"log directory {node.directory} is in use by another process" in complaint
    sender = Sender(node)
    sender.send("orders", range(10))
    sender.finish()
    assert read(node, "orders") == sender.acknowledged


def test_a_busy_port_is_told_and_its_owner_serves_on(start: Start, tmp_path: Path) -> None:
    node = start()
    other = tmp_path / "other"
    code, complaint = refused("--dir", str(other), "--port", str(node.port))
    assert code == exit_codes.ADDRESS_IN_USE
    assert node.bootstrap in complaint
    assert cluster_id(node)
    assert BarnabasUp(other).start().stop() == exit_codes.OK


def test_a_disk_that_takes_nothing_is_told(tmp_path: Path) -> None:
    directory = tmp_path / "data"
    command = ["bash", "-c", 'ulimit -f 0; exec "$@"', "bash", *BARNABAS_UP, "--dir", str(directory)]
    command += ["--port", str(free_port())]
    done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS_MAX)
    assert (done.returncode, done.stdout) == (exit_codes.DIRECTORY_UNUSABLE, "")
    assert f"error: cannot write {directory}/" in done.stderr


def test_directory_of_another_node_is_left_as_it_is(start: Start) -> None:
    node = start()
    create(node, "orders")
    assert node.stop() == exit_codes.OK
    before = contents(node.directory)
    code, complaint = refused("--dir", str(node.directory), "--port", str(node.port), "--set", "node.id=7")
    assert code == exit_codes.WRONG_CLUSTER
    assert "belongs to node 1, not 7" in complaint
    assert contents(node.directory) == before


def test_directories_of_two_clusters_are_left_as_they_are(start: Start, tmp_path: Path) -> None:
    node = start()
    assert node.stop() == exit_codes.OK
    stranger = BarnabasUp(tmp_path / "stranger")
    assert stranger.start().stop() == exit_codes.OK
    before = contents(node.directory), contents(stranger.directory)
    both = f"log.dirs={node.directory},{stranger.directory}"
    code, complaint = refused("--set", both, "--port", str(node.port))
    assert code == exit_codes.WRONG_CLUSTER
    assert "belong to different clusters" in complaint
    assert (contents(node.directory), contents(stranger.directory)) == before


def test_a_directory_that_cannot_be_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    code, complaint = refused("--dir", str(tmp_path / "file" / "data"), "--port", str(free_port()))
    assert code == exit_codes.DIRECTORY_UNUSABLE
    assert str(tmp_path / "file" / "data") in complaint
    assert (tmp_path / "file").read_text() == "mine"


def test_a_directory_with_other_things_in_it_is_told(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    (data / "meta.properties").write_text("version=1\ncluster.id=\n")
    code, complaint = refused("--dir", str(data), "--port", str(free_port()))
    assert code == exit_codes.DIRECTORY_UNUSABLE
    assert f"{data / 'meta.properties'} is damaged" in complaint
    assert (data / "meta.properties").read_text() == "version=1\ncluster.id=\n"


def test_of_two_first_starts_at_once_one_serves(tmp_path: Path) -> None:
    command = [*BARNABAS_UP, "--dir", str(tmp_path / "data"), "--port"]
    nodes = [
        subprocess.Popen([*command, str(free_port())], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        for _ in range(2)
    ]
    try:
        said = [node.stdout.readline() if node.stdout else b"" for node in nodes]
        assert sorted(bool(line) for line in said) == [False, True], said
        refused, serving = nodes if said[1] else reversed(nodes)
        assert refused.wait(SECONDS_MAX) == exit_codes.DIRECTORY_IN_USE
        serving.send_signal(signal.SIGINT)
        assert serving.wait(SECONDS_MAX) == exit_codes.OK
    finally:
        for node in nodes:
            node.kill()
            node.communicate()


def test_a_format_that_was_cut_short_is_done_again(start: Start) -> None:
    node = start()
    assert node.stop() == exit_codes.OK
    for file in node.directory.rglob("*"):
        if file.is_file() and file.suffix != ".checkpoint":  # meta.properties is the last to be written.
            file.unlink()
    assert start().stop() == exit_codes.OK


@pytest.mark.parametrize("topic", ["orders", None])
def test_data_without_meta_properties_is_not_formatted_over(start: Start, topic: str | None) -> None:
    node = start()
    if topic is not None:
        create(node, topic)
    assert node.stop() == exit_codes.OK
    for file in node.directory.glob("[!b.]*"):  # Of a metadata log alone nothing else may be left to see.
        if file.is_file() and (topic is None or file.name == "meta.properties"):
            file.unlink()
    before = contents(node.directory)
    code, complaint = refused("--dir", str(node.directory), "--port", str(node.port))
    assert code == exit_codes.DIRECTORY_UNUSABLE
    assert f"{node.directory} holds other files" in complaint
    assert contents(node.directory) == before


@pytest.mark.parametrize(
    ("setting", "code"),
    [("num.partitons=3", exit_codes.USAGE), ("num.partitions=none", exit_codes.BAD_VALUE)],
)
def test_a_wrong_setting_is_told_before_anything_is_made(tmp_path: Path, setting: str, code: int) -> None:
    found, complaint = refused("--dir", str(tmp_path / "data"), "--set", setting)
    assert found == code
    assert setting.partition("=")[0] in complaint
    assert not (tmp_path / "data").exists()


def contents(directory: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in sorted(directory.rglob("*")) if path.is_file()}
