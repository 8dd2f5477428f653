"""AlterUserScramCredentials and DescribeUserScramCredentials: credentials as they are stored (KIP-554)."""

from __future__ import annotations

import hashlib
import hmac
from collections import Counter
from typing import TYPE_CHECKING

from barnabas.controller.decision import ControllerState, Decision, Record, error_of, refuse
from barnabas.protocol import ErrorCode
from barnabas.protocol.generated.alter_user_scram_credentials_response import (
    AlterUserScramCredentialsResponse,
    AlterUserScramCredentialsResult,
)
from barnabas.protocol.generated.describe_user_scram_credentials_response import (
    CredentialInfo,
    DescribeUserScramCredentialsResponse,
    DescribeUserScramCredentialsResult,
)
from barnabas.protocol.generated.remove_user_scram_credential_record import RemoveUserScramCredentialRecord
from barnabas.protocol.generated.user_scram_credential_record import UserScramCredentialRecord

if TYPE_CHECKING:
    from barnabas._core import MetadataImage
    from barnabas.protocol.generated.alter_user_scram_credentials_request import (
        AlterUserScramCredentialsRequest,
        ScramCredentialUpsertion,
    )
    from barnabas.protocol.generated.describe_user_scram_credentials_request import (
        DescribeUserScramCredentialsRequest,
    )

HASHES = {1: "sha256", 2: "sha512"}
"""SCRAM-SHA-256 and SCRAM-SHA-512."""

ITERATIONS_MIN, ITERATIONS_MAX = 4096, 16384


def alter_user_scram_credentials(
    state: ControllerState, request: AlterUserScramCredentialsRequest
) -> Decision[AlterUserScramCredentialsResponse]:
    """All changes of a user take place, or none; the users are independent of one another."""
    if not state.versions.scram:
        raise refuse(ErrorCode.UNSUPPORTED_VERSION, "The metadata.version is too old for SCRAM credentials.")
    known = {(user, mechanism) for mechanism, user, *_ in state.image.scram()}
    changes = Counter((deletion.name, deletion.mechanism) for deletion in request.deletions)
    changes.update((upsertion.name, upsertion.mechanism) for upsertion in request.upsertions)
    twice = {user for (user, _), count in changes.items() if count > 1}
    response = AlterUserScramCredentialsResponse()
    records: list[Record] = []
    for user in dict.fromkeys(name for name, _ in changes):
        result = AlterUserScramCredentialsResult(user=user, error_message=None)
        response.results.append(result)
        with error_of(result):
            if user in twice:
                raise refuse(
                    ErrorCode.DUPLICATE_RESOURCE,
                    "A user credential cannot be altered twice in the same request",
                )
            records += _user_records(user, request, known)
    return Decision(records, response)


def _user_records(
    user: str, request: AlterUserScramCredentialsRequest, known: set[tuple[str, int]]
) -> list[Record]:
    if not user:
        raise refuse(ErrorCode.UNACCEPTABLE_CREDENTIAL, "Username must not be empty")
    records: list[Record] = []
    for deletion in request.deletions:
        if deletion.name != user:
            continue
        _check_mechanism(deletion.mechanism)
        if (user, deletion.mechanism) not in known:
            raise refuse(
                ErrorCode.RESOURCE_NOT_FOUND, "Attempt to delete a user credential that does not exist"
            )
        records.append((RemoveUserScramCredentialRecord(name=user, mechanism=deletion.mechanism), 0))
    records += [_credential(given) for given in request.upsertions if given.name == user]
    return records


def _credential(given: ScramCredentialUpsertion) -> Record:
    _check_mechanism(given.mechanism)
    if given.iterations < ITERATIONS_MIN:
        raise refuse(ErrorCode.UNACCEPTABLE_CREDENTIAL, "Too few iterations")
    if given.iterations > ITERATIONS_MAX:
        raise refuse(ErrorCode.UNACCEPTABLE_CREDENTIAL, "Too many iterations")
    if not given.salted_password:
        raise refuse(ErrorCode.UNACCEPTABLE_CREDENTIAL, "The salted password must not be empty")
    name = HASHES[given.mechanism]
    client_key = hmac.digest(given.salted_password, b"Client Key", name)
    record = UserScramCredentialRecord(
        name=given.name,
        mechanism=given.mechanism,
        salt=given.salt,
        stored_key=hashlib.new(name, client_key).digest(),
        server_key=hmac.digest(given.salted_password, b"Server Key", name),
        iterations=given.iterations,
    )
    return record, 0


def _check_mechanism(mechanism: int) -> None:
    if mechanism not in HASHES:
        raise refuse(ErrorCode.UNSUPPORTED_SASL_MECHANISM, "Unknown SCRAM mechanism")


def describe_user_scram_credentials(
    image: MetadataImage, request: DescribeUserScramCredentialsRequest
) -> DescribeUserScramCredentialsResponse:
    """Mechanisms and iterations of users, of all when none is named; never their secrets."""
    found: dict[str, list[CredentialInfo]] = {}
    for mechanism, user, _, _, _, iterations in image.scram():
        found.setdefault(user, []).append(CredentialInfo(mechanism, iterations))
    counts = Counter(user.name for user in request.users or ()) or Counter(found.keys())
    response = DescribeUserScramCredentialsResponse()
    for user, count in sorted(counts.items()):
        result = DescribeUserScramCredentialsResult(user=user)
        response.results.append(result)
        with error_of(result):
            if count > 1:
                raise refuse(
                    ErrorCode.DUPLICATE_RESOURCE,
                    f"Cannot describe SCRAM credentials for the same user twice in a single request: {user}",
                )
            if user not in found:
                raise refuse(
                    ErrorCode.RESOURCE_NOT_FOUND,
                    f"Attempt to describe a user credential that does not exist: {user}",
                )
            result.credential_infos = sorted(found[user], key=lambda info: info.mechanism)
    return response
