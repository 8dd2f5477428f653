"""Features, the first records of a cluster, and producer ids."""

import pytest

from barnabas import errors
from barnabas.controller import controllers, features, producer_ids
from barnabas.protocol import ErrorCode
from barnabas.protocol.generated.producer_ids_record import ProducerIdsRecord
from barnabas.protocol.generated.update_features_request import FeatureUpdateKey, UpdateFeaturesRequest
from tests.support.cluster import Cluster, numbered

UPGRADE, SAFE, UNSAFE = 1, 2, 3


def update(
    cluster: Cluster, *updates: tuple[str, int, int], validate_only: bool = False, version: int = 2
) -> ErrorCode:
    request = UpdateFeaturesRequest(
        feature_updates=[
            FeatureUpdateKey(feature=name, max_version_level=level, upgrade_type=kind)
            for name, level, kind in updates
        ],
        validate_only=validate_only,
    )
    response = cluster.apply(features.update_features(cluster.state, request, version))
    return ErrorCode(response.error_code)


@pytest.mark.parametrize(
    ("name", "level", "kind", "accepted"),
    [
        ("metadata.version", 30, UPGRADE, True),
        ("metadata.version", 31, UPGRADE, False),
        ("metadata.version", 29, UPGRADE, False),
        ("metadata.version", 29, SAFE, False),
        ("metadata.version", 29, UNSAFE, False),
        ("metadata.version", 6, SAFE, False),
        ("metadata.version", -1, SAFE, False),
        ("transaction.version", 1, SAFE, True),
        ("transaction.version", 1, UPGRADE, False),
        ("transaction.version", 3, UPGRADE, False),
        ("transaction.version", 2, SAFE, True),
        ("transaction.version", 1, 0, False),
        ("transaction.version", 1, 9, False),
        ("group.version", 0, SAFE, True),
        ("group.version", 1, UPGRADE, True),
        ("kraft.version", 1, UPGRADE, True),
        ("kraft.version", 0, SAFE, False),
        ("no.such.feature", 1, UPGRADE, False),
        ("no.such.feature", 0, SAFE, False),
    ],
)
def test_levels_change_by_the_rules(name: str, level: int, kind: int, accepted: bool) -> None:
    code = update(Cluster(1), (name, level, kind))
    assert code == (ErrorCode.NONE if accepted else ErrorCode.INVALID_UPDATE_VERSION)


def test_all_updates_take_place_or_none() -> None:
    cluster = Cluster(1)
    code = update(cluster, ("group.version", 0, SAFE), ("no.such.feature", 1, UPGRADE))
    assert code == ErrorCode.INVALID_UPDATE_VERSION
    assert cluster.image.features()["group.version"] == 1
    assert update(cluster, ("group.version", 0, SAFE), ("streams.version", 0, SAFE)) == ErrorCode.NONE
    assert "group.version" not in cluster.image.features()


def test_validation_alone_changes_nothing() -> None:
    cluster = Cluster(1)
    assert update(cluster, ("group.version", 0, SAFE), validate_only=True) == ErrorCode.NONE
    assert cluster.image.features()["group.version"] == 1


def test_the_first_version_can_only_upgrade() -> None:
    cluster = Cluster(1)
    assert update(cluster, ("group.version", 0, SAFE), version=0) == ErrorCode.INVALID_UPDATE_VERSION
    request = UpdateFeaturesRequest(
        feature_updates=[FeatureUpdateKey(feature="group.version", max_version_level=1)]
    )
    response = features.update_features(cluster.state, request, 0).response
    assert [(result.feature, result.error_code) for result in response.results] == [("group.version", 0)]


def test_a_level_that_some_broker_does_not_know_is_refused() -> None:
    cluster = Cluster(1, levels={"group.version": 0})
    request_features = cluster.state.brokers[1].features
    assert request_features["group.version"] == (0, 1)
    assert update(cluster, ("group.version", 1, UPGRADE)) == ErrorCode.NONE


def test_elr_needs_its_metadata_version_and_brings_one_min_isr_for_all() -> None:
    old = Cluster(1, levels={"metadata.version": 22, "eligible.leader.replicas.version": 0})
    code = update(old, ("eligible.leader.replicas.version", 1, UPGRADE))
    assert code == ErrorCode.INVALID_UPDATE_VERSION
    cluster = Cluster(
        1, levels={"eligible.leader.replicas.version": 0}, settings={"min.insync.replicas": "2"}
    )
    assert update(cluster, ("eligible.leader.replicas.version", 1, UPGRADE)) == ErrorCode.NONE
    assert cluster.image.config(4, "") == {"min.insync.replicas": "2"}


def test_controllers_register_with_their_features() -> None:
    record, version = controllers.register_controller(1, numbered(1), [("CONTROLLER", "127.0.0.1", 9093, 0)])
    assert version == 0
    cluster = Cluster(0)
    cluster.write([(record, version)])
    assert cluster.image.controllers() == [(1, numbered(1))]


def test_blocks_of_producer_ids_follow_one_another() -> None:
    cluster = Cluster(1)
    epoch = cluster.state.brokers[1].epoch
    decision = producer_ids.allocate(cluster.state, 1, epoch)
    record = ProducerIdsRecord(broker_id=1, broker_epoch=epoch, next_producer_id=1000)
    assert decision.records == [(record, 0)]
    assert (decision.response.producer_id_start, decision.response.producer_id_len) == (0, 1000)
    cluster.apply(decision)
    second = cluster.apply(producer_ids.allocate(cluster.state, 1, epoch))
    assert (second.producer_id_start, second.producer_id_len) == (1000, 1000)
    with pytest.raises(errors.StaleBrokerEpoch):
        producer_ids.allocate(cluster.state, 1, epoch - 1)
