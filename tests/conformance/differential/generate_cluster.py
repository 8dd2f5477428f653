"""Requests about the cluster, its node and its clients."""

from __future__ import annotations

from typing import Any

from barnabas.protocol import Message
from barnabas.protocol.generated import (
    alter_replica_log_dirs_request as alter_dirs_,
)
from barnabas.protocol.generated import (
    api_versions_request as api_versions_,
)
from barnabas.protocol.generated import (
    describe_cluster_request as cluster_,
)
from barnabas.protocol.generated import (
    describe_log_dirs_request as log_dirs_,
)
from barnabas.protocol.generated import (
    describe_quorum_request as quorum_,
)
from barnabas.protocol.generated import (
    get_telemetry_subscriptions_request as get_telemetry_,
)
from barnabas.protocol.generated import (
    push_telemetry_request as push_telemetry_,
)
from barnabas.protocol.generated import (
    sasl_handshake_request as sasl_,
)
from barnabas.protocol.generated import (
    unregister_broker_request as unregister_,
)
from barnabas.protocol.generated import (
    update_features_request as features_,
)
from tests.conformance.differential.symbols import DIRECTORY, INSTANCE, SUBSCRIPTION, Symbol
from tests.conformance.differential.world import World

FEATURES = (
    "metadata.version",
    "kraft.version",
    "transaction.version",
    "group.version",
    "share.version",
    "nope",
    "",
)


def api_versions(world: World, version: int) -> Message:
    if version < 3:
        return api_versions_.ApiVersionsRequest()
    name = world.pick("differential", "a.b-c") if world.often(0.9) else world.pick("", "bad name", "-x", "é")
    return api_versions_.ApiVersionsRequest(name, "1.0" if world.often(0.9) else world.pick("", "1 0"))


def describe_cluster(world: World, version: int) -> Message:
    request = cluster_.DescribeClusterRequest(world.often(0.5))
    if version >= 1 and world.often(0.2):
        request.endpoint_type = world.pick(2, 0, 3)
    if version >= 2:
        request.include_fenced_brokers = world.often(0.3)
    return request


def describe_log_dirs(world: World, version: int) -> Message:
    def topic() -> Any:
        name = world.topic()
        return log_dirs_.DescribableLogDirTopic(name, world.some(lambda: world.partition(name)))

    return log_dirs_.DescribeLogDirsRequest(None if world.often(0.3) else world.some(topic))


def alter_replica_log_dirs(world: World, version: int) -> Message:
    def topic() -> Any:
        name = world.topic()
        return alter_dirs_.AlterReplicaLogDirTopic(name, world.some(lambda: world.partition(name)))

    def directory() -> Any:
        path = Symbol(DIRECTORY) if world.often(0.7) else world.pick("/nowhere", "relative", "")
        return alter_dirs_.AlterReplicaLogDir(path, world.some(topic))  # type: ignore[arg-type]

    return alter_dirs_.AlterReplicaLogDirsRequest(world.some(directory, most=2))


def describe_quorum(world: World, version: int) -> Message:
    def topic() -> Any:
        name = "__cluster_metadata" if world.often(0.8) else world.topic()
        partitions = [0] if world.often(0.8) else world.some(lambda: world.pick(0, 1, -1))
        return quorum_.TopicData(name, [quorum_.PartitionData(index) for index in partitions])

    return quorum_.DescribeQuorumRequest([topic()] if world.often(0.9) else world.some(topic, none_in=0.5))


def update_features(world: World, version: int) -> Message:
    def update() -> Any:
        made = features_.FeatureUpdateKey(
            world.chance.choice(FEATURES), world.pick(0, 1, 2, 30, 3, 7, 99, -1)
        )
        if version == 0:
            made.allow_downgrade = world.often(0.4)
        else:
            made.upgrade_type = world.pick(1, 1, 2, 3) if world.often(0.95) else world.pick(0, 4)
        return made

    updates = world.some(update)
    if version == 0:  # no trial there: only what changes nothing
        updates = [features_.FeatureUpdateKey("nope", 1)] if updates else []
    return features_.UpdateFeaturesRequest(10_000, updates, version >= 1)


def unregister_broker(world: World, version: int) -> Message:
    return unregister_.UnregisterBrokerRequest(world.pick(2, 5, -1, 2**31 - 1))


def sasl_handshake(world: World, version: int) -> Message:
    return sasl_.SaslHandshakeRequest(world.pick("PLAIN", "SCRAM-SHA-256", "", "x"))


def get_telemetry(world: World, version: int) -> Message:
    instance = None if world.often(0.5) else Symbol(INSTANCE, "", world.pick(-1, -1, 0, 99))
    request = get_telemetry_.GetTelemetrySubscriptionsRequest()
    if instance is not None:
        request.client_instance_id = instance  # type: ignore[assignment]
    return request


def push_telemetry(world: World, version: int) -> Message:
    request = push_telemetry_.PushTelemetryRequest(
        subscription_id=Symbol(SUBSCRIPTION) if world.often(0.8) else world.pick(0, 1),  # type: ignore[arg-type]
        terminating=world.often(0.2),
        compression_type=0 if world.often(0.9) else world.pick(1, 9, -1),
        metrics=b"" if world.often(0.5) else b"m",
    )
    if world.often(0.9):
        request.client_instance_id = Symbol(INSTANCE, "", world.pick(-1, -1, 0, 99))  # type: ignore[assignment]
    return request
