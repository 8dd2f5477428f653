"""Apache Kafka's own command line tools: against a live node, and on the files of a stopped one."""

import json
import re
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from barnabas.protocol import ApiKey
from tests.support import apache_tools, oracle
from tests.support.apache_tools import Outcome, Tools
from tests.support.server import BarnabasUp

pytestmark = pytest.mark.oracle

SHELL_SECONDS_MAX = 60
CODECS = ("none", "gzip", "snappy", "lz4", "zstd")


@pytest.fixture(scope="module")
def tools() -> Iterator[Tools]:
    with Tools() as tools:
        yield tools


class Client:
    """The tools, pointed at a cluster."""

    def __init__(self, tools: Tools, bootstrap: str) -> None:
        self.tools, self.server = tools, ("--bootstrap-server", bootstrap)

    def run(self, main: str, *arguments: object, stdin: str = "") -> Outcome:
        """Runs a tool that must succeed."""
        return self.tools.run(main, *self._pointed(main, arguments), stdin=stdin)

    def fail(self, main: str, *arguments: object) -> str:
        """What a tool says that must fail."""
        outcome = self.tools.call(main, *self._pointed(main, arguments))
        assert outcome.code == 1, outcome.output
        return outcome.output

    def _pointed(self, main: str, arguments: tuple[object, ...]) -> tuple[object, ...]:
        if main == apache_tools.CLUSTER:  # The only one that takes the address after its subcommand.
            return (arguments[0], *self.server, *arguments[1:])
        return (*self.server, *arguments)

    def create(self, topic: str, *arguments: object) -> None:
        made = self.run(apache_tools.TOPICS, "--create", "--topic", topic, *arguments)
        assert f"Created topic {topic}." in made.lines

    def produce(self, topic: str, lines: list[str], *arguments: str) -> None:
        self.run(
            apache_tools.CONSOLE_PRODUCER, "--topic", topic, "--reader-property", "parse.key=true",
            "--reader-property", "key.separator=:", *arguments, stdin="".join(f"{line}\n" for line in lines),
        )  # fmt: skip

    def consume(self, topic: str, partition: int, offset: str | int, count: int) -> list[str]:
        """Records of a partition as `offset headers key value`, separated by tabs."""
        shown = [f"--formatter-property=print.{part}=true" for part in ("offset", "headers", "key")]
        done = self.run(
            apache_tools.CONSOLE_CONSUMER, "--topic", topic, "--partition", partition, "--offset", offset,
            "--max-messages", count, "--timeout-ms", 30_000, *shown,
        )  # fmt: skip
        assert f"Processed a total of {count} messages" in done.lines
        return [line for line in done.lines if line.startswith("Offset:")]

    def offsets(self, topic: str, time: int | str) -> dict[int, int]:
        """What kafka-get-offsets says, by partition."""
        found = self.run(apache_tools.GET_OFFSETS, "--topic", topic, "--time", time)
        split = [line.rsplit(":", 2) for line in found.lines if line.startswith(f"{topic}:")]
        return {int(partition): int(offset) for _, partition, offset in split}

    def configs(self, *entity: str) -> dict[str, str]:
        """Dynamic configs of an entity."""
        found = self.run(apache_tools.CONFIGS, "--describe", *entity)
        return dict(re.findall(r"^  (\S+?)=(\S*) sensitive=", found.output, re.MULTILINE))

    def alter(self, *arguments: str) -> None:
        self.run(apache_tools.CONFIGS, "--alter", *arguments)


@pytest.fixture
def client(tools: Tools, bootstrap: str) -> Client:
    return Client(tools, bootstrap)


def plan(path: Path, content: object) -> Path:
    """A JSON file as the tools take them."""
    path.write_text(json.dumps(content))
    return path


def test_topics_are_created_described_grown_and_deleted(client: Client, topic: str) -> None:
    main = apache_tools.TOPICS
    client.create(topic, "--partitions", 3, "--config", "retention.ms=777000")
    assert f"Topic '{topic}' already exists." in client.fail(main, "--create", "--topic", topic)
    client.run(main, "--create", "--topic", topic, "--if-not-exists")
    assert topic in client.run(main, "--list").lines

    described = client.run(main, "--describe", "--topic", topic)
    head = re.search(
        rf"Topic: {topic}\tTopicId: (\S+)\tPartitionCount: 3\tReplicationFactor: 1", described.output
    )
    assert head is not None, described.output
    assert "retention.ms=777000" in described.output
    assert len(re.findall(r"Partition: \d\tLeader: 1\tReplicas: 1\tIsr: 1", described.output)) == 3
    assert f"Topic: {topic}\t" in client.run(main, "--describe", "--topic-id", head[1]).output

    client.run(main, "--alter", "--topic", topic, "--partitions", 4)
    shrunk = client.fail(main, "--alter", "--topic", topic, "--partitions", 2)
    assert "currently has 4 partition(s); 2 would not be an increase." in shrunk

    client.run(main, "--delete", "--topic", topic)
    assert topic not in client.run(main, "--list").lines
    assert "does not exist as expected" in client.fail(main, "--delete", "--topic", topic)


@pytest.mark.parametrize("which", ["under-replicated", "unavailable", "under-min-isr", "at-min-isr"])
def test_no_partition_of_one_node_is_troubled(client: Client, topic: str, which: str) -> None:
    client.create(topic)
    troubled = client.run(apache_tools.TOPICS, "--describe", f"--{which}-partitions").output
    assert (f"Topic: {topic}\t" in troubled) == (which == "at-min-isr")


def test_replicas_can_be_placed_by_hand(client: Client, topic: str) -> None:
    client.create(topic, "--replica-assignment", "1,1")
    assert client.offsets(topic, "latest") == {0: 0, 1: 0}
    refused = client.fail(
        apache_tools.TOPICS, "--create", "--topic", f"{topic}-x", "--replica-assignment", "7"
    )
    assert "7" in refused


def test_configs_of_topics(client: Client, topic: str) -> None:
    entity = ("--entity-type", "topics", "--entity-name", topic)
    client.create(topic)
    client.alter(*entity, "--add-config", "retention.ms=1000,cleanup.policy=[compact,delete]")
    assert client.configs(*entity) == {"retention.ms": "1000", "cleanup.policy": "compact,delete"}
    client.alter(*entity, "--delete-config", "retention.ms")
    assert client.configs(*entity) == {"cleanup.policy": "compact,delete"}
    everything = client.configs(*entity, "--all")
    assert everything["segment.bytes"] == "1073741824"
    assert everything["retention.ms"] == "604800000"
    refused = client.fail(apache_tools.CONFIGS, "--alter", *entity, "--add-config", "segment.bytes=1")
    assert "InvalidConfigurationException: Invalid value 1 for configuration segment.bytes" in refused


def test_configs_of_brokers(client: Client) -> None:
    default = ("--entity-type", "brokers", "--entity-default")
    one = ("--entity-type", "brokers", "--entity-name", "1")
    client.alter(*default, "--add-config", "log.cleaner.io.buffer.size=600000")
    client.alter(*one, "--add-config", "log.cleaner.io.buffer.size=700000")
    assert client.configs(*default)["log.cleaner.io.buffer.size"] == "600000"
    assert client.configs(*one)["log.cleaner.io.buffer.size"] == "700000"
    client.alter(*one, "--delete-config", "log.cleaner.io.buffer.size")
    assert client.configs(*one, "--all")["log.cleaner.io.buffer.size"] == "600000"
    client.alter(*default, "--delete-config", "log.cleaner.io.buffer.size")
    assert client.configs(*one, "--all")["log.cleaner.io.buffer.size"] == "524288"


def test_configs_of_groups_and_subscriptions(client: Client, topic: str) -> None:
    for kind, config in (
        ("groups", "consumer.session.timeout.ms=50000"),
        ("client-metrics", "interval.ms=30000"),
    ):
        entity = ("--entity-type", kind, "--entity-name", topic)
        client.alter(*entity, "--add-config", config)
        name, _, value = config.partition("=")
        assert client.configs(*entity)[name] == value
        client.alter(*entity, "--delete-config", name)


def test_levels_of_loggers(client: Client) -> None:
    entity = ("--entity-type", "broker-loggers", "--entity-name", "1")
    before = client.configs(*entity)
    assert "root" in before
    client.alter(*entity, "--add-config", "root=DEBUG")
    assert client.configs(*entity)["root"] == "DEBUG"
    client.alter(*entity, "--add-config", f"root={before['root']}")


def test_quotas_and_scram_credentials_of_users(client: Client, topic: str) -> None:
    entity = ("--entity-type", "users", "--entity-name", topic)
    client.alter(*entity, "--add-config", "producer_byte_rate=1024")
    client.alter(*entity, "--add-config", "SCRAM-SHA-256=[iterations=8192,password=pw]")
    told = client.run(apache_tools.CONFIGS, "--describe", *entity).output
    assert "producer_byte_rate=1024.0" in told
    assert f"SCRAM credential configs for user-principal '{topic}' are SCRAM-SHA-256=iterations=8192" in told


def test_records_flow_through_the_console_clients(client: Client, topic: str) -> None:
    client.create(topic)
    client.produce(topic, ["h:1,i:2\ta:first"], "--reader-property", "parse.headers=true")
    for codec in CODECS:
        client.produce(topic, [f"{codec}:{number}" for number in range(3)], "--compression-codec", codec)
    expected = [f"{codec}\t{number}" for codec in CODECS for number in range(3)]
    assert client.consume(topic, 0, "earliest", 16) == [
        "Offset:0\th:1,i:2\ta\tfirst",
        *(f"Offset:{offset}\tNO_HEADERS\t{record}" for offset, record in enumerate(expected, start=1)),
    ]
    assert client.consume(topic, 0, 14, 1) == ["Offset:14\tNO_HEADERS\tzstd\t1"]


def test_offsets_are_found_by_time_and_records_deleted_before_one(
    client: Client, topic: str, tmp_path: Path
) -> None:
    client.create(topic, "--partitions", 2)
    client.produce(topic, [f"{number}:v" for number in range(10)])
    ends = client.offsets(topic, "latest")
    assert sum(ends.values()) == 10
    assert client.offsets(topic, "earliest") == {0: 0, 1: 0}
    assert client.offsets(topic, 0) == {partition: 0 for partition, end in ends.items() if end}
    newest = client.offsets(topic, "max-timestamp")
    assert all(0 <= offset < ends[partition] for partition, offset in newest.items())
    assert client.offsets(topic, "earliest-local") == {0: 0, 1: 0}
    assert client.offsets(topic, "latest-tiered") == {}

    partition = max(ends, key=lambda index: ends[index])
    where = {"topic": topic, "partition": partition, "offset": 2}
    request = plan(tmp_path / "delete.json", {"partitions": [where], "version": 1})
    deleted = client.run(apache_tools.DELETE_RECORDS, "--offset-json-file", request)
    assert f"partition: {topic}-{partition}\tlow_watermark: 2" in deleted.lines
    assert client.offsets(topic, "earliest") == {partition: 2, 1 - partition: 0}


def test_log_directories_are_described(client: Client, topic: str) -> None:
    client.create(topic)
    client.produce(topic, ["a:1"])
    told = client.run(apache_tools.LOG_DIRS, "--describe", "--topic-list", topic)
    [described] = [json.loads(line) for line in told.lines if line.startswith("{")]
    [directory] = described["brokers"][0]["logDirs"]
    [partition] = directory["partitions"]
    assert directory["error"] is None
    assert partition["partition"] == f"{topic}-0"
    assert partition["size"] > 0


def test_the_cluster_its_endpoints_and_what_they_serve(client: Client) -> None:
    cluster = client.run(apache_tools.CLUSTER, "cluster-id").output
    assert re.search(r"^Cluster ID: \S{22}$", cluster, re.MULTILINE)
    endpoints = client.run(apache_tools.CLUSTER, "list-endpoints").output
    assert re.search(r"^1 .* unfenced +broker", endpoints, re.MULTILINE)
    assert "4242" in client.fail(apache_tools.CLUSTER, "unregister", "--id", 4242)

    served = client.run(apache_tools.API_VERSIONS).output
    usable = {int(key) for key in re.findall(r"^\t\w+\((\d+)\): .*\[usable: \d+\]", served, re.MULTILINE)}
    wanted = {
        ApiKey.PRODUCE, ApiKey.FETCH, ApiKey.LIST_OFFSETS, ApiKey.METADATA, ApiKey.API_VERSIONS,
        ApiKey.CREATE_TOPICS, ApiKey.INIT_PRODUCER_ID, ApiKey.ELECT_LEADERS, ApiKey.DESCRIBE_CLUSTER,
        ApiKey.DESCRIBE_TOPIC_PARTITIONS, ApiKey.DESCRIBE_QUORUM, ApiKey.UPDATE_FEATURES,
    }  # fmt: skip
    assert wanted <= usable


def test_features(client: Client) -> None:
    described = client.run(apache_tools.FEATURES, "describe").output
    for feature in ("metadata.version", "transaction.version", "group.version", "share.version"):
        assert re.search(rf"^Feature: {feature}\s+SupportedMinVersion: ", described, re.MULTILINE)
    dry = client.run(apache_tools.FEATURES, "upgrade", "--feature", "group.version=1", "--dry-run")
    assert "group.version can be upgraded to 1." in dry.lines
    refused = client.fail(apache_tools.FEATURES, "downgrade", "--feature", "metadata.version=9999")
    assert "Invalid update version 9999 for feature metadata.version." in refused


def test_the_metadata_quorum(client: Client) -> None:
    status = client.run(apache_tools.METADATA_QUORUM, "describe", "--status").output
    assert re.search(r"^LeaderId: +1$", status, re.MULTILINE)
    assert re.search(r"^CurrentVoters: +\[\{\"id\": 1, ", status, re.MULTILINE)
    replication = client.run(apache_tools.METADATA_QUORUM, "describe", "--replication").output
    assert re.search(r"^1 .*\tLeader", replication, re.MULTILINE)


def test_the_controller_is_reached_on_its_own_listener(client: Client, tools: Tools) -> None:
    status = client.run(apache_tools.METADATA_QUORUM, "describe", "--status").output
    [endpoint] = re.findall(r"CONTROLLER://([0-9.]+:[0-9]+)", status)
    pointed = ("--bootstrap-controller", endpoint)
    replication = tools.run(apache_tools.METADATA_QUORUM, *pointed, "describe", "--replication").output
    assert re.search(r"^1 .*\tLeader", replication, re.MULTILINE)
    features = tools.run(apache_tools.FEATURES, *pointed, "describe").output
    assert re.search(r"^Feature: metadata.version\s+SupportedMinVersion: ", features, re.MULTILINE)
    endpoints = tools.run(apache_tools.CLUSTER, "list-endpoints", *pointed).output
    assert re.search(r"^1 .* controller", endpoints, re.MULTILINE), endpoints
    broker = ("--entity-type", "brokers", "--entity-name", "1")
    assert (
        "Dynamic configs for broker 1 are:"
        in tools.run(apache_tools.CONFIGS, *pointed, "--describe", *broker).lines
    )


def test_leaders_stay_where_they_are(client: Client, topic: str, tmp_path: Path) -> None:
    client.create(topic, "--partitions", 2)
    for kind in ("preferred", "unclean"):
        done = client.run(
            apache_tools.LEADER_ELECTION, "--election-type", kind, "--topic", topic, "--partition", 0
        )
        assert f"Valid replica already elected for partitions {topic}-0" in done.lines
    unknown = ("--election-type", "preferred", "--topic", f"{topic}-x", "--partition", 0)
    assert "UnknownTopicOrPartitionException" in client.fail(apache_tools.LEADER_ELECTION, *unknown)

    main = apache_tools.REASSIGN
    topics = plan(tmp_path / "topics.json", {"topics": [{"topic": topic}], "version": 1})
    generated = client.run(main, "--generate", "--broker-list", 1, "--topics-to-move-json-file", topics)
    proposed = [json.loads(line) for line in generated.lines if line.startswith("{")][-1]
    move = ("--reassignment-json-file", plan(tmp_path / "move.json", proposed))
    assert "Successfully started partition reassignments" in client.run(main, "--execute", *move).output
    assert f"Reassignment of partition {topic}-1 is completed." in client.run(main, "--verify", *move).lines
    assert "No partition reassignments found." in client.run(main, "--list").lines


@pytest.fixture(scope="module")
def stopped(tools: Tools, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Directory of a node that has taken records in every compression and was stopped."""
    node = BarnabasUp(tmp_path_factory.mktemp("stopped") / "data")
    try:
        client = Client(tools, node.start().bootstrap)
        client.create("orders", "--config", "index.interval.bytes=1")
        for codec in CODECS:
            client.produce(
                "orders", [f"{codec}:{number}" for number in range(3)], "--compression-codec", codec
            )
        assert node.stop() == 0
    finally:
        node.kill()
    return node.directory


def test_dump_log_reads_a_partitions_files(tools: Tools, stopped: Path) -> None:
    log = stopped / "orders-0"
    main = apache_tools.DUMP_LOG
    dumped = tools.run(
        main, "--deep-iteration", "--print-data-log", "--files", log / "00000000000000000000.log"
    )
    batches = [line for line in dumped.lines if line.startswith("baseOffset: ")]
    assert [re.findall(r"compresscodec: (\w+)", line)[0] for line in batches] == list(CODECS)
    assert all("magic: 2 " in line and "isvalid: true" in line for line in batches)
    records = re.findall(r"\| offset: (\d+) .* key: (\w+) payload: (\d)$", dumped.output, re.MULTILINE)
    expected = [(codec, str(number)) for codec in CODECS for number in range(3)]
    assert records == [(str(offset), key, value) for offset, (key, value) in enumerate(expected)]

    index = tools.run(main, "--index-sanity-check", "--files", log / "00000000000000000000.index")
    assert "passed sanity check." in index.output
    entries = tools.run(main, "--files", log / "00000000000000000000.index").lines
    assert len([line for line in entries if line.startswith("offset: ")]) == 4
    times = tools.run(main, "--files", log / "00000000000000000000.timeindex").output
    assert "Found timestamp mismatch" not in times
    producers = tools.run(main, "--files", log / "00000000000000000015.snapshot").lines
    assert len([line for line in producers if line.startswith("producerId: ")]) == 5


def test_dump_log_and_the_shell_read_the_metadata(tools: Tools, stopped: Path, tmp_path: Path) -> None:
    metadata = stopped / "__cluster_metadata-0"
    log = metadata / "00000000000000000000.log"
    dumped = tools.run(apache_tools.DUMP_LOG, "--cluster-metadata-decoder", "--files", log).output
    types = re.findall(r'payload: \{"type":"(\w+)"', dumped)
    assert {"REGISTER_BROKER_RECORD", "TOPIC_RECORD", "PARTITION_RECORD", "CONFIG_RECORD"} <= set(types)
    assert "isvalid: false" not in dumped

    copy = tmp_path / log.name  # The shell locks the directory of the file that it reads.
    shutil.copy(log, copy)
    show_until(tools, copy, "orders", "ls", "/image/topics/byName")
    show_until(tools, copy, "isr=[1]", "cat", "/image/topics/byName/orders/0")


def show_until(tools: Tools, log: Path, wanted: str, *command: str) -> None:
    """Asks the metadata shell until it shows what is wanted: its loader is a thread of its own, for which the
    command doesn't wait, so that on a busy machine it may show less than the log holds."""
    deadline = time.monotonic() + SHELL_SECONDS_MAX
    while True:
        shown = tools.run(apache_tools.METADATA_SHELL, "--snapshot", log, *command).output
        if wanted in shown:
            return
        assert time.monotonic() < deadline, shown


def test_the_storage_tool_knows_the_directory(tools: Tools, stopped: Path, tmp_path: Path) -> None:
    config = tmp_path / "server.properties"
    config.write_text(
        "process.roles=broker,controller\nnode.id=1\ncontroller.quorum.bootstrap.servers=127.0.0.1:1\n"
        "listeners=PLAINTEXT://127.0.0.1:2,CONTROLLER://127.0.0.1:1\ncontroller.listener.names=CONTROLLER\n"
        f"log.dirs={stopped}\n"
    )
    told = tools.run(apache_tools.STORAGE, "info", "-c", config).output
    assert f"Found log directory:\n  {stopped}\n" in told
    assert re.search(r"^Found metadata: .*nodeId=1|^Found metadata: .*node\.id=1", told, re.MULTILINE), told
    assert "Found problem" not in told


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_apache_kafka_carries_on_where_barnabas_has_stopped_and_back(tools: Tools, tmp_path: Path) -> None:
    kafka = oracle.ApacheKafka(tmp_path)
    # The voter record of the metadata log names the controller listener under which Kafka looks for itself.
    listeners = f"listeners={kafka.settings['listeners']}"
    ours = BarnabasUp(kafka.log_directory, ["--set", listeners], kafka.port)
    client = Client(tools, kafka.bootstrap)
    written: list[str] = []
    try:
        for node in (ours, kafka, ours):
            node.start()
            if not written:
                client.create("orders", "--config", "retention.ms=-1")
            assert client.configs("--topic", "orders") == {"retention.ms": "-1"}
            for codec in CODECS:
                client.produce("orders", [f"{codec}:{len(written)}"], "--compression-codec", codec)
                written.append(f"Offset:{len(written)}\tNO_HEADERS\t{codec}\t{len(written)}")
            assert client.consume("orders", 0, "earliest", len(written)) == written
            node.stop()
    finally:
        ours.kill()
        kafka.stop()
