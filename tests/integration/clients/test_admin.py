"""`barnabas.Admin`: every operation gives the same against barnabas and against Apache Kafka 4.3.1."""

import asyncio
import contextlib
import signal
import threading
from collections.abc import Iterator

import pytest

import barnabas
import barnabas.aio
from barnabas._core import Uuid
from barnabas.admin import (
    AclOperation,
    CommittedOffset,
    ConfigOp,
    ConfigResource,
    ConfigSource,
    ElectionType,
    GroupType,
    NewTopic,
    OffsetSpec,
    OpType,
    Replica,
    ResourceType,
)
from barnabas.errors import (
    BrokerIdNotRegistered,
    ClientClosed,
    ClientTimeout,
    ElectionNotNeeded,
    GroupIdNotFound,
    InvalidConfig,
    InvalidPartitions,
    OffsetOutOfRange,
    SecurityDisabled,
    TopicAlreadyExists,
    UnknownTopicOrPartition,
    UnsupportedVersion,
)
from tests.integration.clients.topics import soon
from tests.support.oracle import free_port


@pytest.fixture(scope="module")
def admin(cluster: str) -> Iterator[barnabas.Admin]:
    with barnabas.Admin(bootstrap_servers=cluster) as admin:
        yield admin


@pytest.fixture
def orders(admin: barnabas.Admin, topic: str) -> str:
    """A topic of three partitions, with ten records in the first."""
    admin.create_topics(NewTopic(topic, 3))
    assert soon(lambda: topic in admin.list_topics())
    with barnabas.Producer(bootstrap_servers=admin.bootstrap_servers) as producer:
        for number in range(10):
            producer.produce(topic, f"order {number}", partition=0, timestamp=1_000 + number)
    return topic


def test_topics_are_created_listed_described_and_deleted(admin: barnabas.Admin, topic: str) -> None:
    created = admin.create_topics([NewTopic(topic, 3, configs={"retention.ms": "5000"}), f"{topic}-2"])
    assert created[topic].partitions == 3
    assert created[topic].replication_factor == 1
    assert created[topic].configs["retention.ms"] == "5000"
    assert soon(lambda: {topic, f"{topic}-2"} <= set(admin.list_topics()))
    listed = admin.list_topics()
    assert (listed[topic].partitions, listed[topic].internal) == (3, False)
    assert listed[topic].topic_id == created[topic].topic_id
    described = admin.describe_topics(topic)[topic]
    assert [(one.partition, one.leader, one.replicas, one.isr) for one in described.partitions] == [
        (index, 1, (1,), (1,)) for index in range(3)
    ]
    by_id = admin.describe_topics([created[topic].topic_id])
    assert by_id[created[topic].topic_id].name == topic
    allowed = admin.describe_topics(topic, include_authorized_operations=True)[topic].authorized_operations
    assert allowed is not None
    assert AclOperation.ALTER in allowed
    admin.create_partitions({topic: 5})
    assert soon(lambda: len(admin.describe_topics(topic)[topic].partitions) == 5)
    admin.delete_topics([topic, created[f"{topic}-2"].topic_id])
    assert soon(lambda: not {topic, f"{topic}-2"} & set(admin.list_topics()))


def test_an_error_is_raised_for_what_failed_and_the_rest_is_done(admin: barnabas.Admin, topic: str) -> None:
    admin.create_topics(topic)
    assert soon(lambda: topic in admin.list_topics())
    with pytest.raises(TopicAlreadyExists, match=topic) as caught:
        admin.create_topics([topic, f"{topic}-2"])
    results = caught.value.results  # type: ignore[attr-defined]
    assert list(results.succeeded) == [f"{topic}-2"]
    results = admin.with_options(raise_errors=False).create_topics([topic, f"{topic}-3"])
    assert isinstance(results.errors[topic], TopicAlreadyExists)
    with pytest.raises(TopicAlreadyExists):
        results[topic]
    assert results[f"{topic}-3"].partitions == 1
    assert repr(results).splitlines()[1].startswith(f"{topic}")
    with pytest.raises(InvalidPartitions):
        admin.create_partitions({topic: 1})
    with pytest.raises(UnknownTopicOrPartition):
        admin.describe_topics([topic, "nowhere"])
    with pytest.raises(UnknownTopicOrPartition):
        admin.delete_topics("nowhere")
    with pytest.raises(InvalidConfig):
        admin.create_topics(NewTopic(f"{topic}-4", configs={"retention.ms": "long"}))


def test_nothing_is_created_by_a_dry_run(admin: barnabas.Admin, topic: str) -> None:
    assert admin.create_topics(NewTopic(topic, 2), validate_only=True)[topic].partitions == 2
    assert topic not in admin.list_topics()


def test_offsets_are_listed_and_records_deleted(admin: barnabas.Admin, orders: str) -> None:
    first = orders, 0
    places = {
        OffsetSpec.EARLIEST: (0, -1),
        OffsetSpec.LATEST: (10, -1),
        OffsetSpec.MAX_TIMESTAMP: (9, 1_009),
        1_004: (4, 1_004),
        5_000: (-1, -1),
    }
    for place, expected in places.items():
        found = admin.list_offsets({first: place})[first]
        assert (found.offset, found.timestamp) == expected, place
    assert admin.list_offsets({first: OffsetSpec.LATEST}, read_committed=True)[first].offset == 10
    assert admin.delete_records({first: 4, (orders, 1): -1}) == {first: 4, (orders, 1): 0}
    assert admin.list_offsets({first: OffsetSpec.EARLIEST})[first].offset == 4
    with pytest.raises(OffsetOutOfRange):
        admin.delete_records({first: 11})
    with pytest.raises(UnknownTopicOrPartition, match="no partition 3"):
        admin.list_offsets({(orders, 3): OffsetSpec.LATEST})


def test_configs_are_changed_one_by_one(admin: barnabas.Admin, topic: str) -> None:
    admin.create_topics(NewTopic(topic, configs={"cleanup.policy": "compact"}))
    resource = ConfigResource.topic(topic)
    assert soon(lambda: topic in admin.list_topics())
    admin.alter_configs(
        {
            resource: {
                "retention.ms": 1000,
                "cleanup.policy": ConfigOp(OpType.APPEND, "delete"),
                "preallocate": True,
            }
        }
    )
    assert soon(lambda: admin.describe_configs(resource)[resource]["preallocate"].value == "true")
    configs = admin.describe_configs(resource, synonyms=True)[resource]
    assert configs["retention.ms"].value == "1000"
    assert configs["retention.ms"].source is ConfigSource.DYNAMIC_TOPIC_CONFIG
    assert configs["retention.ms"].synonyms[0].name == "retention.ms"
    assert configs["cleanup.policy"].value == "compact,delete"
    assert configs["segment.bytes"].is_default
    admin.alter_configs({resource: {"retention.ms": None}})
    assert list(admin.describe_configs(resource, names=["retention.ms"])[resource]) == ["retention.ms"]
    broker, everybody = ConfigResource.broker(1), ConfigResource.broker()
    assert admin.describe_configs(broker)[broker]["node.id"].read_only
    admin.alter_configs({everybody: {"log.cleaner.threads": 1}})
    assert soon(lambda: "log.cleaner.threads" in admin.describe_configs(everybody)[everybody])
    with pytest.raises(InvalidConfig):
        admin.alter_configs({resource: {"retention.ms": "long"}}, validate_only=True)
    assert resource in admin.list_config_resources(ResourceType.TOPIC)


def test_subscriptions_to_metrics_are_configs(admin: barnabas.Admin) -> None:
    admin.alter_configs({ConfigResource.client_metrics("all"): {"metrics": "*", "interval.ms": 1000}})
    assert soon(lambda: admin.list_client_metrics_resources() == ["all"])
    admin.alter_configs({ConfigResource.client_metrics("all"): {"metrics": None, "interval.ms": None}})
    assert soon(lambda: admin.list_client_metrics_resources() == [])


def test_offsets_of_a_group_without_members_are_anybodys(admin: barnabas.Admin, orders: str) -> None:
    group, first, second = f"{orders}-group", (orders, 0), (orders, 1)
    admin.alter_consumer_group_offsets(group, {first: 4, second: CommittedOffset(0, metadata="here")})
    assert dict(admin.list_consumer_group_offsets(group)[group]) == {
        first: CommittedOffset(4),
        second: CommittedOffset(0, metadata="here"),
    }
    some = admin.list_consumer_group_offsets({group: [first, (orders, 2)]}, require_stable=True)[group]
    assert dict(some) == {first: CommittedOffset(4), (orders, 2): None}
    listed = admin.list_groups(states=["Empty"], types=[GroupType.CLASSIC])[group]
    assert (listed.type, listed.state, listed.coordinator) == (GroupType.CLASSIC, "Empty", 1)
    described = admin.describe_consumer_groups(group)[group]
    assert (described.type, described.state, described.members) == (GroupType.CLASSIC, "Empty", ())
    assert admin.remove_members_from_consumer_group(group) == {}
    admin.delete_consumer_group_offsets(group, [second])
    assert list(admin.list_consumer_group_offsets(group)[group]) == [first]
    admin.delete_consumer_groups(group)
    assert group not in admin.list_groups()
    with pytest.raises(GroupIdNotFound):
        admin.delete_consumer_groups(group)
    for describe in (
        admin.describe_consumer_groups,
        admin.describe_classic_groups,
        admin.describe_share_groups,
        admin.describe_streams_groups,
    ):
        with pytest.raises(GroupIdNotFound):
            describe([group])


def test_a_share_group_begins_where_it_is_told_to(admin: barnabas.Admin, orders: str) -> None:
    group, first = f"{orders}-share", (orders, 0)

    def begun() -> bool:
        with contextlib.suppress(UnknownTopicOrPartition):  # Apache's coordinator hears of topics last.
            admin.alter_share_group_offsets(group, {first: 3})
            return True
        return False

    assert soon(begun)
    assert admin.describe_share_groups(group)[group].type is GroupType.SHARE
    offset = admin.list_share_group_offsets({group: [first]})[group][first]
    assert offset is not None
    assert offset.start_offset == 3
    admin.delete_share_group_offsets(group, [orders])
    admin.delete_share_groups(group)
    assert group not in admin.list_groups(types=["share"])


def test_transactions_are_seen_and_their_producers_shut_out(admin: barnabas.Admin, orders: str) -> None:
    name = f"{orders}-tx"
    fenced = admin.fence_producers(name)[name]
    described = admin.describe_transactions(name)[name]
    assert (described.state, described.producer_id, described.partitions) == ("Empty", fenced.producer_id, ())
    assert admin.list_transactions(states=["Empty"], producer_ids=[fenced.producer_id])[name].state == "Empty"
    assert name in admin.list_transactions(pattern=f"{orders}.*")
    admin.force_terminate_transaction(name)
    (producer,) = admin.describe_producers([(orders, 0)])[orders, 0]
    assert producer.last_sequence == 9
    assert producer.current_transaction_start_offset is None
    assert admin.describe_producers([(orders, 0)], node_id=1)[orders, 0] == (producer,)


def test_the_cluster_tells_who_is_in_it(admin: barnabas.Admin) -> None:
    cluster = admin.describe_cluster(include_authorized_operations=True, include_fenced_brokers=True)
    (node,) = cluster.nodes
    assert (node.id, f"{node.host}:{node.port}", node.fenced) == (1, admin.bootstrap_servers, False)
    assert cluster.authorized_operations is not None
    assert AclOperation.CREATE in cluster.authorized_operations
    features = admin.describe_features()
    assert features.finalized["metadata.version"].highest >= 30
    assert admin.describe_features(node_id=1) == features
    level = features.finalized["group.version"].highest
    assert admin.update_features({"group.version": level}, validate_only=True) == {"group.version": None}
    quorum = admin.describe_metadata_quorum()
    assert [voter.replica_id for voter in quorum.voters] == [quorum.leader_id] == [1]
    assert quorum.nodes[1][0].name == "CONTROLLER"
    with pytest.raises(BrokerIdNotRegistered):
        admin.unregister_broker(99)


def test_replicas_are_where_log_directories_say(admin: barnabas.Admin, orders: str) -> None:
    directories = admin.describe_log_dirs()
    found = [(key, one) for key, one in directories.items() if (orders, 0) in one.replicas]
    ((directory, description),) = found
    assert directory.broker == 1
    assert description.replicas[orders, 0].size > 0
    replica = Replica(orders, 0, 1)
    assert admin.describe_replica_log_dirs([replica])[replica].current == directory.path
    admin.alter_replica_log_dirs({replica: directory.path})


def test_leaders_are_elected_and_partitions_moved(admin: barnabas.Admin, orders: str) -> None:
    assert admin.elect_leaders() == {}
    with pytest.raises(ElectionNotNeeded):
        admin.elect_leaders([(orders, 0)], ElectionType.UNCLEAN)
    admin.alter_partition_reassignments({(orders, 0): [1]})
    assert admin.list_partition_reassignments([(orders, 0)]) == {}


def test_what_needs_an_authorizer_says_so(admin: barnabas.Admin) -> None:
    with pytest.raises(SecurityDisabled):
        admin.describe_acls()
    assert admin.describe_user_scram_credentials() == {}
    assert admin.describe_client_quotas() == {}


def test_what_a_broker_does_not_serve_is_told(admin: barnabas.Admin) -> None:
    with pytest.raises(UnsupportedVersion, match="UnregisterController"):
        admin.unregister_controller(99)


async def test_the_same_operations_are_there_for_asyncio(cluster: str, topic: str) -> None:
    async with barnabas.aio.Admin(bootstrap_servers=cluster) as admin:
        created = await admin.create_topics([NewTopic(f"{topic}-{number}", 2) for number in range(3)])
        while not set(created) <= set(await admin.list_topics()):
            await asyncio.sleep(0.01)
        described = await asyncio.gather(*(admin.describe_topics(name) for name in created))
        assert [len(one.partitions) for found in described for one in found.values()] == [2, 2, 2]
        with pytest.raises(TopicAlreadyExists):
            await admin.create_topics(f"{topic}-0")
        task = asyncio.create_task(admin.with_options(timeout=60).describe_features(node_id=99))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert f"{topic}-0" in await admin.list_topics()


def test_many_threads_share_one_client(admin: barnabas.Admin, orders: str) -> None:
    found = []
    threads = [threading.Thread(target=lambda: found.append(admin.describe_topics(orders))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [len(one[orders].partitions) for one in found] == [3] * 8


def test_nobody_to_ask_is_a_timeout_that_says_why() -> None:
    port = free_port()
    with barnabas.Admin(bootstrap_servers=f"127.0.0.1:{port}") as admin:
        with pytest.raises(ClientTimeout, match=rf"127\.0\.0\.1:{port}: Connection refused"):
            admin.with_options(timeout=0.3).list_topics()
        with pytest.raises(ClientTimeout):
            admin.with_options(timeout=0.1).describe_topics(Uuid.ZERO)
    with pytest.raises(ClientClosed):
        admin.list_topics()


@pytest.fixture
def interruptible() -> Iterator[None]:
    """Ctrl-C as in a terminal: shells have what they start in the background ignore it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
def test_ctrl_c_ends_a_wait_at_once() -> None:
    with barnabas.Admin(bootstrap_servers=f"127.0.0.1:{free_port()}") as admin:
        alarm = threading.Timer(0.2, signal.raise_signal, [signal.SIGINT])
        alarm.start()
        with pytest.raises(KeyboardInterrupt):
            # The operation by itself would end later than a test may.
            admin.with_options(timeout=3600.0).list_topics()
