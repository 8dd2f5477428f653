"""Client quotas and SCRAM credentials as they are stored."""

import hashlib
import hmac

import pytest

from barnabas import errors
from barnabas.controller import quotas, scram
from barnabas.protocol import ErrorCode
from barnabas.protocol.generated import alter_client_quotas_request as alter
from barnabas.protocol.generated import alter_user_scram_credentials_request as credentials
from barnabas.protocol.generated.client_quota_record import ClientQuotaRecord, EntityData
from barnabas.protocol.generated.describe_client_quotas_request import (
    ComponentData,
    DescribeClientQuotasRequest,
)
from barnabas.protocol.generated.describe_user_scram_credentials_request import (
    DescribeUserScramCredentialsRequest,
    UserName,
)
from barnabas.protocol.generated.user_scram_credential_record import UserScramCredentialRecord
from tests.support.cluster import Cluster

Entity = dict[str, str | None]
PRODUCE, CONSUME = "producer_byte_rate", "consumer_byte_rate"


def entry(entity: Entity, key: str, value: float, *, remove: bool = False) -> alter.EntryData:
    parts = [alter.EntityData(kind, name) for kind, name in entity.items()]
    return alter.EntryData(parts, [alter.OpData(key, value, remove)])


def codes(cluster: Cluster, *entries: alter.EntryData) -> list[ErrorCode]:
    request = alter.AlterClientQuotasRequest(entries)
    response = cluster.apply(quotas.alter_client_quotas(cluster.state, request))
    return [ErrorCode(result.error_code) for result in response.entries]


def test_a_quota_is_one_record() -> None:
    cluster = Cluster(1)
    request = alter.AlterClientQuotasRequest([entry({"user": "u", "client-id": None}, PRODUCE, 1024.0)])
    entity = [EntityData("client-id", None), EntityData("user", "u")]
    assert quotas.alter_client_quotas(cluster.state, request).records == [
        (ClientQuotaRecord(entity=entity, key=PRODUCE, value=1024.0), 0)
    ]


def test_quotas_are_set_and_removed_and_nothing_is_written_twice() -> None:
    cluster = Cluster(1)
    assert codes(cluster, entry({"user": "u"}, PRODUCE, 10.0)) == [ErrorCode.NONE]
    offset = cluster.image.offset
    assert codes(cluster, entry({"user": "u"}, PRODUCE, 10.0)) == [ErrorCode.NONE]
    assert codes(cluster, entry({"user": "u"}, CONSUME, 0.0, remove=True)) == [ErrorCode.NONE]
    assert cluster.image.offset == offset
    assert codes(cluster, entry({"user": "u"}, PRODUCE, 0.0, remove=True)) == [ErrorCode.NONE]
    assert cluster.image.quotas() == []


@pytest.mark.parametrize(
    ("entity", "key", "value"),
    [
        ({}, PRODUCE, 1.0),
        ({"user": ""}, PRODUCE, 1.0),
        ({"planet": "u"}, PRODUCE, 1.0),
        ({"user": "u", "ip": "1.2.3.4"}, "connection_creation_rate", 1.0),
        ({"ip": "not an ip"}, "connection_creation_rate", 1.0),
        ({"ip": "1.2.3.4"}, PRODUCE, 1.0),
        ({"user": "u"}, "no_such_quota", 1.0),
        ({"user": "u"}, PRODUCE, -1.0),
        ({"user": "u"}, PRODUCE, 0.0),
        ({"user": "u"}, PRODUCE, 1.5),
        ({"user": "u"}, PRODUCE, float("inf")),
        ({"user": "u"}, PRODUCE, float("nan")),
    ],
)
def test_quotas_that_cannot_be_are_refused(entity: Entity, key: str, value: float) -> None:
    assert codes(Cluster(1), entry(entity, key, value)) == [ErrorCode.INVALID_REQUEST]


def test_an_entity_named_twice_is_answered_once() -> None:
    twice = entry({"user": "u"}, PRODUCE, 1.0), entry({"user": "u"}, CONSUME, 1.0)
    good = entry({"ip": None}, "connection_creation_rate", 5.0)
    assert codes(Cluster(1), *twice, good) == [ErrorCode.INVALID_REQUEST, ErrorCode.NONE]


def described(cluster: Cluster, *parts: tuple[str, int, str | None], strict: bool = False) -> list[Entity]:
    request = DescribeClientQuotasRequest([ComponentData(*part) for part in parts], strict)
    response = quotas.describe_client_quotas(cluster.image, request)
    found = [{part.entity_type: part.entity_name for part in item.entity} for item in response.entries or ()]
    return sorted(found, key=repr)


def test_filters_let_through_what_they_name() -> None:
    cluster = Cluster(1)
    user: Entity = {"user": "u"}
    default: Entity = {"user": None}
    pair: Entity = {"client-id": "c", "user": "u"}
    for entity in (user, default, pair):
        codes(cluster, entry(entity, PRODUCE, 1.0))
    assert len(described(cluster)) == 3
    assert described(cluster, ("user", quotas.EXACT, "u")) == sorted([user, pair], key=repr)
    assert described(cluster, ("user", quotas.EXACT, "u"), strict=True) == [user]
    assert described(cluster, ("user", quotas.DEFAULT, None)) == [default]
    assert len(described(cluster, ("user", quotas.ANY, None))) == 3
    assert described(cluster, strict=True) == []


@pytest.mark.parametrize(
    "parts",
    [
        [("", 0, "x")],
        [("user", 9, "u")],
        [("user", 0, None)],
        [("user", 1, "u")],
        [("user", 0, "u"), ("user", 0, "v")],
        [("ip", 0, "1.1.1.1"), ("user", 0, "u")],
    ],
)
def test_filters_that_make_no_sense_are_refused(parts: list[tuple[str, int, str | None]]) -> None:
    with pytest.raises(errors.InvalidRequest):
        described(Cluster(1), *parts)


def test_unknown_types_of_entities_are_not_supported() -> None:
    with pytest.raises(errors.UnsupportedVersion):
        described(Cluster(1), ("planet", 0, "x"))


# ---- SCRAM ------------------------------------------------------------------------------------------------


def upsertion(name: str, mechanism: int = 1, iterations: int = 4096, password: bytes = b"p" * 32) -> object:
    return credentials.ScramCredentialUpsertion(name, mechanism, iterations, b"salt", password)


def changed(cluster: Cluster, *changes: object) -> dict[str, ErrorCode]:
    request = credentials.AlterUserScramCredentialsRequest(
        deletions=[item for item in changes if isinstance(item, credentials.ScramCredentialDeletion)],
        upsertions=[item for item in changes if isinstance(item, credentials.ScramCredentialUpsertion)],
    )
    response = cluster.apply(scram.alter_user_scram_credentials(cluster.state, request))
    return {result.user: ErrorCode(result.error_code) for result in response.results}


def test_passwords_are_stored_as_keys() -> None:
    cluster = Cluster(1)
    request = credentials.AlterUserScramCredentialsRequest(
        upsertions=[credentials.ScramCredentialUpsertion("a", 1, 4096, b"salt", b"p" * 32)]
    )
    ((record, version),) = scram.alter_user_scram_credentials(cluster.state, request).records
    assert version == 0
    assert isinstance(record, UserScramCredentialRecord)
    client_key = hmac.new(b"p" * 32, b"Client Key", hashlib.sha256).digest()
    assert record.stored_key == hashlib.sha256(client_key).digest()
    assert record.server_key == hmac.new(b"p" * 32, b"Server Key", hashlib.sha256).digest()


def test_credentials_that_cannot_be_are_refused() -> None:
    deletion = credentials.ScramCredentialDeletion
    assert changed(
        Cluster(1),
        upsertion("good"),
        upsertion("few", iterations=4095),
        upsertion("many", iterations=16385),
        upsertion("odd", mechanism=3),
        upsertion(""),
        upsertion("bare", password=b""),
        upsertion("both"),
        deletion("both", 1),
        deletion("none", 1),
        deletion("odd2", 5),
    ) == {
        "good": ErrorCode.NONE,
        "few": ErrorCode.UNACCEPTABLE_CREDENTIAL,
        "many": ErrorCode.UNACCEPTABLE_CREDENTIAL,
        "odd": ErrorCode.UNSUPPORTED_SASL_MECHANISM,
        "": ErrorCode.UNACCEPTABLE_CREDENTIAL,
        "bare": ErrorCode.UNACCEPTABLE_CREDENTIAL,
        "both": ErrorCode.DUPLICATE_RESOURCE,
        "none": ErrorCode.RESOURCE_NOT_FOUND,
        "odd2": ErrorCode.UNSUPPORTED_SASL_MECHANISM,
    }


def test_credentials_are_described_without_secrets() -> None:
    cluster = Cluster(1)
    changed(cluster, upsertion("a"), upsertion("a", mechanism=2, iterations=8192), upsertion("b"))

    def shown(*users: str) -> dict[str, tuple[ErrorCode, list[tuple[int, int]]]]:
        request = DescribeUserScramCredentialsRequest([UserName(user) for user in users])
        response = scram.describe_user_scram_credentials(cluster.image, request)
        return {
            result.user: (
                ErrorCode(result.error_code),
                [(info.mechanism, info.iterations) for info in result.credential_infos],
            )
            for result in response.results
        }

    assert shown() == {
        "a": (ErrorCode.NONE, [(1, 4096), (2, 8192)]),
        "b": (ErrorCode.NONE, [(1, 4096)]),
    }
    assert shown("b", "b", "nope") == {
        "b": (ErrorCode.DUPLICATE_RESOURCE, []),
        "nope": (ErrorCode.RESOURCE_NOT_FOUND, []),
    }
    changed(cluster, credentials.ScramCredentialDeletion("b", 1))
    assert list(shown()) == ["a"]
