"""Life of a broker: registered, unfenced, leaving, fenced, gone."""

import pytest

from barnabas import errors
from barnabas._core import Uuid
from barnabas.controller import brokers
from barnabas.controller.brokers import BrokerSession
from barnabas.protocol import ErrorCode
from barnabas.protocol.generated.broker_heartbeat_request import BrokerHeartbeatRequest
from barnabas.protocol.generated.broker_registration_change_record import BrokerRegistrationChangeRecord
from barnabas.protocol.generated.broker_registration_request import Feature
from barnabas.protocol.generated.partition_change_record import PartitionChangeRecord
from barnabas.protocol.generated.register_broker_record import RegisterBrokerRecord
from tests.support.cluster import Cluster, numbered, registration

A, B = numbered(501), numbered(502)


def test_a_registered_broker_is_fenced_until_it_is_put_into_service() -> None:
    cluster = Cluster(0)
    epoch = cluster.register(1, incarnation=A)
    registered = cluster.image.broker(1)
    assert registered is not None
    assert (registered.epoch, registered.fenced, registered.incarnation_id) == (epoch, True, A)
    assert epoch == cluster.image.offset
    records = brokers.unfence(cluster.state, 1)
    assert records == [(BrokerRegistrationChangeRecord(broker_id=1, broker_epoch=epoch, fenced=-1), 0)]


def test_the_record_version_follows_the_metadata_version() -> None:
    for level, version in ((7, 1), (8, 2), (17, 3), (30, 4)):
        cluster = Cluster(0, levels={"metadata.version": level, "eligible.leader.replicas.version": 0})
        request = registration(1, incarnation=A, log_dirs=[numbered(1)])
        decision = brokers.register(cluster.state, request, 10, session_valid=False)
        ((record, written),) = decision.records
        assert written == version
        assert isinstance(record, RegisterBrokerRecord)
        assert record.log_dirs == ([numbered(1)] if level >= 17 else [])


def test_the_same_process_amends_its_registration() -> None:
    cluster = Cluster(0)
    epoch = cluster.register(1, incarnation=A)
    cluster.write(brokers.unfence(cluster.state, 1))
    request = registration(1, incarnation=A, log_dirs=[numbered(5), numbered(6)])
    cluster.apply(brokers.register(cluster.state, request, cluster.image.offset + 1, session_valid=True))
    registered = cluster.image.broker(1)
    assert registered is not None
    assert (registered.epoch, registered.fenced, len(registered.log_dirs)) == (epoch, False, 2)


def test_another_process_waits_until_the_old_session_ends() -> None:
    cluster = Cluster(0)
    cluster.register(1, incarnation=A)
    request = registration(1, incarnation=B, log_dirs=[numbered(5)])
    with pytest.raises(errors.DuplicateBrokerRegistration):
        brokers.register(cluster.state, request, 9, session_valid=True)
    assert brokers.register(cluster.state, request, 9, session_valid=False).response.broker_epoch == 9


def test_registrations_that_cannot_be_are_refused() -> None:
    cluster = Cluster(2)
    other = cluster.image.broker(2)
    assert other is not None

    def refused(kind: type[errors.KafkaError], dirs: list[Uuid], **changes: object) -> None:
        request = registration(1, incarnation=B, log_dirs=dirs)
        for name, value in changes.items():
            setattr(request, name, value)
        with pytest.raises(kind):
            brokers.register(cluster.state, request, 99, session_valid=False)

    one = [numbered(1)]
    refused(errors.InconsistentClusterId, one, cluster_id="another")
    refused(errors.InvalidRegistration, [])
    refused(errors.InvalidRegistration, one * 2)
    refused(errors.InvalidRegistration, [Uuid(bytes(15) + b"\x63")])
    refused(errors.InvalidRegistration, other.log_dirs)
    refused(errors.UnsupportedVersion, one, features=[])
    refused(errors.UnsupportedVersion, one, features=[Feature("metadata.version", 7, 29)])
    refused(errors.BrokerIdNotRegistered, one, is_migrating_zk_broker=True)


def test_a_fenced_broker_leaves_the_isr_and_hands_over_its_leadership() -> None:
    cluster = Cluster(2)
    topic = cluster.create("t", replicas=[[1, 2], [2, 1]])
    epoch = cluster.state.brokers[1].epoch
    assert brokers.fence(cluster.state, 1) == [
        (PartitionChangeRecord(partition_id=0, topic_id=topic.id, isr=[2], leader=2), 2),
        (PartitionChangeRecord(partition_id=1, topic_id=topic.id, isr=[2]), 2),
        (BrokerRegistrationChangeRecord(broker_id=1, broker_epoch=epoch, fenced=1), 0),
    ]


def test_the_last_member_stays_eligible_and_leads_again_when_it_is_back() -> None:
    cluster = Cluster(1)
    cluster.create("t")
    cluster.write(brokers.fence(cluster.state, 1))
    partition = cluster.partition("t")
    assert (partition.leader, partition.isr, partition.elr) == (-1, [], [1])
    cluster.write(brokers.unfence(cluster.state, 1))
    partition = cluster.partition("t")
    assert (partition.leader, partition.isr, partition.elr) == (1, [1], [])
    assert partition.leader_recovery_state == 0


def test_without_elr_the_last_isr_is_kept() -> None:
    cluster = Cluster(1, levels={"eligible.leader.replicas.version": 0})
    cluster.create("t")
    cluster.write(brokers.fence(cluster.state, 1))
    partition = cluster.partition("t")
    assert (partition.leader, partition.isr) == (-1, [1])
    cluster.write(brokers.unfence(cluster.state, 1))
    assert cluster.partition("t").leader == 1


def test_an_unclean_shutdown_costs_the_broker_its_place_in_the_isr() -> None:
    cluster = Cluster(2)
    cluster.create("t", replicas=[[1, 2]])
    cluster.register(1, incarnation=B, previous_epoch=-1)
    partition = cluster.partition("t")
    assert (partition.leader, partition.isr) == (2, [2])
    assert cluster.state.brokers[1].epoch == cluster.image.offset


def test_before_kip_966_an_unclean_shutdown_was_not_noticed() -> None:
    cluster = Cluster(2, levels={"metadata.version": 22, "eligible.leader.replicas.version": 0})
    cluster.create("t", replicas=[[1, 2]])
    cluster.register(1, incarnation=B, previous_epoch=-1)
    assert cluster.partition("t").isr == [1, 2]


def test_a_clean_restart_keeps_it() -> None:
    cluster = Cluster(2)
    cluster.create("t", replicas=[[1, 2]])
    cluster.register(1, incarnation=B, previous_epoch=cluster.state.brokers[1].epoch)
    assert cluster.partition("t").isr == [1, 2]


def test_the_only_replica_is_elected_after_its_unclean_shutdown_and_marked_as_recovering() -> None:
    cluster = Cluster(1)
    cluster.create("t")
    cluster.register(1, incarnation=B)
    assert cluster.partition("t").leader == -1
    assert cluster.partition("t").last_known_elr == [1]
    cluster.write(brokers.unfence(cluster.state, 1))
    partition = cluster.partition("t")
    assert (partition.leader, partition.isr, partition.leader_recovery_state) == (1, [1], 1)
    assert partition.last_known_elr == []


def test_unregistering_takes_a_broker_out_of_everything() -> None:
    cluster = Cluster(2)
    cluster.create("t", replicas=[[2, 1]])
    assert cluster.apply(brokers.unregister(cluster.state, 2)).error_code == ErrorCode.NONE
    assert cluster.image.broker(2) is None
    assert (cluster.partition("t").leader, cluster.partition("t").isr) == (1, [1])
    again = brokers.unregister(cluster.state, 2)
    assert again.records == []
    assert again.response.error_code == ErrorCode.BROKER_ID_NOT_REGISTERED


def test_failed_directories_cost_the_leadership_of_what_is_in_them() -> None:
    cluster = Cluster(2)
    good, bad = numbered(801), numbered(802)
    cluster.register(1, incarnation=B, log_dirs=[bad], previous_epoch=cluster.state.brokers[1].epoch)
    cluster.write(brokers.unfence(cluster.state, 1))
    topic = cluster.create("t", replicas=[[1, 2]])
    registered = cluster.state.brokers[1]
    records = brokers.directories_offline(cluster.state, registered, [bad])
    assert records == [
        (PartitionChangeRecord(partition_id=0, topic_id=topic.id, isr=[2], leader=2), 2),
        (BrokerRegistrationChangeRecord(broker_id=1, broker_epoch=registered.epoch, log_dirs=[]), 2),
    ]
    assert brokers.directories_offline(cluster.state, registered, [good]) == []


def test_a_directory_that_works_again_gets_back_what_has_no_leader() -> None:
    cluster = Cluster(0)
    directory = numbered(803)
    cluster.register(1, log_dirs=[directory])
    cluster.write(brokers.unfence(cluster.state, 1))
    cluster.create("t", replicas=[[1]])

    def leader_and_isr() -> tuple[int, list[int]]:
        topic = cluster.state.image.topic("t")
        assert topic is not None
        [(_, partition)] = topic.partitions()
        return partition.leader, list(partition.isr)

    cluster.write(brokers.directories_offline(cluster.state, cluster.state.brokers[1], [directory]))
    assert leader_and_isr()[0] == -1
    cluster.write(brokers.directories_online(cluster.state.brokers[1], [directory]))
    cluster.write(brokers.lead_in(cluster.state, 1, [directory]))
    assert leader_and_isr() == (1, [1])
    assert brokers.directories_online(cluster.state.brokers[1], [directory]) == []


# ---- heartbeats -------------------------------------------------------------------------------------------


def beat(cluster: Cluster, session: BrokerSession | None = None, **fields: object) -> tuple[bool, bool, bool]:
    """(caught up, fenced, should shut down) after a heartbeat of broker 1."""
    request = BrokerHeartbeatRequest(
        broker_id=1, broker_epoch=cluster.state.brokers[1].epoch, current_metadata_offset=1 << 40
    )
    for name, value in fields.items():
        setattr(request, name, value)
    session = session or BrokerSession(registration_offset=cluster.state.brokers[1].epoch)
    response = cluster.apply(brokers.heartbeat(cluster.state, request, session))
    return response.is_caught_up, response.is_fenced, response.should_shut_down


def test_a_broker_is_unfenced_once_it_has_read_its_own_registration() -> None:
    cluster = Cluster(0)
    offset = cluster.register(1)
    assert beat(cluster, want_fence=False, current_metadata_offset=offset - 1) == (False, True, False)
    assert beat(cluster, want_fence=True) == (True, True, False)
    assert beat(cluster, want_fence=False) == (True, False, False)
    assert not cluster.state.brokers[1].fenced


def test_a_broker_that_leads_nothing_may_leave_at_once() -> None:
    cluster = Cluster(1)
    assert beat(cluster, want_shut_down=True) == (True, True, True)
    assert cluster.state.brokers[1].fenced


def test_a_broker_that_leads_leaves_when_its_leaderships_are_moved() -> None:
    cluster = Cluster(2)
    cluster.create("t", replicas=[[1, 2]])
    assert beat(cluster, want_shut_down=True) == (True, False, False)
    assert cluster.state.brokers[1].in_controlled_shutdown
    assert cluster.partition("t").leader == 2
    epoch = cluster.state.brokers[1].epoch
    waiting = BrokerSession(epoch, shutdown_offset=100, lowest_active_offset=99)
    assert beat(cluster, waiting, want_shut_down=True) == (True, False, False)
    ready = BrokerSession(epoch, shutdown_offset=100, lowest_active_offset=100)
    assert beat(cluster, ready, want_shut_down=True) == (True, True, True)


def test_a_stale_epoch_is_refused() -> None:
    cluster = Cluster(1)
    request = BrokerHeartbeatRequest(broker_id=1, broker_epoch=-1)
    with pytest.raises(errors.StaleBrokerEpoch):
        brokers.heartbeat(cluster.state, request, BrokerSession(0))


def test_cordoned_directories_are_noted_since_4_3() -> None:
    cluster = Cluster(1)
    ((record, version),) = brokers.cordoned_log_dirs_changed(cluster.state, 1, [])
    assert version == 3
    assert isinstance(record, BrokerRegistrationChangeRecord)
    assert record.cordoned_log_dirs == []
    older = Cluster(1, levels={"metadata.version": 29})
    assert brokers.cordoned_log_dirs_changed(older.state, 1, []) == []
