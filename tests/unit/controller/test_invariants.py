"""Whatever is asked of the controller, in whatever order, the metadata stays sound."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from barnabas._core import MetadataImage, Uuid
from barnabas.controller import brokers, configs, elections, partitions, reassignment, topics
from barnabas.protocol.generated import incremental_alter_configs_request
from barnabas.protocol.generated.alter_partition_reassignments_request import (
    AlterPartitionReassignmentsRequest,
    ReassignablePartition,
    ReassignableTopic,
)
from barnabas.protocol.generated.alter_partition_request import (
    AlterPartitionRequest,
    BrokerState,
    PartitionData,
    TopicData,
)
from barnabas.protocol.generated.create_partitions_request import (
    CreatePartitionsAssignment,
    CreatePartitionsRequest,
    CreatePartitionsTopic,
)
from barnabas.protocol.generated.create_topics_request import (
    CreatableReplicaAssignment,
    CreatableTopic,
    CreatableTopicConfig,
    CreateTopicsRequest,
)
from barnabas.protocol.generated.delete_topics_request import DeleteTopicsRequest, DeleteTopicState
from barnabas.protocol.generated.elect_leaders_request import ElectLeadersRequest
from barnabas.protocol.generated.incremental_alter_configs_request import IncrementalAlterConfigsRequest
from tests.support.cluster import Cluster

BROKERS = 4
names = st.sampled_from(["a", "b", "c.d", "c_d", "", "bad name", "__consumer_offsets"])
broker_ids = st.integers(0, BROKERS + 1)
replica_lists = st.lists(broker_ids, max_size=4)
topic_configs = st.sampled_from(
    [
        ("min.insync.replicas", "2"),
        ("unclean.leader.election.enable", "true"),
        ("unclean.leader.election.enable", "false"),
        ("retention.ms", "soon"),
        ("no.such.config", None),
    ]
)


def check_sound(image: MetadataImage) -> None:
    """What must hold of every image."""
    all_topics = image.topics()
    assert len({topic.name for topic in all_topics}) == len(all_topics)
    assert len({topic.id for topic in all_topics}) == len(all_topics)
    for topic in all_topics:
        indexes = [index for index, _ in topic.partitions()]
        assert indexes == list(range(topic.partition_count)), topic.name
        for index, partition in topic.partitions():
            where = topic.name, index, partition
            replicas, isr, elr = partition.replicas, partition.isr, partition.elr
            assert replicas, where
            assert len(set(replicas)) == len(replicas) == len(partition.directories), where
            assert len(set(isr)) == len(isr), where
            assert set(isr) <= set(replicas), where
            assert not set(isr) & set(elr), where
            assert partition.leader == -1 or partition.leader in isr, where
            assert set(partition.adding_replicas) | set(partition.removing_replicas) <= set(replicas), where
            assert not set(partition.adding_replicas) & set(partition.removing_replicas), where
            assert partition.leader_epoch >= 0, where
            assert partition.partition_epoch >= partition.leader_epoch, where


class Controller(RuleBasedStateMachine):
    """Requests, sensible or not, on a cluster of a few brokers that come and go."""

    @initialize(seed=st.integers(0, 1 << 30), elr=st.integers(0, 1))
    def begin(self, seed: int, elr: int) -> None:
        levels = {"eligible.leader.replicas.version": elr}
        self.cluster = Cluster(BROKERS, seed=seed, levels=levels, racks=["r", "r", "s", None])

    @rule(
        name=names,
        count=st.integers(-2, 4),
        factor=st.integers(-2, 5),
        assignments=st.lists(replica_lists, max_size=3),
        config=st.none() | topic_configs,
    )
    def create(
        self,
        name: str,
        count: int,
        factor: int,
        assignments: list[list[int]],
        config: tuple[str, str | None] | None,
    ) -> None:
        by_hand = [CreatableReplicaAssignment(index, ids) for index, ids in enumerate(assignments)]
        own = [CreatableTopicConfig(*config)] if config else []
        asked = [
            CreatableTopic(name, count, factor, [], own),
            CreatableTopic(f"{name}-by-hand", -1, -1, by_hand, own),
        ]
        self.cluster.apply(topics.create_topics(self.cluster.state, CreateTopicsRequest(topics=asked)))

    @rule(name=names, by_id=st.booleans())
    def delete(self, name: str, by_id: bool) -> None:
        topic = self.cluster.image.topic(name)
        named = DeleteTopicState(None, topic.id) if topic and by_id else DeleteTopicState(name, Uuid.ZERO)
        request = DeleteTopicsRequest(topics=[named])
        self.cluster.apply(topics.delete_topics(self.cluster.state, request, 6))

    @rule(name=names, count=st.integers(-1, 6), assignments=st.none() | st.lists(replica_lists, max_size=2))
    def add_partitions(self, name: str, count: int, assignments: list[list[int]] | None) -> None:
        given = None if assignments is None else [CreatePartitionsAssignment(ids) for ids in assignments]
        request = CreatePartitionsRequest(topics=[CreatePartitionsTopic(name, count, given)])
        self.cluster.apply(partitions.create_partitions(self.cluster.state, request))

    @rule(name=names, config=topic_configs, operation=st.integers(-1, 4))
    def configure(self, name: str, config: tuple[str, str | None], operation: int) -> None:
        change = incremental_alter_configs_request.AlterableConfig(config[0], operation, config[1])
        resource = incremental_alter_configs_request.AlterConfigsResource(2, name, [change])
        request = IncrementalAlterConfigsRequest(resources=[resource])
        self.cluster.apply(configs.incremental_alter_configs(self.cluster.state, request))

    @rule(name=names, index=st.integers(-1, 3), replicas=st.none() | replica_lists)
    def reassign(self, name: str, index: int, replicas: list[int] | None) -> None:
        target = ReassignableTopic(name, [ReassignablePartition(index, replicas)])
        request = AlterPartitionReassignmentsRequest(topics=[target])
        self.cluster.apply(reassignment.alter_partition_reassignments(self.cluster.state, request))

    @rule(kind=st.integers(-1, 2))
    def elect(self, kind: int) -> None:
        request = ElectLeadersRequest(election_type=kind, topic_partitions=None)
        self.cluster.apply(elections.elect_leaders(self.cluster.state, request))

    @rule(data=st.data(), recovery=st.integers(0, 1))
    def alter_isr(self, data: st.DataObject, recovery: int) -> None:
        led = [
            (topic, index, partition)
            for topic in self.cluster.image.topics()
            for index, partition in topic.partitions()
            if partition.leader > 0
        ]
        if not led:
            return
        topic, index, partition = data.draw(st.sampled_from(led))
        isr = data.draw(st.lists(st.sampled_from([*partition.replicas, 9]), max_size=4))
        wanted = PartitionData(
            partition_index=index,
            leader_epoch=partition.leader_epoch + data.draw(st.sampled_from([0, 0, 0, 1, -1])),
            partition_epoch=partition.partition_epoch,
            new_isr_with_epochs=[BrokerState(member, -1) for member in isr],
            leader_recovery_state=recovery,
        )
        leader = self.cluster.state.brokers.get(partition.leader)
        if leader is None:
            return
        request = AlterPartitionRequest(
            broker_id=leader.id, broker_epoch=leader.epoch, topics=[TopicData(topic.id, [wanted])]
        )
        self.cluster.apply(partitions.alter_partition(self.cluster.state, request, 3))

    @rule(broker_id=st.integers(1, BROKERS), clean=st.booleans())
    def restart(self, broker_id: int, clean: bool) -> None:
        broker = self.cluster.state.brokers.get(broker_id)
        epoch = broker.epoch if broker is not None and clean else -1
        self.cluster.register(broker_id, previous_epoch=epoch)

    @rule(broker_id=st.integers(1, BROKERS), step=st.sampled_from(["fence", "unfence", "leave", "forget"]))
    def live(self, broker_id: int, step: str) -> None:
        state = self.cluster.state
        broker = state.brokers.get(broker_id)
        if step == "forget":
            self.cluster.apply(brokers.unregister(state, broker_id))
        elif broker is not None and step == "unfence" and broker.fenced:
            self.cluster.write(brokers.unfence(state, broker_id))
        elif broker is not None and step == "fence":
            self.cluster.write(brokers.fence(state, broker_id))
        elif broker is not None and step == "leave" and not broker.fenced:
            self.cluster.write(brokers.begin_controlled_shutdown(state, broker_id))

    @rule()
    def tidy(self) -> None:
        self.cluster.write(elections.elect_missing_leaders(self.cluster.state, 5))
        self.cluster.write(elections.rebalance_leaders(self.cluster.state, 5))

    @invariant()
    def the_image_is_sound(self) -> None:
        check_sound(self.cluster.image)


TestController = Controller.TestCase
TestController.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
