"""The first records of a new cluster, and a controller's registration."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from barnabas._core import Uuid
from barnabas.controller.decision import Record
from barnabas.controller.features import BOOTSTRAP_LEVELS, ELR_VERSION, SUPPORTED, min_isr_record
from barnabas.controller.record_versions import METADATA_VERSION, RecordVersions
from barnabas.protocol.generated import register_controller_record
from barnabas.protocol.generated.begin_transaction_record import BeginTransactionRecord
from barnabas.protocol.generated.end_transaction_record import EndTransactionRecord
from barnabas.protocol.generated.feature_level_record import FeatureLevelRecord
from barnabas.protocol.generated.register_controller_record import RegisterControllerRecord


def bootstrap_records(
    levels: Mapping[str, int] = BOOTSTRAP_LEVELS, min_insync_replicas: str = "1"
) -> list[Record]:
    """What the first active controller of an empty log writes, as one change."""
    names = sorted(levels, key=lambda name: (name != METADATA_VERSION, name))
    records: list[Record] = [
        (FeatureLevelRecord(name=name, feature_level=levels[name]), 0) for name in names if levels[name] > 0
    ]
    if levels.get(ELR_VERSION, 0) >= 1:
        records.append(min_isr_record(min_insync_replicas))
    if RecordVersions(levels[METADATA_VERSION]).transactions:
        return [
            (BeginTransactionRecord(name="Bootstrap records"), 0),
            *records,
            (EndTransactionRecord(), 0),
        ]
    return records


def register_controller(
    controller_id: int, incarnation_id: Uuid, listeners: Iterable[tuple[str, str, int, int]]
) -> Record:
    """A controller's registration; listeners as (name, host, port, security protocol)."""
    record = RegisterControllerRecord(
        controller_id=controller_id,
        incarnation_id=incarnation_id,
        zk_migration_ready=False,
        end_points=[
            register_controller_record.ControllerEndpoint(
                name=name, host=host, port=port, security_protocol=protocol
            )
            for name, host, port, protocol in listeners
        ],
        features=[
            register_controller_record.ControllerFeature(
                name=name, min_supported_version=lowest, max_supported_version=highest
            )
            for name, (lowest, highest) in SUPPORTED.items()
        ],
    )
    return record, 0
