"""Keys: their records, what may be done with them, and the local store."""

from __future__ import annotations

from base64 import b64decode
from dataclasses import replace
from typing import Any

import pytest

from barnabas.http.errors import HttpError
from barnabas.schema_registry.decision import Decision
from barnabas.schema_registry.keys import entries, keyring
from barnabas.schema_registry.keys.entries import Dek, Kek, KeyRecord
from barnabas.schema_registry.keys.keyring import Keyring
from barnabas.schema_registry.keys.local_store import LocalStore, generated
from barnabas.schema_registry.records import UnreadableRecord

KEK = Kek("kek-1", "local-kms", "id", {"b": "2", "a": "1"}, "what for", True)
DEK = Dek("kek-1", "orders-value", "AES256_GCM", 1, "c2VhbGVk")


def written(keys: Keyring, decision: Decision[Any]) -> None:
    for record in decision.records:
        keys.replay(entries.decode(*entries.encode(record)), 5)


def code_of(decide: Any, *arguments: Any, **keywords: Any) -> int:
    with pytest.raises(HttpError) as error:
        decide(*arguments, **keywords)
    return error.value.code


def test_records_have_the_members_of_other_registries_in_their_order() -> None:
    assert entries.encode(KeyRecord(KEK.place, KEK.value())) == (
        b'{"tenant":"default","name":"kek-1","type":"KEK"}',
        b'{"name":"kek-1","kmsType":"local-kms","kmsKeyId":"id","kmsProps":{"a":"1","b":"2"},'
        b'"doc":"what for","shared":true,"deleted":false,"type":"KEK"}',
    )
    assert entries.encode(KeyRecord(DEK.place, DEK.value())) == (
        b'{"tenant":"default","kekName":"kek-1","subject":"orders-value","algorithm":"AES256_GCM","version":1,'
        b'"type":"DEK"}',
        b'{"kekName":"kek-1","subject":"orders-value","algorithm":"AES256_GCM","version":1,'
        b'"encryptedKeyMaterial":"c2VhbGVk","deleted":false,"type":"DEK"}',
    )


@pytest.mark.parametrize("key", [None, b"", b"[]", b'{"type":"KEK"}', b'{"type":"DEK","kekName":"k"}'])
def test_what_is_no_record_is_refused(key: bytes | None) -> None:
    with pytest.raises(UnreadableRecord):
        entries.decode(key, None)
    keys = Keyring()
    with pytest.raises(UnreadableRecord):
        keys.replay(KeyRecord(KEK.place, {"kmsType": 1}))
    assert not keys.keks


def test_keys_are_deleted_softly_and_then_for_good_and_a_kek_after_its_deks() -> None:
    keys = Keyring()
    written(keys, keyring.create_kek(keys, KEK))
    written(keys, keyring.create_dek(keys, DEK, rewrap=False))
    assert code_of(keyring.create_kek, keys, KEK) == 40971
    assert code_of(keyring.create_dek, keys, replace(DEK, encrypted="b3RoZXI="), rewrap=False) == 40971
    assert code_of(keyring.delete_kek, keys, "kek-1", permanent=False) == 42272
    deks = keys.versions("kek-1", "orders-value", "AES256_GCM")
    assert code_of(keyring.delete_deks, deks, "orders-value", permanent=True) == 40471
    written(keys, keyring.delete_deks(deks, "orders-value", permanent=False))
    assert keys.deks("kek-1") == []
    written(keys, keyring.delete_kek(keys, "kek-1", permanent=False))
    assert code_of(keys.kek, "kek-1") == 40470
    deleted = keys.deks("kek-1", deleted=True)
    assert code_of(keyring.undelete_deks, keys, "kek-1", deleted, "orders-value") == 40472
    # To create what is deleted undeletes it.
    written(keys, keyring.create_kek(keys, KEK))
    written(keys, keyring.undelete_deks(keys, "kek-1", deleted, "orders-value"))
    assert keys.deks("kek-1") == [replace(DEK, timestamp=5)]
    for permanent in (False, True):
        deks = keys.deks("kek-1", deleted=True)
        written(keys, keyring.delete_deks(deks, "orders-value", permanent=permanent))
        written(keys, keyring.delete_kek(keys, "kek-1", permanent=permanent))
    assert not keys.copy().keks
    assert keys.deks("kek-1", deleted=True) == []


def test_a_kek_changes_in_what_may_change() -> None:
    keys = Keyring()
    written(keys, keyring.create_kek(keys, KEK))
    assert keyring.update_kek(keys, "kek-1", {"shared": True}).records == []
    written(keys, keyring.update_kek(keys, "kek-1", {"doc": None, "shared": False}))
    assert keys.kek("kek-1").told() == {
        "name": "kek-1",
        "kmsType": "local-kms",
        "kmsKeyId": "id",
        "kmsProps": {"a": "1", "b": "2"},
        "shared": False,
        "ts": 5,
    }


def test_the_local_store_opens_what_it_and_earlier_secrets_have_sealed() -> None:
    key = generated("AES256_GCM")
    assert (key[:2], len(key)) == (b"\x1a\x20", 34)  # Tink's AesGcmKey: the key is its third field.
    old, new = (
        LocalStore({"LOCAL_SECRET": "old"}),
        LocalStore({"LOCAL_SECRET": "new", "LOCAL_OLD_SECRETS": "x,old"}),
    )
    assert b64decode(new.decrypt(old.encrypt(key))) == key
    assert code_of(old.decrypt, new.encrypt(key)) == 50070
    assert code_of(old.decrypt, "AAAA") == 50070
    assert code_of(old.decrypt, "no Base64") == 50070
    assert code_of(LocalStore, {}) == 50070
