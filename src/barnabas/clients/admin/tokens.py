"""Delegation tokens: given out, renewed, ended, described."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from barnabas.clients.operation import Operations, operation
from barnabas.clients.plan import CONTROLLER, Plan, ask
from barnabas.protocol.generated.create_delegation_token_request import (
    CreatableRenewers,
    CreateDelegationTokenRequest,
)
from barnabas.protocol.generated.create_delegation_token_response import CreateDelegationTokenResponse
from barnabas.protocol.generated.describe_delegation_token_request import (
    DescribeDelegationTokenOwner,
    DescribeDelegationTokenRequest,
)
from barnabas.protocol.generated.describe_delegation_token_response import DescribeDelegationTokenResponse
from barnabas.protocol.generated.expire_delegation_token_request import ExpireDelegationTokenRequest
from barnabas.protocol.generated.expire_delegation_token_response import ExpireDelegationTokenResponse
from barnabas.protocol.generated.renew_delegation_token_request import RenewDelegationTokenRequest
from barnabas.protocol.generated.renew_delegation_token_response import RenewDelegationTokenResponse

BROKER_DEFAULT = -1
"""A time that the broker's configs say."""


@dataclass(frozen=True, slots=True)
class DelegationToken:
    """A token: its id and its `hmac` are name and password for SCRAM. Times are milliseconds since 1970."""

    token_id: str
    owner: str
    requester: str
    renewers: tuple[str, ...]
    issue_timestamp: int
    expiry_timestamp: int
    max_timestamp: int
    hmac: bytes = field(repr=False)


def _principal(text: str) -> tuple[str, str]:
    """`User:alice`, or a name alone."""
    kind, colon, name = text.partition(":")
    return (kind, name) if colon else ("User", text)


class Tokens(Operations):
    """Operations on delegation tokens."""

    @operation
    def create_delegation_token(
        self, *, owner: str | None = None, renewers: Iterable[str] = (), max_lifetime_ms: int = BROKER_DEFAULT
    ) -> Plan[DelegationToken]:
        """A token for the caller, or for another owner; `renewers` may prolong it beside its owner."""
        listed = list(renewers)
        kind, name = _principal(owner) if owner is not None else (None, None)
        request = CreateDelegationTokenRequest(
            kind, name, [CreatableRenewers(*_principal(one)) for one in listed], max_lifetime_ms
        )
        lowest = 3 if owner is not None else 0
        answer = yield from ask(request, CreateDelegationTokenResponse, CONTROLLER, lowest=lowest)
        owned_by = f"{answer.principal_type}:{answer.principal_name}"
        requester = f"{answer.token_requester_principal_type}:{answer.token_requester_principal_name}"
        return DelegationToken(
            answer.token_id,
            owned_by,
            requester if answer.token_requester_principal_name else owned_by,
            tuple(":".join(_principal(one)) for one in listed),
            answer.issue_timestamp_ms,
            answer.expiry_timestamp_ms,
            answer.max_timestamp_ms,
            answer.hmac,
        )

    @operation
    def renew_delegation_token(self, hmac: bytes, *, renew_period_ms: int = BROKER_DEFAULT) -> Plan[int]:
        """Prolongs a token; when it ends then."""
        request = RenewDelegationTokenRequest(hmac, renew_period_ms)
        answer = yield from ask(request, RenewDelegationTokenResponse, CONTROLLER)
        return answer.expiry_timestamp_ms

    @operation
    def expire_delegation_token(self, hmac: bytes, *, expiry_period_ms: int = BROKER_DEFAULT) -> Plan[int]:
        """Ends a token, at once or after a time; when it ends then."""
        request = ExpireDelegationTokenRequest(hmac, expiry_period_ms)
        answer = yield from ask(request, ExpireDelegationTokenResponse, CONTROLLER)
        return answer.expiry_timestamp_ms

    @operation
    def describe_delegation_tokens(self, owners: Iterable[str] | None = None) -> Plan[list[DelegationToken]]:
        """Tokens that the caller may see, of some owners or of all."""
        wanted = None
        if owners is not None:
            wanted = [DescribeDelegationTokenOwner(*_principal(owner)) for owner in owners]
        answer = yield from ask(
            DescribeDelegationTokenRequest(wanted), DescribeDelegationTokenResponse, CONTROLLER
        )
        return [
            DelegationToken(
                one.token_id,
                f"{one.principal_type}:{one.principal_name}",
                f"{one.token_requester_principal_type}:{one.token_requester_principal_name}",
                tuple(f"{it.principal_type}:{it.principal_name}" for it in one.renewers),
                one.issue_timestamp,
                one.expiry_timestamp,
                one.max_timestamp,
                one.hmac,
            )
            for one in answer.tokens
        ]
