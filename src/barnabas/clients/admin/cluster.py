"""The cluster itself: brokers, features, the quorum of controllers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import IntEnum

from barnabas._core import Uuid
from barnabas.clients.admin.acl_operation import AclOperation, authorized
from barnabas.clients.operation import Operations, operation
from barnabas.clients.plan import CONTROLLER, Plan, ask, check, either, error_of, node
from barnabas.clients.results import Results
from barnabas.errors import KafkaError
from barnabas.protocol.generated import add_raft_voter_request, describe_quorum_request
from barnabas.protocol.generated.add_raft_voter_request import AddRaftVoterRequest
from barnabas.protocol.generated.add_raft_voter_response import AddRaftVoterResponse
from barnabas.protocol.generated.api_versions_request import ApiVersionsRequest
from barnabas.protocol.generated.api_versions_response import ApiVersionsResponse
from barnabas.protocol.generated.describe_cluster_request import DescribeClusterRequest
from barnabas.protocol.generated.describe_cluster_response import DescribeClusterResponse
from barnabas.protocol.generated.describe_quorum_request import DescribeQuorumRequest
from barnabas.protocol.generated.describe_quorum_response import DescribeQuorumResponse, ReplicaState
from barnabas.protocol.generated.metadata_request import MetadataRequest
from barnabas.protocol.generated.metadata_response import MetadataResponse
from barnabas.protocol.generated.remove_raft_voter_request import RemoveRaftVoterRequest
from barnabas.protocol.generated.remove_raft_voter_response import RemoveRaftVoterResponse
from barnabas.protocol.generated.unregister_broker_request import UnregisterBrokerRequest
from barnabas.protocol.generated.unregister_broker_response import UnregisterBrokerResponse
from barnabas.protocol.generated.unregister_controller_request import UnregisterControllerRequest
from barnabas.protocol.generated.unregister_controller_response import UnregisterControllerResponse
from barnabas.protocol.generated.update_features_request import FeatureUpdateKey, UpdateFeaturesRequest
from barnabas.protocol.generated.update_features_response import UpdateFeaturesResponse

METADATA_LOG = "__cluster_metadata"


@dataclass(frozen=True, slots=True)
class Node:
    """A broker, and where it is."""

    id: int
    host: str
    port: int
    rack: str | None = None
    fenced: bool = False
    """Registered, but not in service."""

    def __str__(self) -> str:
        return f"{self.id} ({self.host}:{self.port})"


@dataclass(frozen=True, slots=True)
class ClusterDescription:
    """Who is in the cluster."""

    cluster_id: str | None
    controller: int | None
    """The broker that stands for the controller."""
    nodes: tuple[Node, ...]
    authorized_operations: frozenset[AclOperation] | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class VersionRange:
    """Levels of a feature."""

    lowest: int
    highest: int

    def __str__(self) -> str:
        return f"{self.lowest}..{self.highest}"


@dataclass(frozen=True, slots=True)
class FeatureMetadata:
    """Features that are in force, and what the broker that was asked could do."""

    finalized: Mapping[str, VersionRange]
    finalized_epoch: int | None
    supported: Mapping[str, VersionRange]


class UpgradeType(IntEnum):
    """Which way a feature may go."""

    UPGRADE = 1
    SAFE_DOWNGRADE = 2
    UNSAFE_DOWNGRADE = 3


@dataclass(frozen=True, slots=True)
class FeatureUpdate:
    """The level that a feature is to have; 0 turns it off."""

    level: int
    upgrade_type: UpgradeType = UpgradeType.UPGRADE


@dataclass(frozen=True, slots=True)
class QuorumReplica:
    """How far a voter or an observer of the metadata log is. Times are milliseconds since 1970, None where
    nobody knows."""

    replica_id: int
    directory_id: Uuid
    log_end_offset: int
    last_fetch_timestamp: int | None
    last_caught_up_timestamp: int | None

    def __str__(self) -> str:
        return f"{self.replica_id}@{self.log_end_offset}"


@dataclass(frozen=True, slots=True)
class RaftEndpoint:
    """A listener of a controller."""

    name: str
    host: str
    port: int


@dataclass(frozen=True, slots=True)
class QuorumDescription:
    """The quorum of controllers."""

    leader_id: int
    leader_epoch: int
    high_watermark: int
    voters: tuple[QuorumReplica, ...]
    observers: tuple[QuorumReplica, ...]
    nodes: Mapping[int, tuple[RaftEndpoint, ...]] = field(default_factory=dict)
    """Where controllers are; empty where a broker does not tell."""


class ClusterOperations(Operations):
    """Operations on the cluster."""

    @operation
    def describe_cluster(
        self, *, include_authorized_operations: bool = False, include_fenced_brokers: bool = False
    ) -> Plan[ClusterDescription]:
        """Who is in the cluster."""
        request = DescribeClusterRequest(
            include_authorized_operations, include_fenced_brokers=include_fenced_brokers
        )
        newer = _described(request, lowest=2 if include_fenced_brokers else 0)
        if include_fenced_brokers:
            return (yield from newer)
        return (yield from either(newer, _described_by_metadata(include_authorized_operations)))

    @operation
    def describe_features(self, node_id: int | None = None) -> Plan[FeatureMetadata]:
        """Features in force, and what the controller's stand-in supports, or another broker."""
        target = CONTROLLER if node_id is None else node(node_id)
        request = ApiVersionsRequest("barnabas", "1")
        answer = yield from ask(request, ApiVersionsResponse, target, lowest=3)
        finalized = {
            one.name: VersionRange(one.min_version_level, one.max_version_level)
            for one in answer.finalized_features
        }
        supported = {
            one.name: VersionRange(one.min_version, one.max_version) for one in answer.supported_features
        }
        epoch = None if answer.finalized_features_epoch < 0 else answer.finalized_features_epoch
        return FeatureMetadata(finalized, epoch, supported)

    @operation
    def update_features(
        self, updates: Mapping[str, FeatureUpdate | int], *, validate_only: bool = False
    ) -> Plan[Results[str, None]]:
        """Gives features another level."""
        keys = []
        for name, update in updates.items():
            wanted = FeatureUpdate(update) if isinstance(update, int) else update
            downgrade = wanted.upgrade_type is not UpgradeType.UPGRADE
            keys.append((name, wanted, downgrade))
        newer = UpdateFeaturesRequest(
            self.request_timeout_ms,
            [FeatureUpdateKey(name, one.level, False, int(one.upgrade_type)) for name, one, _ in keys],
            validate_only,
        )
        older = UpdateFeaturesRequest(
            self.request_timeout_ms, [FeatureUpdateKey(name, one.level, down) for name, one, down in keys]
        )
        first = ask(newer, UpdateFeaturesResponse, CONTROLLER, lowest=1)
        answer = (
            yield from first
            if validate_only
            else either(first, ask(older, UpdateFeaturesResponse, CONTROLLER, highest=0))
        )
        outcomes: dict[str, KafkaError | None] = dict.fromkeys(updates)
        for one in answer.results:
            outcomes[one.feature] = error_of(one.error_code, one.error_message)
        return Results(outcomes)

    @operation
    def describe_metadata_quorum(self) -> Plan[QuorumDescription]:
        """Voters and observers of the metadata log."""
        topic = describe_quorum_request.TopicData(METADATA_LOG, [describe_quorum_request.PartitionData(0)])
        answer = yield from ask(DescribeQuorumRequest([topic]), DescribeQuorumResponse, CONTROLLER)
        (partition,) = answer.topics[0].partitions
        check(partition.error_code, partition.error_message)
        return QuorumDescription(
            partition.leader_id,
            partition.leader_epoch,
            partition.high_watermark,
            tuple(map(_replica, partition.current_voters)),
            tuple(map(_replica, partition.observers)),
            {
                one.node_id: tuple(RaftEndpoint(it.name, it.host, it.port) for it in one.listeners)
                for one in answer.nodes
            },
        )

    @operation
    def add_raft_voter(
        self,
        voter_id: int,
        directory_id: Uuid,
        endpoints: Iterable[RaftEndpoint],
        *,
        cluster_id: str | None = None,
    ) -> Plan[None]:
        """Makes a controller a voter of the quorum."""
        listeners = [add_raft_voter_request.Listener(one.name, one.host, one.port) for one in endpoints]
        request = AddRaftVoterRequest(cluster_id, self.request_timeout_ms, voter_id, directory_id, listeners)
        yield from ask(request, AddRaftVoterResponse, CONTROLLER)

    @operation
    def remove_raft_voter(
        self, voter_id: int, directory_id: Uuid, *, cluster_id: str | None = None
    ) -> Plan[None]:
        """Makes a voter an observer."""
        request = RemoveRaftVoterRequest(cluster_id, voter_id, directory_id)
        yield from ask(request, RemoveRaftVoterResponse, CONTROLLER)

    @operation
    def unregister_broker(self, broker_id: int) -> Plan[None]:
        """Forgets a broker that is gone for good."""
        yield from ask(UnregisterBrokerRequest(broker_id), UnregisterBrokerResponse, CONTROLLER)

    @operation
    def unregister_controller(self, controller_id: int) -> Plan[None]:
        """Forgets a controller that is gone for good (from Apache Kafka 4.4 on)."""
        yield from ask(UnregisterControllerRequest(controller_id), UnregisterControllerResponse, CONTROLLER)


def _described(request: DescribeClusterRequest, lowest: int) -> Plan[ClusterDescription]:
    answer = yield from ask(request, DescribeClusterResponse, lowest=lowest)
    nodes = [Node(one.broker_id, one.host, one.port, one.rack, one.is_fenced) for one in answer.brokers]
    return ClusterDescription(
        answer.cluster_id,
        None if answer.controller_id < 0 else answer.controller_id,
        tuple(sorted(nodes, key=lambda one: one.id)),
        authorized(answer.cluster_authorized_operations),
    )


def _described_by_metadata(include_operations: bool) -> Plan[ClusterDescription]:
    """Before Apache Kafka 2.8 the metadata tells."""
    request = MetadataRequest([], False, include_operations)
    answer = yield from ask(request, MetadataResponse, lowest=4, highest=10)
    nodes = [Node(one.node_id, one.host, one.port, one.rack) for one in answer.brokers]
    return ClusterDescription(
        answer.cluster_id,
        None if answer.controller_id < 0 else answer.controller_id,
        tuple(sorted(nodes, key=lambda one: one.id)),
        authorized(answer.cluster_authorized_operations),
    )


def _replica(state: ReplicaState) -> QuorumReplica:
    def known(timestamp: int) -> int | None:
        return None if timestamp < 0 else timestamp

    return QuorumReplica(
        state.replica_id,
        state.replica_directory_id,
        state.log_end_offset,
        known(state.last_fetch_timestamp),
        known(state.last_caught_up_timestamp),
    )
