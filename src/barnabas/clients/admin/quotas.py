"""Quotas of clients: how much users, clients and addresses may do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from barnabas.clients.operation import Operations, operation
from barnabas.clients.plan import CONTROLLER, Plan, ask, at, each, error_of
from barnabas.clients.results import Results
from barnabas.protocol.generated import alter_client_quotas_request as alter
from barnabas.protocol.generated.alter_client_quotas_response import AlterClientQuotasResponse
from barnabas.protocol.generated.describe_client_quotas_request import (
    ComponentData,
    DescribeClientQuotasRequest,
)
from barnabas.protocol.generated.describe_client_quotas_response import DescribeClientQuotasResponse

EXACT, DEFAULT, ANY_SPECIFIED = 0, 1, 2
"""What a filter may say of a part of an entity."""


@dataclass(frozen=True, slots=True, order=True)
class QuotaEntity:
    """Whose quota it is: a part that is absent does not matter, an empty name is the default."""

    user: str | None = None
    client_id: str | None = None
    ip: str | None = None

    def parts(self) -> list[tuple[str, str | None]]:
        """Kafka's names of the parts; a default has no name."""
        named = (("user", self.user), ("client-id", self.client_id), ("ip", self.ip))
        return [(kind, name or None) for kind, name in named if name is not None]

    def __str__(self) -> str:
        return ",".join(f"{kind}={name or '(default)'}" for kind, name in self.parts())


@dataclass(frozen=True, slots=True)
class QuotaFilter:
    """Which entities are meant: each part is a name, the empty name for the default, or ANY."""

    user: str | None = None
    client_id: str | None = None
    ip: str | None = None
    strict: bool = False
    """Whether entities with other parts are left out."""

    ANY = "\0any"
    """Any name, and the default."""


class Quotas(Operations):
    """Operations on quotas."""

    @operation
    def describe_client_quotas(
        self,
        matching: QuotaFilter = QuotaFilter(),
    ) -> Plan[Results[QuotaEntity, dict[str, float]]]:
        """Quotas by entity: `producer_byte_rate`, `consumer_byte_rate`, `request_percentage`, …"""
        components = []
        for kind, name in (("user", matching.user), ("client-id", matching.client_id), ("ip", matching.ip)):
            if name is not None:
                match = ANY_SPECIFIED if name == QuotaFilter.ANY else EXACT if name else DEFAULT
                components.append(ComponentData(kind, match, name if match == EXACT else None))
        request = DescribeClientQuotasRequest(components, matching.strict)
        answer = yield from ask(request, DescribeClientQuotasResponse, CONTROLLER)
        return Results(
            {
                _entity(entry.entity): {one.key: one.value for one in entry.values}
                for entry in answer.entries or ()
            }
        )

    @operation
    def alter_client_quotas(
        self,
        changes: Mapping[QuotaEntity, Mapping[str, float | None]],
        *,
        validate_only: bool = False,
    ) -> Plan[Results[QuotaEntity, None]]:
        """Sets quotas; None removes one."""

        def make(some: list[QuotaEntity]) -> alter.AlterClientQuotasRequest:
            entries = [
                alter.EntryData(
                    [alter.EntityData(kind, name) for kind, name in entity.parts()],
                    [
                        alter.OpData(key, value or 0.0, value is None)
                        for key, value in changes[entity].items()
                    ],
                )
                for entity in some
            ]
            return alter.AlterClientQuotasRequest(entries, validate_only)

        def read(
            answer: AlterClientQuotasResponse, _: list[QuotaEntity]
        ) -> Iterator[tuple[QuotaEntity, Any]]:
            for entry in answer.entries:
                yield _entity(entry.entity), error_of(entry.error_code, entry.error_message)

        return (yield from each(changes, at(CONTROLLER), make, read))


def _entity(parts: list[Any]) -> QuotaEntity:
    names = {one.entity_type: one.entity_name or "" for one in parts}
    return QuotaEntity(names.get("user"), names.get("client-id"), names.get("ip"))
