"""UpdateFeatures: which levels of features the cluster agrees on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from barnabas.controller.configs import MIN_INSYNC_REPLICAS
from barnabas.controller.decision import BROKER, ControllerState, Decision, Record, refuse
from barnabas.controller.feature_levels import ELR_VERSION, KRAFT_VERSION, SUPPORTED
from barnabas.controller.record_versions import METADATA_VERSION
from barnabas.errors import KafkaError
from barnabas.protocol import ErrorCode
from barnabas.protocol.generated.clear_elr_record import ClearElrRecord
from barnabas.protocol.generated.config_record import ConfigRecord
from barnabas.protocol.generated.feature_level_record import FeatureLevelRecord
from barnabas.protocol.generated.update_features_response import (
    UpdatableFeatureResult,
    UpdateFeaturesResponse,
)

if TYPE_CHECKING:
    from barnabas.protocol.generated.update_features_request import FeatureUpdateKey, UpdateFeaturesRequest

UPGRADE, SAFE_DOWNGRADE, UNSAFE_DOWNGRADE = 1, 2, 3

# Lowest metadata.version at which a feature's level may be in force: Kafka's dependencies between features.
_NEEDS_METADATA_VERSION = {(ELR_VERSION, 1): 23}


def update_features(
    state: ControllerState, request: UpdateFeaturesRequest, version: int
) -> Decision[UpdateFeaturesResponse]:
    """All updates of a request take place, or none."""
    response = UpdateFeaturesResponse()
    records: list[Record] = []
    try:
        for update in {update.feature: update for update in request.feature_updates}.values():
            records += _update(state, update, UPGRADE if version == 0 else update.upgrade_type)
    except KafkaError as error:
        response.error_code = error.error_code
        response.error_message = (
            f"The update failed for all features since the following feature had an error: {error}"
        )
        return Decision([], response)
    if version <= 1:
        response.results = [
            UpdatableFeatureResult(feature=update.feature, error_message="NONE")
            for update in request.feature_updates
        ]
    return Decision([] if request.validate_only else records, response)


def _update(state: ControllerState, update: FeatureUpdateKey, upgrade_type: int) -> list[Record]:
    name, level = update.feature, update.max_version_level
    current = _current(state, name)
    problem = _problem(state, name, level, current, upgrade_type)
    if problem is not None:
        raise refuse(
            ErrorCode.INVALID_UPDATE_VERSION, f"Invalid update version {level} for feature {name}. {problem}"
        )
    if name == METADATA_VERSION and level < current:
        reason = "Refusing to perform the requested downgrade because it might delete metadata information."
        if upgrade_type == UNSAFE_DOWNGRADE:
            reason = "Unsafe metadata downgrade is not supported in this version."
        raise refuse(
            ErrorCode.INVALID_UPDATE_VERSION,
            f"Unsupported metadata.version downgrade from {current} to {level}. {reason}",
        )
    if name == KRAFT_VERSION:
        return []  # Its only allowed level is the current one.
    records: list[Record] = [(FeatureLevelRecord(name=name, feature_level=level), 0)]
    if name == ELR_VERSION and level > current:
        return [*records, *_elr_records(state)]
    return records


def _current(state: ControllerState, name: str) -> int:
    if name == KRAFT_VERSION:
        return SUPPORTED[KRAFT_VERSION][1]
    return state.features.get(name, 0)


def _problem(state: ControllerState, name: str, level: int, current: int, upgrade_type: int) -> str | None:
    if upgrade_type not in (UPGRADE, SAFE_DOWNGRADE, UNSAFE_DOWNGRADE):
        return "The controller does not support the given upgrade type."
    if level < 0:
        return "A feature version cannot be less than 0."
    unsupported = _unsupported_by(state, name, level)
    if unsupported is not None:
        return unsupported
    if level < current and name == KRAFT_VERSION:
        return "Can't downgrade the version of this feature."
    if level < current and upgrade_type == UPGRADE:
        return (
            "Can't downgrade the version of this feature without setting the upgrade type to either safe or "
            "unsafe downgrade."
        )
    if level > current and upgrade_type != UPGRADE:
        return "Can't downgrade to a newer version."
    needed = _NEEDS_METADATA_VERSION.get((name, level), 0)
    if state.versions.metadata_version < needed:
        return f"{name} needs metadata.version {needed} or higher."
    return None


def _unsupported_by(state: ControllerState, name: str, level: int) -> str | None:
    """Who in the cluster cannot follow; every registered node must be able to."""
    if name not in SUPPORTED and level == 0:
        return f"Feature {name} not found."
    ranges = {f"Local controller {state.node_id}": SUPPORTED.get(name)}
    for broker in state.brokers.values():
        ranges[f"Broker {broker.id}"] = broker.features.get(name)
    for who, supported in ranges.items():
        if supported is None and level > 0:
            return f"{who} does not support this feature."
        if supported is not None and not supported[0] <= level <= supported[1]:
            return f"{who} only supports versions {supported[0]}-{supported[1]}"
    return None


def _elr_records(state: ControllerState) -> list[Record]:
    """What switching ELR on needs: one min.insync.replicas for the whole cluster (KIP-966)."""
    records: list[Record] = [(ClearElrRecord(), 0)]
    if MIN_INSYNC_REPLICAS not in state.image.config(BROKER, ""):
        records.append(min_isr_record(str(state.broker_configs.value(MIN_INSYNC_REPLICAS))))
    for resource_type, name in state.image.config_resources():
        own = resource_type == BROKER and name != ""
        if own and MIN_INSYNC_REPLICAS in state.image.config(BROKER, name):
            record = ConfigRecord(
                resource_type=BROKER, resource_name=name, name=MIN_INSYNC_REPLICAS, value=None
            )
            records.append((record, 0))
    return records


def min_isr_record(value: str) -> Record:
    """Makes min.insync.replicas the same on all brokers."""
    record = ConfigRecord(resource_type=BROKER, resource_name="", name=MIN_INSYNC_REPLICAS, value=value)
    return record, 0
