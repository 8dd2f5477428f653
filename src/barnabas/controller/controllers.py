"""Registration of controllers (KIP-919). What a new cluster begins with is written by `crates/raft`."""

from __future__ import annotations

from collections.abc import Iterable

from barnabas._core import Uuid
from barnabas.controller.decision import Record
from barnabas.controller.feature_levels import SUPPORTED
from barnabas.protocol.generated import register_controller_record
from barnabas.protocol.generated.register_controller_record import RegisterControllerRecord


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
