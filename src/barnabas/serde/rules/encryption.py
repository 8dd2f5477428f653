"""Rules that encrypt fields (ENCRYPT) or all bytes (ENCRYPT_PAYLOAD), with keys of the DEK registry.

A text becomes Base64 of what is encrypted, bytes become bytes. Where keys expire (`encrypt.dek.expiry.days`),
a zero byte and the number of the key stand before it. So Confluent's clients have it.
"""

from __future__ import annotations

import os
import threading
import time
from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple
from urllib.parse import quote
from weakref import WeakKeyDictionary

from barnabas.serde.registry import RegistryError, SchemaRegistry
from barnabas.serde.rules.local_keys import KEY_BYTES, TYPE, DataCipher, LocalKeys, generated
from barnabas.serde.rules.running import Change, Executor, FieldExecutor, FieldOf, RuleError, Run

KEK_NAME = "encrypt.kek.name"
KMS_TYPE = "encrypt.kms.type"
KMS_KEY_ID = "encrypt.kms.key.id"
ALGORITHM = "encrypt.dek.algorithm"
EXPIRY_DAYS = "encrypt.dek.expiry.days"
KEYS_MAX = 1_000
"""Keys of data that are remembered of each registry."""
_DAY_MS = 86_400_000
_LATEST = -1


class _Wanted(NamedTuple):
    """Which key a rule is about. `version` is -1 for the latest, where keys expire."""

    kek: str
    subject: str
    algorithm: str
    version: int


class _Key(NamedTuple):
    cipher: DataCipher
    version: int
    made_ms: int


class Keys:
    """Keys of data, those of this process kept. Safe to use from several threads."""

    def __init__(
        self, environment: Mapping[str, str] | None = None, clock: Callable[[], float] = time.time
    ) -> None:
        """`environment` has the secret of the local key store; `clock` gives seconds since the Unix epoch."""
        self._environment = os.environ if environment is None else environment
        self._clock = clock
        self._lock = threading.Lock()
        # By what they are asked of: a registry that is gone takes its keys along.
        self._registries: WeakKeyDictionary[SchemaRegistry, dict[_Wanted, _Key]] = WeakKeyDictionary()

    def writing(self, run: Run) -> tuple[DataCipher, bytes]:
        """What a value is encrypted with, made if there is none yet, and what is to stand before it."""
        days = _days(run)
        wanted = _Wanted(_kek_name(run), run.subject, _algorithm(run), _LATEST if days else 1)
        with self._lock:
            key = self._known(run, wanted)
            if key is None or (days and self._clock() * 1000 - key.made_ms > days * _DAY_MS):
                key = self._made(run, wanted, 1 if key is None else key.version + 1)
                self._keep(run, wanted, key)
        return key.cipher, b"\0" + key.version.to_bytes(4, "big") if days else b""

    def reading(self, run: Run, data: bytes) -> tuple[DataCipher, bytes]:
        """What a value is decrypted with, and the part that is encrypted."""
        version = 1
        if _days(run):
            if len(data) < 5:
                raise RuleError(f"rule '{run.rule.name}': {len(data)} bytes have no number of their key")
            version, data = int.from_bytes(data[1:5], "big"), data[5:]
        wanted = _Wanted(_kek_name(run), run.subject, _algorithm(run), version)
        with self._lock:
            key = self._known(run, wanted)
        if key is None:
            raise RuleError(
                f"there is no data key {wanted.kek} of subject {wanted.subject}, version {version}"
            )
        return key.cipher, data

    def _known(self, run: Run, wanted: _Wanted) -> _Key | None:
        key = self._registries.get(run.registry, {}).get(wanted)
        if key is None:
            told = _told(
                run.registry, "GET", _dek_path(wanted, with_version=True, deleted=run.mode == "READ")
            )
            if told is None:
                return None
            key = self._key(run, wanted, told)
            self._keep(run, wanted, key)
        return key

    def _keep(self, run: Run, wanted: _Wanted, key: _Key) -> None:
        keys = self._registries.setdefault(run.registry, {})
        if len(keys) >= KEYS_MAX:
            keys.clear()
        keys[wanted] = key

    def _made(self, run: Run, wanted: _Wanted, version: int) -> _Key:
        kek = self._kek(run, wanted.kek)
        body: dict[str, Any] = {"subject": wanted.subject, "version": version, "algorithm": wanted.algorithm}
        if not kek.get("shared"):
            key = self._store(kek).encrypt(generated(wanted.algorithm))
            body["encryptedKeyMaterial"] = b64encode(key).decode()
        told = _told(run.registry, "POST", _dek_path(wanted, with_version=False), body)
        if told is None:  # somebody else was first
            told = _told(run.registry, "GET", _dek_path(wanted, with_version=True))
        if told is None:
            raise RuleError(f"there is no data key {wanted.kek} of subject {wanted.subject}")
        return self._key(run, wanted, told)

    def _key(self, run: Run, wanted: _Wanted, told: Mapping[str, Any]) -> _Key:
        if told.get("keyMaterial"):
            material = b64decode(told["keyMaterial"])
        else:
            material = self._store(self._kek(run, wanted.kek)).decrypt(
                b64decode(told["encryptedKeyMaterial"])
            )
        return _Key(DataCipher(wanted.algorithm, material), told.get("version") or 1, told.get("ts") or 0)

    def _kek(self, run: Run, name: str) -> Mapping[str, Any]:
        """The key that encrypts keys; registered if the rule says where it is."""
        kind, key_id = run.parameter(KMS_TYPE), run.parameter(KMS_KEY_ID)
        path = f"/dek-registry/v1/keks/{quote(name, safe='')}"
        kek: Mapping[str, Any] | None = _told(run.registry, "GET", path)
        if kek is None and run.mode == "WRITE" and kind and key_id:
            body = {"name": name, "kmsType": kind, "kmsKeyId": key_id, "shared": False}
            kek = _told(run.registry, "POST", "/dek-registry/v1/keks", body) or _told(
                run.registry, "GET", path
            )
        if kek is None:
            raise RuleError(f"there is no key {name}, nor {KMS_TYPE} and {KMS_KEY_ID} to register it with")
        for given, member in ((kind, "kmsType"), (key_id, "kmsKeyId")):
            if given and kek.get(member) != given:
                raise RuleError(f"{member} of key {name} is {kek.get(member)}, not {given} as the rule says")
        return kek

    def _store(self, kek: Mapping[str, Any]) -> LocalKeys:
        if kek.get("kmsType") != TYPE:
            raise RuleError(
                f"key {kek.get('name')} is in a store of type {kek.get('kmsType')}: only {TYPE} can be used, "
                "and keys that are shared with the registry"
            )
        return LocalKeys(self._environment)


class Encrypt(FieldExecutor):
    """Each field that has a tag of the rule."""

    type = "ENCRYPT"

    def __init__(self, keys: Keys) -> None:
        self._keys = keys

    def change(self, run: Run) -> Change:
        def change(field: FieldOf, value: Any) -> Any:
            if value is None:
                return None
            if field.type not in ("STRING", "BYTES"):
                if run.mode == "WRITE":
                    raise RuleError(f"rule '{run.rule.name}': {field.path} is {field.type}, no text or bytes")
                return value
            if run.mode == "WRITE":
                data = value.encode() if field.type == "STRING" else bytes(value)
                sealed = encrypted(self._keys, run, data)
                return b64encode(sealed).decode() if field.type == "STRING" else sealed
            data = b64decode(value, validate=True) if field.type == "STRING" else bytes(value)
            opened = decrypted(self._keys, run, data)
            return opened.decode() if field.type == "STRING" else opened

        return change


class EncryptPayload(Executor):
    """All bytes of a value, as an encoding rule."""

    type = "ENCRYPT_PAYLOAD"

    def __init__(self, keys: Keys) -> None:
        self._keys = keys

    def run(self, run: Run, value: Any) -> Any:
        return (encrypted if run.mode == "WRITE" else decrypted)(self._keys, run, value)


def encrypted(keys: Keys, run: Run, data: bytes) -> bytes:
    """The data, encrypted with the key of a rule."""
    cipher, before = keys.writing(run)
    return before + cipher.encrypt(data)


def decrypted(keys: Keys, run: Run, data: bytes) -> bytes:
    """What was encrypted with the key of a rule. Raises RuleError."""
    cipher, sealed = keys.reading(run, data)
    return cipher.decrypt(sealed)


def _kek_name(run: Run) -> str:
    name = run.parameter(KEK_NAME)
    if not name:
        raise RuleError(f"rule '{run.rule.name}' lacks its parameter {KEK_NAME}")
    return name


def _algorithm(run: Run) -> str:
    algorithm = run.parameter(ALGORITHM) or "AES256_GCM"
    if algorithm not in KEY_BYTES:
        raise RuleError(f"{ALGORITHM} of rule '{run.rule.name}' must be one of {', '.join(KEY_BYTES)}")
    return algorithm


def _days(run: Run) -> int:
    text = run.parameter(EXPIRY_DAYS) or "0"
    if not text.isdigit():
        raise RuleError(f"{EXPIRY_DAYS} of rule '{run.rule.name}' must be a number of days, not {text}")
    return int(text)


def _dek_path(wanted: _Wanted, *, with_version: bool, deleted: bool = False) -> str:
    path = f"/dek-registry/v1/keks/{quote(wanted.kek, safe='')}/deks"
    if not with_version:
        return path
    query = f"?algorithm={wanted.algorithm}&deleted={str(deleted).lower()}"
    return f"{path}/{quote(wanted.subject, safe='')}/versions/{wanted.version}{query}"


def _told(registry: SchemaRegistry, method: str, path: str, body: Any = None) -> Any:
    """What the registry answers; None where there is no such key (404), or one already (409)."""
    try:
        return registry.ask(method, path, body)
    except RegistryError as error:
        if error.status == (404 if method == "GET" else 409):
            return None
        raise
