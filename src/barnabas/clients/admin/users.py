"""Passwords of users, as SCRAM stores them."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from barnabas.clients.operation import Operations, operation
from barnabas.clients.plan import CONTROLLER, Plan, ask, at, each, error_of
from barnabas.clients.results import Results
from barnabas.protocol.generated.alter_user_scram_credentials_request import (
    AlterUserScramCredentialsRequest,
    ScramCredentialDeletion,
    ScramCredentialUpsertion,
)
from barnabas.protocol.generated.alter_user_scram_credentials_response import (
    AlterUserScramCredentialsResponse,
)
from barnabas.protocol.generated.describe_user_scram_credentials_request import (
    DescribeUserScramCredentialsRequest,
    UserName,
)
from barnabas.protocol.generated.describe_user_scram_credentials_response import (
    DescribeUserScramCredentialsResponse,
)

ITERATIONS = 8192
SALT_BYTES = 24


class ScramMechanism(IntEnum):
    """The hash of SCRAM, with its code on the wire."""

    SCRAM_SHA_256 = 1
    SCRAM_SHA_512 = 2

    @property
    def digest(self) -> str:
        """The hash's name."""
        return "sha256" if self is ScramMechanism.SCRAM_SHA_256 else "sha512"


@dataclass(frozen=True, slots=True)
class ScramPassword:
    """A password to be set. It does not leave this process: brokers get a salted hash."""

    password: str
    iterations: int = ITERATIONS
    salt: bytes | None = None
    """None: a random one."""

    def __repr__(self) -> str:
        return f"ScramPassword(iterations={self.iterations})"


Credentials = Mapping[ScramMechanism, int]
"""Iterations by mechanism."""


class Users(Operations):
    """Operations on users' passwords."""

    @operation
    def describe_user_scram_credentials(
        self, users: str | Iterable[str] | None = None
    ) -> Plan[Results[str, Credentials]]:
        """Which mechanisms users have passwords for, with iterations; None stands for all users."""
        names = [users] if isinstance(users, str) else users
        request = DescribeUserScramCredentialsRequest(None if names is None else map(UserName, names))
        answer = yield from ask(request, DescribeUserScramCredentialsResponse, CONTROLLER)
        outcomes: dict[str, Any] = {}
        for one in answer.results:
            found = {ScramMechanism(info.mechanism): info.iterations for info in one.credential_infos}
            outcomes[one.user] = error_of(one.error_code, one.error_message) or found
        return Results(outcomes)

    @operation
    def alter_user_scram_credentials(
        self, changes: Mapping[str, Mapping[ScramMechanism, str | ScramPassword | None]]
    ) -> Plan[Results[str, None]]:
        """Sets users' passwords; None takes one away.

        admin.alter_user_scram_credentials({"alice": {ScramMechanism.SCRAM_SHA_256: "secret"}})
        """

        # A broker takes one change for each user at a time: the second mechanism goes with the next request.
        outcomes: dict[str, Any] = dict.fromkeys(changes)
        for turn in range(max(map(len, changes.values()), default=0)):
            users = [user for user in changes if len(changes[user]) > turn and outcomes[user] is None]
            results = yield from _altered({user: list(changes[user].items())[turn] for user in users})
            outcomes |= results.errors
        return Results(outcomes)


def _altered(
    changes: Mapping[str, tuple[ScramMechanism, str | ScramPassword | None]],
) -> Plan[Results[str, None]]:
    def make(users: list[str]) -> AlterUserScramCredentialsRequest:
        request = AlterUserScramCredentialsRequest()
        for user in users:
            mechanism, password = changes[user]
            if password is None:
                request.deletions.append(ScramCredentialDeletion(user, int(mechanism)))
            else:
                request.upsertions.append(_upsertion(user, mechanism, password))
        return request

    def read(answer: AlterUserScramCredentialsResponse, _: list[str]) -> Iterator[tuple[str, Any]]:
        return ((one.user, error_of(one.error_code, one.error_message)) for one in answer.results)

    return (yield from each(changes, at(CONTROLLER), make, read))


def _upsertion(
    user: str, mechanism: ScramMechanism, password: str | ScramPassword
) -> ScramCredentialUpsertion:
    wanted = ScramPassword(password) if isinstance(password, str) else password
    salt = wanted.salt or secrets.token_bytes(SALT_BYTES)
    salted = hashlib.pbkdf2_hmac(mechanism.digest, wanted.password.encode(), salt, wanted.iterations)
    return ScramCredentialUpsertion(user, int(mechanism), wanted.iterations, salt, salted)
