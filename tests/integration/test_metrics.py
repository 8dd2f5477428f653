"""/metrics and `barnabas top` of a running node."""

import contextlib
import json
import os
import pty
import re
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewTopic,
    ResourceType,
)

from barnabas.cli.connection import Connection
from barnabas.cli.root import outcome
from barnabas.cli.scrape import Scrape, scrape
from barnabas.cli.top import find_metrics
from barnabas.protocol.generated.create_partitions_request import (
    CreatePartitionsRequest,
    CreatePartitionsTopic,
)
from barnabas.protocol.generated.offset_for_leader_epoch_request import (
    OffsetForLeaderEpochRequest,
    OffsetForLeaderPartition,
    OffsetForLeaderTopic,
)
from barnabas.protocol.generated.produce_request import PartitionProduceData, ProduceRequest, TopicProduceData
from tests.support.server import BarnabasUp
from tests.support.wire import Connection as Wire

SECONDS_MAX = 30
DOCUMENT = Path(__file__).parents[2] / "docs" / "metrics.md"
BEANS = Path(__file__).with_name("beans_4_3_1.tsv")
ATTRIBUTES = (
    "Value", "Count", "MeanRate", "OneMinuteRate", "FiveMinuteRate", "FifteenMinuteRate", "Min", "Max",
    "Mean", "StdDev", "50thPercentile", "75thPercentile", "95thPercentile", "98thPercentile",
    "99thPercentile", "999thPercentile",
)  # fmt: skip


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BarnabasUp]:
    """A node whose topic `orders` has 100 records of 100 bytes, all read once; metrics are on a free port."""
    directory = tmp_path_factory.mktemp("metrics") / "data"
    arguments = ["--set", "barnabas.metrics.port=0", "--set", "barnabas.slow.request.ms=60000"]
    node = BarnabasUp(directory, arguments).start()
    try:
        admin = AdminClient({"bootstrap.servers": node.bootstrap})
        synced = NewTopic("orders", 1, 1, config={"barnabas.durability": "fsync"})
        admin.create_topics([synced])["orders"].result(SECONDS_MAX)
        producer = Producer({"bootstrap.servers": node.bootstrap, "linger.ms": 50})
        for _ in range(100):
            producer.produce("orders", b"x" * 100)
        assert producer.flush(SECONDS_MAX) == 0
        config = {"bootstrap.servers": node.bootstrap, "group.id": "unused", "enable.auto.commit": False}
        consumer = Consumer(config)
        consumer.assign([TopicPartition("orders", 0, 0)])
        assert len(consumer.consume(100, SECONDS_MAX)) == 100
        consumer.close()
        yield node
        assert node.stop() == 0
    finally:
        node.kill()


@pytest.fixture(scope="module")
def url(node: BarnabasUp) -> str:
    return find_metrics(Connection(node.bootstrap, {}))


@pytest.fixture
def page(url: str) -> Scrape:
    return scrape(url)


def samples(url: str) -> list[tuple[str, dict[str, str]]]:
    """Family and labels of each sample."""
    with urllib.request.urlopen(url, timeout=SECONDS_MAX) as response:
        assert response.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
        text = response.read().decode()
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    return [(re.split("[{ ]", line)[0], dict(re.findall(r'(\w+)="([^"]*)"', line))) for line in lines]


def test_traffic_is_counted_for_the_topic_and_in_all(page: Scrape) -> None:
    traffic = "kafka_server_BrokerTopicMetrics_Count"
    for labels in ({"topic": "orders"}, {}):
        assert page.value(traffic, name="MessagesInPerSec", **labels) >= 100
        assert page.value(traffic, name="BytesInPerSec", **labels) > 10_000
        assert page.value(traffic, name="BytesOutPerSec", **labels) > 10_000
        assert page.value(traffic, name="TotalProduceRequestsPerSec", **labels) >= 1
    assert page.value(traffic, name="MessagesInPerSec", topic="orders") == 100
    assert page.value(traffic, name="FailedProduceRequestsPerSec", topic="orders") == 0


def test_replicas_logs_and_cluster_are_told(page: Scrape) -> None:
    assert page.value("kafka_server_ReplicaManager_Value", name="LeaderCount") >= 1
    assert page.value("kafka_server_ReplicaManager_Value", name="OfflineReplicaCount") == 0
    assert page.value("kafka_server_ReplicaManager_Value", name="UnderReplicatedPartitions") == 0
    assert page.value("kafka_controller_KafkaController_Value", name="ActiveBrokerCount") == 1
    assert page.value("kafka_log_Log_Value", name="LogEndOffset", topic="orders", partition="0") == 100
    assert page.value("kafka_server_KafkaServer_Value", name="BrokerState") == 3
    assert page.value("process_resident_memory_bytes") > 1 << 20


def test_requests_have_their_times(page: Scrape) -> None:
    requests = "kafka_network_RequestMetrics"
    assert page.value(f"{requests}_Count", name="TotalTimeMs", request="Produce") >= 1
    assert page.value(f"{requests}_99thPercentile", name="TotalTimeMs", request="Produce") > 0
    assert page.total(f"{requests}_Count", name="RequestsPerSec", request="Produce") >= 1
    assert page.value("barnabas_request_seconds_count", request="Produce") >= 1
    assert page.value("barnabas_slow_requests_total", request="Produce") == 0


def errors(url: str) -> Counter[tuple[str, str]]:
    """The error codes that stood in responses, by API and name."""
    found: Counter[tuple[str, str]] = Counter()
    for labels, count in scrape(url).each("kafka_network_RequestMetrics_Count"):
        if labels["name"] == "ErrorsPerSec":
            found[labels["request"], labels["error"]] = int(count)
    return found


def test_each_error_code_in_a_response_counts(node: BarnabasUp, url: str) -> None:
    asked = [OffsetForLeaderPartition(partition=index, leader_epoch=0) for index in (0, 7, 8)]
    epochs = OffsetForLeaderEpochRequest(topics=[OffsetForLeaderTopic(topic="orders", partitions=asked)])
    topics = [CreatePartitionsTopic(name=name, count=0) for name in ("orders", "absent")]
    lost = TopicProduceData(name="absent", partition_data=[PartitionProduceData(index=0, records=b"")])
    before = errors(url)
    with Wire(node.bootstrap) as connection:
        assert connection.request(epochs, 4) is not None
        assert connection.request(epochs, 4) is not None
        # Python's, with all of its topics in one response.
        assert connection.request(CreatePartitionsRequest(topics=topics, timeout_ms=1000), 3) is not None
        # No response says it, but the connection is closed.
        assert connection.request(ProduceRequest(acks=0, topic_data=[lost]), 9) is None
    unknown = "UNKNOWN_TOPIC_OR_PARTITION"
    mine = ("OffsetForLeaderEpoch", "CreatePartitions")
    counts = {
        key: count for key, count in (errors(url) - before).items() if key[0] in mine or key[1] == unknown
    }
    assert counts == {
        ("OffsetForLeaderEpoch", "NONE"): 2,
        ("OffsetForLeaderEpoch", unknown): 4,
        ("CreatePartitions", "INVALID_PARTITIONS"): 1,
        ("CreatePartitions", unknown): 1,
        ("Produce", unknown): 1,
    }


def test_flushes_and_compaction_are_told(page: Scrape) -> None:
    flushes = {"name": "LogFlushRateAndTimeMs"}
    assert page.value("kafka_log_LogFlushStats_Count", **flushes) >= 1
    assert page.value("kafka_log_LogFlushStats_Max", **flushes) > 0
    cleaner = "kafka_log_LogCleanerManager_Value"
    assert page.value(cleaner, name="time-since-last-run-ms") < 60_000
    assert page.total(cleaner, name="uncleanable-partitions-count") == 0


def test_coordinators_tell_of_their_groups(node: BarnabasUp, url: str) -> None:
    config = {"bootstrap.servers": node.bootstrap, "enable.auto.commit": False}
    classic = Consumer({**config, "group.id": "classic"})
    classic.commit(offsets=[TopicPartition("orders", 0, 5)], asynchronous=False)
    classic.close()
    consumer = Consumer({**config, "group.id": "consumer", "group.protocol": "consumer"})
    consumer.subscribe(["orders"])
    deadline = time.monotonic() + SECONDS_MAX
    while not consumer.assignment():
        assert time.monotonic() < deadline
        consumer.poll(0.1)
    groups = "kafka_server_group_coordinator_metrics"
    page = scrape(url)
    assert page.value(f"{groups}_group_count", protocol="consumer") == 1
    assert page.total(f"{groups}_consumer_group_count") == 1
    assert page.value("kafka_coordinator_group_GroupMetadataManager_Value", name="NumGroupsEmpty") == 1
    assert page.value("kafka_coordinator_group_GroupMetadataManager_Value", name="NumOffsets") == 1
    assert page.value(f"{groups}_num_partitions", state="active") == 50
    consumer.close()


def test_every_name_of_kafka_is_one_that_its_jmx_exporter_gives(url: str) -> None:
    known = {tuple(line.split("\t")) for line in BEANS.read_text().splitlines()[1:]}
    for family, labels in samples(url):
        if family.startswith("kafka_"):
            assert (family, labels.get("name", ""), ",".join(labels)) in known


def test_the_document_names_what_is_served_and_nothing_else(url: str) -> None:
    served = set()
    for family, labels in samples(url):
        if "name" in labels:
            attribute = next(one for one in ATTRIBUTES if family.endswith(f"_{one}"))
            served |= {family.removesuffix(f"_{attribute}"), labels["name"]}
        else:
            served.add(re.sub("_(bucket|sum|count)$", "", family) if "request_seconds" in family else family)
    document = DOCUMENT.read_text().partition("## Kafka's")[2].partition("## Slow")[0]
    sections = [line for line in document.splitlines() if line.startswith(("|", "`process"))]
    named = set()
    for line in sections:
        cells = line.strip("|").split("|") if line.startswith("|") else [line]
        kafka = line.startswith("| `kafka")
        for cell in cells[:2] if kafka else cells[:1]:
            named |= set(re.findall("`([^`]+)`", cell))
    assert named == served


def test_series_of_a_deleted_topic_go_and_the_sums_stay(node: BarnabasUp, url: str) -> None:
    producer = Producer({"bootstrap.servers": node.bootstrap})
    producer.produce("gone", b"x")
    assert producer.flush(SECONDS_MAX) == 0
    traffic = {"name": "MessagesInPerSec"}
    before = scrape(url).value("kafka_server_BrokerTopicMetrics_Count", **traffic)
    admin = AdminClient({"bootstrap.servers": node.bootstrap})
    admin.delete_topics(["gone"])["gone"].result(SECONDS_MAX)
    assert not [labels for _, labels in samples(url) if labels.get("topic") == "gone"]
    assert scrape(url).value("kafka_server_BrokerTopicMetrics_Count", **traffic) >= before


def test_only_get_is_answered(url: str) -> None:
    with pytest.raises(urllib.error.HTTPError, match="405"):
        urllib.request.urlopen(urllib.request.Request(url, method="POST"), timeout=SECONDS_MAX)
    with pytest.raises(urllib.error.HTTPError, match="404"):
        urllib.request.urlopen(url.removesuffix("metrics") + "other", timeout=SECONDS_MAX)


def test_top_prints_one_picture_for_scripts(node: BarnabasUp, capsys: pytest.CaptureFixture[str]) -> None:
    assert outcome(["top", "--once", "--json", "-b", node.bootstrap]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["partitions"] >= 1
    assert found["memory_bytes"] > 1 << 20
    assert outcome(["top", "--once", "-b", node.bootstrap]) == 0
    assert "all replicas well" in capsys.readouterr().out


def test_a_busy_port_does_not_keep_a_node_from_starting(node: BarnabasUp, url: str, tmp_path: Path) -> None:
    port = url.rpartition(":")[2].partition("/")[0]
    second = BarnabasUp(tmp_path / "second", ["--memory", "--set", f"barnabas.metrics.port={port}"]).start()
    try:
        assert outcome(["top", "--once", "-b", second.bootstrap]) == 1
        assert second.stop() == 0
        assert (
            f"no metrics are served: listener metrics: 127.0.0.1:{port} is in use" in second.log.read_text()
        )
    finally:
        second.kill()


def test_top_draws_in_a_terminal_until_q_is_pressed(node: BarnabasUp) -> None:
    keyboard, terminal = pty.openpty()
    command = [sys.executable, "-m", "barnabas", "top", "-b", node.bootstrap, "--interval", "0.2"]
    process = subprocess.Popen(command, stdin=terminal, stdout=terminal, stderr=subprocess.PIPE)
    os.close(terminal)
    try:
        seen = b""
        while b"all replicas well" not in seen:
            seen += os.read(keyboard, 4096)
        os.write(keyboard, b"q")
        with contextlib.suppress(OSError):  # the terminal is gone when the last one has left it
            while part := os.read(keyboard, 4096):
                seen += part
        assert process.wait(SECONDS_MAX) == 0
        assert seen.endswith(b"\x1b[?1049l")
    finally:
        process.kill()
        process.communicate()
        os.close(keyboard)


def set_slow_request_ms(admin: AdminClient, limit: int) -> None:
    entry = ConfigEntry("barnabas.slow.request.ms", str(limit), incremental_operation=AlterConfigOpType.SET)
    resource = ConfigResource(ResourceType.BROKER, "1", incremental_configs=[entry])
    [altered] = admin.incremental_alter_configs([resource]).values()
    altered.result(SECONDS_MAX)


def slow_requests(node: BarnabasUp) -> list[str]:
    return [line for line in node.log.read_text().splitlines() if "slow request: CreateTopics" in line]


def test_slow_requests_get_a_line_above_a_threshold_that_can_be_moved(node: BarnabasUp, url: str) -> None:
    admin = AdminClient({"bootstrap.servers": node.bootstrap, "client.id": "administrator"})

    def create(name: str) -> None:
        # So many partitions take more than a millisecond on any machine.
        admin.create_topics([NewTopic(name, 100, 1)])[name].result(SECONDS_MAX)

    create("slow-0")
    assert slow_requests(node) == []
    set_slow_request_ms(admin, 1)
    create("slow-1")
    deadline = time.monotonic() + SECONDS_MAX
    while not (lines := slow_requests(node)):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    [line] = lines
    assert re.search(
        r"CreateTopics version \d+ of 127\.0\.0\.1:\d+ \(client id \"administrator\", \d+ bytes\) "
        r"took [\d.]+ ms: "
        r"queue [\d.]+, handling [\d.]+, waiting [\d.]+, sending [\d.]+",
        line,
    )
    assert scrape(url).value("barnabas_slow_requests_total", request="CreateTopics") == 1
    set_slow_request_ms(admin, 0)
    create("slow-2")
    assert slow_requests(node) == lines
    assert scrape(url).value("barnabas_slow_requests_total", request="CreateTopics") == 1
