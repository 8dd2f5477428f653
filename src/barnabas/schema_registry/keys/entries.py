"""Keys, and their records in `_dek_registry_keys`, in the bytes of Confluent's registry.

Always true:
  the material of a data key is in records encrypted only
  what can't be read raises UnreadableRecord and nothing else
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from barnabas.http.response import json_bytes
from barnabas.schema_registry.records import UnreadableRecord

TOPIC = "_dek_registry_keys"
TENANT = "default"
ALGORITHMS = ("AES128_GCM", "AES256_GCM", "AES256_SIV")
ALGORITHM = "AES256_GCM"
"""The algorithm of a data key that names none."""


class KekPlace(NamedTuple):
    """What the record of a KEK is found by."""

    name: str


class DekPlace(NamedTuple):
    """What the record of a DEK is found by."""

    kek: str
    subject: str
    algorithm: str
    version: int


Place = KekPlace | DekPlace


@dataclass(frozen=True, slots=True)
class Kek:
    """A key that encrypts keys. It stays in its key store (KMS)."""

    name: str
    kms_type: str
    kms_key_id: str
    kms_props: Mapping[str, str]
    doc: str | None
    shared: bool
    """Whether the registry may use it, to make and to open data keys."""
    deleted: bool = False
    timestamp: int | None = None

    @property
    def place(self) -> KekPlace:
        return KekPlace(self.name)

    def value(self) -> dict[str, Any]:
        """The value of its record."""
        members = {
            "name": self.name,
            "kmsType": self.kms_type,
            "kmsKeyId": self.kms_key_id,
            "kmsProps": dict(sorted(self.kms_props.items())),
            "doc": self.doc,
            "shared": self.shared,
            "deleted": self.deleted,
            "type": "KEK",
        }
        return {name: each for name, each in members.items() if each is not None}

    def told(self) -> dict[str, Any]:
        """As it stands in responses."""
        members = {name: each for name, each in self.value().items() if name not in ("type", "deleted")}
        if self.timestamp is not None:
            members["ts"] = self.timestamp
        return {**members, "deleted": True} if self.deleted else members


@dataclass(frozen=True, slots=True)
class Dek:
    """A key that encrypts data of a subject."""

    kek: str
    subject: str
    algorithm: str
    version: int
    encrypted: str | None
    """Its material, encrypted with the KEK, in Base64."""
    deleted: bool = False
    timestamp: int | None = None

    @property
    def place(self) -> DekPlace:
        return DekPlace(self.kek, self.subject, self.algorithm, self.version)

    def value(self) -> dict[str, Any]:
        """The value of its record."""
        members = {
            "kekName": self.kek,
            "subject": self.subject,
            "algorithm": self.algorithm,
            "version": self.version,
            "encryptedKeyMaterial": self.encrypted,
            "deleted": self.deleted,
            "type": "DEK",
        }
        return {name: each for name, each in members.items() if each is not None}

    def told(self, material: str | None = None) -> dict[str, Any]:
        """As it stands in responses; with the key itself, when the registry may open it."""
        members: dict[str, Any] = {
            "kekName": self.kek,
            "subject": self.subject,
            "version": self.version,
            "algorithm": self.algorithm,
            "encryptedKeyMaterial": self.encrypted,
            "keyMaterial": material,
            "ts": self.timestamp,
            "deleted": True if self.deleted else None,
        }
        return {name: each for name, each in members.items() if each is not None}


class KeyRecord(NamedTuple):
    """A record. A value of None deletes."""

    place: Place
    value: dict[str, Any] | None


NOOP = KeyRecord(KekPlace(".noop"), None)
"""Says nothing: there is no such key, and no key can have this name."""


def encode(record: KeyRecord) -> tuple[bytes, bytes | None]:
    """Key and value as they are written."""
    place = record.place
    key: dict[str, Any] = {"tenant": TENANT}
    if isinstance(place, KekPlace):
        key |= {"name": place.name, "type": "KEK"}
    else:
        key |= {
            "kekName": place.kek,
            "subject": place.subject,
            "algorithm": place.algorithm,
            "version": place.version,
            "type": "DEK",
        }
    return json_bytes(key), None if record.value is None else json_bytes(record.value)


def decode(key: bytes | None, value: bytes | None) -> KeyRecord:
    """The record of a key and a value."""
    members = _object(key)
    match members:
        case {"type": "KEK", "name": str(name)}:
            place: Place = KekPlace(name)
        case {
            "type": "DEK",
            "kekName": str(kek),
            "subject": str(subject),
            "algorithm": str(algorithm),
            "version": int(version),
        }:
            place = DekPlace(kek, subject, algorithm, version)
        case _:
            raise UnreadableRecord("the key is no place of a key")
    return KeyRecord(place, _object(value) if value else None)


def key_of(record: KeyRecord, timestamp: int | None) -> Kek | Dek:
    """The key that a record tells of. Raises UnreadableRecord."""
    place, value = record.place, record.value or {}
    match place, value:
        case KekPlace(name), {"kmsType": str(kind), "kmsKeyId": str(id_), "shared": bool(shared)}:
            props, doc = value.get("kmsProps") or {}, value.get("doc")
            if not isinstance(props, dict) or not isinstance(doc, str | None):
                raise UnreadableRecord("kmsProps or doc of a key is of a wrong type")
            return Kek(name, kind, id_, props, doc, shared, value.get("deleted") is True, timestamp)
        case DekPlace(), _:
            encrypted = value.get("encryptedKeyMaterial")
            if not isinstance(encrypted, str | None):
                raise UnreadableRecord("encryptedKeyMaterial of a key is no text")
            return Dek(*place, encrypted, value.get("deleted") is True, timestamp)
        case _:
            raise UnreadableRecord("the value of a key lacks something")


def _object(data: bytes | None) -> dict[str, Any]:
    try:
        read = json.loads(data or b"")
    except (ValueError, RecursionError) as error:
        raise UnreadableRecord(f"no JSON: {error}") from error
    if not isinstance(read, dict):
        raise UnreadableRecord("no JSON object")
    return read
