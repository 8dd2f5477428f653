"""Life of a broker as the controller sees it: registered, unfenced, leaving, fenced, gone.

Sessions are the server's (they are made of clocks); what follows from them is decided here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from barnabas._core import Uuid
from barnabas.controller.decision import (
    ControllerState,
    Decision,
    Record,
    refuse,
    replica_directory,
)
from barnabas.controller.partition_change import Election, PartitionChange
from barnabas.controller.record_versions import (
    CONTROLLED_SHUTDOWN_CHANGE,
    CORDONED_LOG_DIRS_CHANGE,
    FENCING_CHANGE,
    LOG_DIRS_CHANGE,
    METADATA_VERSION,
    METADATA_VERSION_MIN,
)
from barnabas.protocol import ErrorCode
from barnabas.protocol.generated import register_broker_record
from barnabas.protocol.generated.broker_heartbeat_response import BrokerHeartbeatResponse
from barnabas.protocol.generated.broker_registration_change_record import BrokerRegistrationChangeRecord
from barnabas.protocol.generated.broker_registration_response import BrokerRegistrationResponse
from barnabas.protocol.generated.register_broker_record import RegisterBrokerRecord
from barnabas.protocol.generated.unregister_broker_record import UnregisterBrokerRecord
from barnabas.protocol.generated.unregister_broker_response import UnregisterBrokerResponse

if TYPE_CHECKING:
    from barnabas._core import BrokerImage, PartitionImage
    from barnabas.protocol.generated.broker_heartbeat_request import BrokerHeartbeatRequest
    from barnabas.protocol.generated.broker_registration_request import BrokerRegistrationRequest

FENCE, UNFENCE = 1, -1
ENTER_CONTROLLED_SHUTDOWN = 1
RESERVED_DIRECTORIES = 100
"""The first ids stand for states of a replica, never for a directory."""


def check_epoch(state: ControllerState, broker_id: int, epoch: int) -> None:
    """Refuses what a broker says that is not registered, or that speaks with an old registration."""
    broker = state.brokers.get(broker_id)
    if broker is None:
        raise refuse(
            ErrorCode.BROKER_ID_NOT_REGISTERED, f"No broker registration found for broker id {broker_id}"
        )
    if broker.epoch != epoch:
        raise refuse(
            ErrorCode.STALE_BROKER_EPOCH,
            f"Expected broker epoch {broker.epoch}, but got broker epoch {epoch}",
        )


# ---- registration ---------------------------------------------------------------------------------------


def register(
    state: ControllerState, request: BrokerRegistrationRequest, new_epoch: int, session_valid: bool
) -> Decision[BrokerRegistrationResponse]:
    """Registers a broker, fenced, or amends its registration when the same process asks again.

    `new_epoch` is the offset that the first record of this decision will have in the log. `session_valid`
    says whether the broker's last session still holds.
    """
    if request.cluster_id != state.cluster_id:
        raise refuse(
            ErrorCode.INCONSISTENT_CLUSTER_ID,
            f"Expected cluster ID {state.cluster_id}, but got cluster ID {request.cluster_id}",
        )
    existing = state.brokers.get(request.broker_id)
    same_process = existing is not None and existing.incarnation_id == request.incarnation_id
    if existing is not None and session_valid and not same_process:
        raise refuse(
            ErrorCode.DUPLICATE_BROKER_REGISTRATION, "Another broker is registered with that broker id."
        )
    if request.is_migrating_zk_broker:
        raise refuse(ErrorCode.BROKER_ID_NOT_REGISTERED, "ZooKeeper brokers can not be registered.")
    if state.versions.directories:
        _check_directories(state, request)
    _check_features(state, request)

    # A broker that did not stop in order may have lost the end of its logs: since KIP-966 that counts.
    clean = existing is None or same_process or request.previous_broker_epoch == existing.epoch
    clean = clean or not state.versions.eligible_leader_replicas
    cleanup = [] if clean else _take_out(state, request.broker_id, unclean_shutdown=True)
    epoch = existing.epoch if existing is not None and same_process else new_epoch + len(cleanup)
    record = _registration(state, request, epoch, existing if same_process else None)
    return Decision([*cleanup, record], BrokerRegistrationResponse(broker_epoch=epoch))


def _registration(
    state: ControllerState, request: BrokerRegistrationRequest, epoch: int, amended: BrokerImage | None
) -> Record:
    record = RegisterBrokerRecord(
        broker_id=request.broker_id,
        incarnation_id=request.incarnation_id,
        broker_epoch=epoch,
        end_points=[
            register_broker_record.BrokerEndpoint(
                name=listener.name,
                host=listener.host,
                port=listener.port,
                security_protocol=listener.security_protocol,
            )
            for listener in request.listeners
        ],
        features=[
            register_broker_record.BrokerFeature(
                name=name, min_supported_version=lowest, max_supported_version=highest
            )
            for name, (lowest, highest) in _features(request).items()
        ],
        rack=request.rack,
        fenced=amended is None or amended.fenced,
        in_controlled_shutdown=amended is not None and amended.in_controlled_shutdown,
    )
    if state.versions.directories:
        record.log_dirs = list(request.log_dirs)
    return record, state.versions.register_broker


def _features(request: BrokerRegistrationRequest) -> dict[str, tuple[int, int]]:
    features = {
        feature.name: (feature.min_supported_version, feature.max_supported_version)
        for feature in request.features
    }
    return (
        features
        if METADATA_VERSION in features
        else {**features, METADATA_VERSION: (METADATA_VERSION_MIN,) * 2}
    )


def _check_features(state: ControllerState, request: BrokerRegistrationRequest) -> None:
    """A broker must be able to live with every level that the cluster has agreed on."""
    features = _features(request)
    for name in features.keys() | state.features.keys():
        lowest, highest = features.get(name, (0, 0))
        level = state.features.get(name, METADATA_VERSION_MIN if name == METADATA_VERSION else 0)
        # kraft.version is finalized in the log's control records, not in the image.
        if name != "kraft.version" and not lowest <= level <= highest:
            raise refuse(
                ErrorCode.UNSUPPORTED_VERSION,
                f"Unable to register because the broker does not support finalized version {level} of "
                f"{name}. The broker wants a version between {lowest} and {highest}, inclusive.",
            )


def _check_directories(state: ControllerState, request: BrokerRegistrationRequest) -> None:
    given = list(request.log_dirs)
    if not given:
        raise refuse(ErrorCode.INVALID_REGISTRATION, "No directories specified in request")
    if any(_reserved(directory) for directory in given):
        raise refuse(ErrorCode.INVALID_REGISTRATION, "Reserved directory ID in request")
    if len(set(given)) != len(given):
        raise refuse(ErrorCode.INVALID_REGISTRATION, "Duplicate directory ID in request")
    for broker in state.brokers.values():
        taken = set(given) & set(broker.log_dirs) if broker.id != request.broker_id else set()
        if taken:
            raise refuse(
                ErrorCode.INVALID_REGISTRATION,
                f"Broker {broker.id} is already registered with directory {min(taken)}",
            )


def _reserved(directory: Uuid) -> bool:
    return int.from_bytes(directory.bytes, "big") < RESERVED_DIRECTORIES


def unregister(state: ControllerState, broker_id: int) -> Decision[UnregisterBrokerResponse]:
    """Forgets a broker and takes it out of all ISRs. One that runs will register again."""
    broker = state.brokers.get(broker_id)
    if broker is None:
        message = f"Broker ID {broker_id} is not currently registered"
        code = ErrorCode.BROKER_ID_NOT_REGISTERED
        return Decision([], UnregisterBrokerResponse(error_code=code, error_message=message))
    record = UnregisterBrokerRecord(broker_id=broker_id, broker_epoch=broker.epoch)
    return Decision([*_take_out(state, broker_id), (record, 0)], UnregisterBrokerResponse())


# ---- heartbeats -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class BrokerSession:
    """What the server remembers of a broker between heartbeats."""

    registration_offset: int
    """Offset of its RegisterBrokerRecord."""
    shutdown_offset: int = -1
    """End of the log when its controlled shutdown began; -1 when it has not."""
    lowest_active_offset: int = 1 << 63
    """Lowest metadata offset that any active broker has reported."""


def heartbeat(
    state: ControllerState, request: BrokerHeartbeatRequest, session: BrokerSession
) -> Decision[BrokerHeartbeatResponse]:
    """Decides what a broker becomes. Raises when it is not registered with this epoch."""
    check_epoch(state, request.broker_id, request.broker_epoch)
    broker = state.brokers[request.broker_id]
    caught_up = request.current_metadata_offset >= session.registration_offset
    response = BrokerHeartbeatResponse(is_caught_up=caught_up, is_fenced=broker.fenced)
    records: list[Record] = []
    if broker.fenced:
        response.should_shut_down = request.want_shut_down
        if not request.want_shut_down and not request.want_fence and caught_up:
            records += unfence(state, broker.id)
            response.is_fenced = False
    elif broker.in_controlled_shutdown:
        finished = not _leads(state, broker.id) and session.shutdown_offset <= session.lowest_active_offset
        response.should_shut_down = finished
    elif request.want_fence or (request.want_shut_down and not _leads(state, broker.id)):
        response.should_shut_down = request.want_shut_down
    elif request.want_shut_down:
        records += begin_controlled_shutdown(state, broker.id)
    if not broker.fenced and (response.should_shut_down or request.want_fence):
        records += fence(state, broker.id)
        response.is_fenced = True
    if state.versions.directories and request.offline_log_dirs:
        records += directories_offline(state, broker, request.offline_log_dirs)
    return Decision(records, response)


def fence(state: ControllerState, broker_id: int) -> list[Record]:
    """Takes a broker out of service: out of all ISRs, its leaderships to others."""
    change = BrokerRegistrationChangeRecord(
        broker_id=broker_id, broker_epoch=state.brokers[broker_id].epoch, fenced=FENCE
    )
    return [*_take_out(state, broker_id), (change, FENCING_CHANGE)]


def unfence(state: ControllerState, broker_id: int) -> list[Record]:
    """Puts a broker into service, and lets it lead what waits for it."""
    change = BrokerRegistrationChangeRecord(
        broker_id=broker_id, broker_epoch=state.brokers[broker_id].epoch, fenced=UNFENCE
    )
    return [(change, FENCING_CHANGE), *_elect_leaderless(state, broker_id)]


def begin_controlled_shutdown(state: ControllerState, broker_id: int) -> list[Record]:
    """Marks a broker as leaving and moves its leaderships to others that are in sync."""
    change = BrokerRegistrationChangeRecord(
        broker_id=broker_id,
        broker_epoch=state.brokers[broker_id].epoch,
        in_controlled_shutdown=ENTER_CONTROLLED_SHUTDOWN,
    )
    return [(change, CONTROLLED_SHUTDOWN_CHANGE), *_take_out(state, broker_id)]


def cordoned_log_dirs_changed(
    state: ControllerState, broker_id: int, cordoned: Iterable[Uuid]
) -> list[Record]:
    """Notes which of a broker's directories take no new replicas (4.3)."""
    if not state.versions.cordoned_log_dirs:
        return []
    change = BrokerRegistrationChangeRecord(
        broker_id=broker_id, broker_epoch=state.brokers[broker_id].epoch, cordoned_log_dirs=list(cordoned)
    )
    return [(change, CORDONED_LOG_DIRS_CHANGE)]


def directories_offline(state: ControllerState, broker: BrokerImage, offline: Iterable[Uuid]) -> list[Record]:
    """Takes a broker out of the ISRs of the replicas in failed directories (KIP-858)."""
    newly_offline = set(offline) & set(broker.log_dirs)
    if not newly_offline:
        return []
    change = BrokerRegistrationChangeRecord(
        broker_id=broker.id,
        broker_epoch=broker.epoch,
        log_dirs=[directory for directory in broker.log_dirs if directory not in newly_offline],
    )
    moved = _take_out(
        state, broker.id, lambda partition: replica_directory(partition, broker.id) in newly_offline
    )
    return [*moved, (change, LOG_DIRS_CHANGE)]


def directories_online(broker: BrokerImage, online: Iterable[Uuid]) -> list[Record]:
    """Notes that directories which had failed work again. `lead_in` is to follow, once the head has it."""
    returned = [directory for directory in online if directory not in broker.log_dirs]
    if not returned:
        return []
    change = BrokerRegistrationChangeRecord(
        broker_id=broker.id, broker_epoch=broker.epoch, log_dirs=[*broker.log_dirs, *returned]
    )
    return [(change, LOG_DIRS_CHANGE)]


def lead_in(state: ControllerState, broker_id: int, directories: Iterable[Uuid]) -> list[Record]:
    """Lets a broker lead what has no leader and lies in these directories of it."""
    there = frozenset(directories)
    return _elect_leaderless(
        state, broker_id, lambda partition: replica_directory(partition, broker_id) in there
    )


def _elect_leaderless(
    state: ControllerState,
    broker_id: int,
    concerned: Callable[[PartitionImage], bool] = lambda _: True,
) -> list[Record]:
    """Gives leaders to the partitions that have none, where `broker_id` may lead from now on."""

    def live(replica: int) -> bool:
        return replica == broker_id or state.active(replica)

    records: list[Record] = []
    for change in _changes(state, lambda partition: partition.leader < 0 and concerned(partition)):
        change.live = live
        record = change.record()
        if record is not None:
            records.append(record)
    return records


def _leads(state: ControllerState, broker_id: int) -> bool:
    return any(
        partition.leader == broker_id for topic in state.image.topics() for _, partition in topic.partitions()
    )


def _changes(
    state: ControllerState, concerned: Callable[[PartitionImage], bool]
) -> Iterator[PartitionChange]:
    for topic in state.image.topics():
        unclean = state.unclean_election(topic.name)
        for index, partition in topic.partitions():
            if concerned(partition):
                election = Election.UNCLEAN if unclean else Election.ONLINE
                yield PartitionChange(state, topic.id, topic.name, index, partition, election=election)


def _take_out(
    state: ControllerState,
    broker_id: int,
    concerned: Callable[[PartitionImage], bool] = lambda _: True,
    unclean_shutdown: bool = False,
) -> list[Record]:
    """Removes a broker from ISRs; after an unclean shutdown from the eligible replicas too."""

    def live(replica: int) -> bool:
        return replica != broker_id and state.active(replica)

    def member(partition: PartitionImage) -> bool:
        eligible = unclean_shutdown and broker_id in partition.elr
        return (broker_id in partition.isr or eligible) and concerned(partition)

    records: list[Record] = []
    for change in _changes(state, member):
        change.live = live
        change.isr = [replica for replica in change.isr if replica != broker_id]
        if unclean_shutdown:
            change.unclean_shutdown = frozenset({broker_id})
        record = change.record()
        if record is not None:
            records.append(record)
    return records
