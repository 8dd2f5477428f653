"""AlterClientQuotas and DescribeClientQuotas: what is stored of quotas (KIP-546)."""

from __future__ import annotations

import ipaddress
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from barnabas.controller.decision import ControllerState, Decision, Record, error_of, refuse
from barnabas.protocol import ErrorCode
from barnabas.protocol.generated import (
    alter_client_quotas_response,
    client_quota_record,
    describe_client_quotas_response,
)
from barnabas.protocol.generated.alter_client_quotas_response import AlterClientQuotasResponse
from barnabas.protocol.generated.client_quota_record import ClientQuotaRecord
from barnabas.protocol.generated.describe_client_quotas_response import DescribeClientQuotasResponse

if TYPE_CHECKING:
    from barnabas._core import MetadataImage
    from barnabas.protocol.generated.alter_client_quotas_request import (
        AlterClientQuotasRequest,
        EntryData,
        OpData,
    )
    from barnabas.protocol.generated.describe_client_quotas_request import (
        ComponentData,
        DescribeClientQuotasRequest,
    )

USER, CLIENT_ID, IP = "user", "client-id", "ip"
EXACT, DEFAULT, ANY = 0, 1, 2
"""How a component of a filter matches."""

LONG_MAX = 2.0**63

_WHOLE = frozenset({"producer_byte_rate", "consumer_byte_rate"})
_CLIENT_KEYS = _WHOLE | {"request_percentage", "controller_mutation_rate"}
_IP_KEYS = frozenset({"connection_creation_rate"})

Entity = tuple[tuple[str, str | None], ...]
"""Sorted (type, name) pairs; the name None stands for all that have no quota of their own."""


# ---- alter ----------------------------------------------------------------------------------------------


def alter_client_quotas(
    state: ControllerState, request: AlterClientQuotasRequest
) -> Decision[AlterClientQuotasResponse]:
    """Decides each entity by itself; all its changes take place, or none."""
    current = {entity_of(pairs): quotas for pairs, quotas in state.image.quotas()}
    counts = Counter(_given_entity(entry) for entry in request.entries)
    response = AlterClientQuotasResponse()
    records: list[Record] = []
    for entry in request.entries:
        entity = _given_entity(entry)
        if counts[entity] == 0:
            continue  # Named before: answered there.
        result = alter_client_quotas_response.EntryData(
            error_message=None,
            entity=[
                alter_client_quotas_response.EntityData(part.entity_type, part.entity_name)
                for part in entry.entity
            ],
        )
        response.entries.append(result)
        with error_of(result):
            if counts[entity] > 1:
                raise refuse(ErrorCode.INVALID_REQUEST, "Ignoring duplicate entity.")
            _check_entity(entry)
            records += _changes(entity, entry.ops, current.get(entity, {}))
        counts[entity] = 0
    return Decision([] if request.validate_only else records, response)


def entity_of(pairs: Iterable[tuple[str, str | None]]) -> Entity:
    """An entity in the order in which it is compared."""
    return tuple(sorted(pairs, key=lambda pair: pair[0]))


def _given_entity(entry: EntryData) -> Entity:
    return entity_of((part.entity_type, part.entity_name) for part in entry.entity)


def _check_entity(entry: EntryData) -> None:
    types = [part.entity_type for part in entry.entity]
    if not types:
        raise refuse(ErrorCode.INVALID_REQUEST, "Invalid empty client quota entity")
    for part in entry.entity:
        if part.entity_type not in (USER, CLIENT_ID, IP):
            raise refuse(ErrorCode.INVALID_REQUEST, f"Unhandled client quota entity type: {part.entity_type}")
        if part.entity_name == "":
            raise refuse(ErrorCode.INVALID_REQUEST, f"Empty {part.entity_type} not supported")
    if len(set(types)) != len(types):
        raise refuse(ErrorCode.INVALID_REQUEST, "A type of entity is named twice.")
    if IP in types and len(types) > 1:
        raise refuse(
            ErrorCode.INVALID_REQUEST, "An ip can't be combined with a user or a client id in one entity."
        )
    if types == [IP] and entry.entity[0].entity_name is not None:
        _check_address(entry.entity[0].entity_name)


def _check_address(name: str) -> None:
    # Kafka looks host names up as well; here an address is what it says.
    try:
        ipaddress.ip_address(name)
    except ValueError as error:
        raise refuse(ErrorCode.INVALID_REQUEST, f"{name} is not a valid IP.") from error


def _changes(entity: Entity, ops: Sequence[OpData], current: Mapping[str, float]) -> list[Record]:
    operations = {op.key: op for op in ops}
    if len(operations) != len(ops):
        raise refuse(ErrorCode.INVALID_REQUEST, "A quota is named twice.")
    keys = _IP_KEYS if entity[0][0] == IP else _CLIENT_KEYS
    records: list[Record] = []
    for key, op in operations.items():
        if op.remove:
            changes = key in current
        else:
            _check_value(key, op.value, keys)
            changes = current.get(key) != op.value
        if changes:
            record = ClientQuotaRecord(
                entity=[client_quota_record.EntityData(kind, name) for kind, name in entity],
                key=key,
                value=0.0 if op.remove else op.value,
                remove=op.remove,
            )
            records.append((record, 0))
    return records


def _check_value(key: str, value: float, keys: frozenset[str]) -> None:
    if key not in keys:
        raise refuse(ErrorCode.INVALID_REQUEST, f"Invalid configuration key {key}")
    if not value > 0.0:
        raise refuse(ErrorCode.INVALID_REQUEST, f"Quota {key} must be greater than 0")
    whole = key in _WHOLE or key in _IP_KEYS
    if whole and (value >= LONG_MAX or abs(value - round(value)) > 1e-6):
        raise refuse(ErrorCode.INVALID_REQUEST, f"{key} must be a whole number that fits its type.")
    if not math.isfinite(value):
        raise refuse(ErrorCode.INVALID_REQUEST, f"{key} must be finite.")


# ---- describe -------------------------------------------------------------------------------------------


def describe_client_quotas(
    image: MetadataImage, request: DescribeClientQuotasRequest
) -> DescribeClientQuotasResponse:
    """Quotas of the entities that the filter lets through. Raises when the filter makes no sense."""
    _check_filter(request.components)
    response = DescribeClientQuotasResponse()
    for pairs, quotas in image.quotas():
        if _passes(dict(pairs), request.components, request.strict):
            response.entries = response.entries or []
            response.entries.append(
                describe_client_quotas_response.EntryData(
                    entity=[describe_client_quotas_response.EntityData(kind, name) for kind, name in pairs],
                    values=[
                        describe_client_quotas_response.ValueData(key, value) for key, value in quotas.items()
                    ],
                )
            )
    return response


def _check_filter(components: Iterable[ComponentData]) -> None:
    seen: set[str] = set()
    for component in components:
        kind = component.entity_type
        if not kind:
            raise refuse(ErrorCode.INVALID_REQUEST, "Invalid empty entity type.")
        if kind in seen:
            raise refuse(
                ErrorCode.INVALID_REQUEST, f"Entity type {kind} cannot appear more than once in the filter."
            )
        if component.match_type not in (EXACT, DEFAULT, ANY):
            raise refuse(ErrorCode.INVALID_REQUEST, f"Unknown match type {component.match_type}")
        if (component.match is None) != (component.match_type != EXACT):
            raise refuse(
                ErrorCode.INVALID_REQUEST, "An exact match needs a name; the other matches take none."
            )
        if kind not in (USER, CLIENT_ID, IP):
            raise refuse(ErrorCode.UNSUPPORTED_VERSION, f"Unsupported entity type {kind}")
        seen.add(kind)
    if IP in seen and len(seen) > 1:
        raise refuse(
            ErrorCode.INVALID_REQUEST, "An ip can't be combined with a user or a client id in one filter."
        )


def _passes(entity: Mapping[str, str | None], components: Iterable[ComponentData], strict: bool) -> bool:
    asked = 0
    for component in components:
        asked += 1
        kind = component.entity_type
        if kind not in entity or (component.match_type != ANY and entity[kind] != component.match):
            return False
    return not strict or len(entity) == asked
