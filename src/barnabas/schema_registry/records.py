"""Records of `_schemas`, in the bytes that Confluent's registry and Karapace write.

Always true:
  of one key there is one text: the order of its JSON members is fixed, for compaction compares bytes
  what can't be read raises UnreadableRecord and nothing else
"""

from __future__ import annotations

import json
from types import NoneType
from typing import TYPE_CHECKING, Any, NamedTuple

from barnabas._core import flat_json
from barnabas.http.response import json_bytes

if TYPE_CHECKING:
    from barnabas.schema_registry.entries import Version

MAGIC = {"SCHEMA": 1}
"""Versions of keys; all others have 0."""
KEY_MEMBERS = ("keytype", "subject", "version", "tenant", "context", "magic")
"""Members of keys, in their order."""
ASSOCIATION_MEMBERS = ("resourceName", "resourceNamespace", "resourceType", "associationType")
"""Members of keys of associations, in their order; the subject is behind them."""
ID_MAX = "maxId"
"""Member of a CLEAR_SUBJECT's value that only barnabas writes; others read over it."""


_read_json = json.JSONDecoder().decode
_TEXT_OR_NONE = (str, NoneType)


class UnreadableRecord(Exception):
    """The bytes are no record of a schema registry; the message says why."""


class AssociationPlace(NamedTuple):
    """What the key of an association says besides its subject."""

    resource_name: str
    resource_namespace: str
    resource_type: str
    association_type: str


class Key(NamedTuple):
    """What a record is about. Members that its type does not have are None."""

    keytype: str
    subject: str | None = None
    version: int | None = None
    context: str | None = None
    association: AssociationPlace | None = None


class Record(NamedTuple):
    """A record. A value of None deletes."""

    key: Key
    value: dict[str, Any] | None
    version: Version | None = None
    """The version that the value tells of, where it need not be read in it."""


def schema_record(value: dict[str, Any], version: Version | None = None) -> Record:
    """A schema under a version of a subject."""
    return Record(Key("SCHEMA", value["subject"], value["version"]), value, version)


def schema_tombstone(subject: str, version: int) -> Record:
    """Takes a version away for good."""
    return Record(Key("SCHEMA", subject, version), None)


def config_record(subject: str | None, value: dict[str, Any] | None) -> Record:
    """The config of a subject, of a context, or (None) of all."""
    if value is not None and subject is not None:
        value = {"subject": subject, **value}
    return Record(Key("CONFIG", subject), value)


def mode_record(subject: str | None, mode: str | None) -> Record:
    """The mode of a subject, of a context, or (None) of all."""
    if mode is None:
        return Record(Key("MODE", subject), None)
    return Record(
        Key("MODE", subject), {"mode": mode} if subject is None else {"subject": subject, "mode": mode}
    )


def delete_subject_record(subject: str, version: int) -> Record:
    """Marks all versions of a subject up to `version` as deleted."""
    return Record(Key("DELETE_SUBJECT", subject), {"subject": subject, "version": version})


def clear_subject_record(subject: str | None, id_max: int | None = None) -> Record:
    """Forgets what was deleted of a subject, of a context, or (None) of all; `id_max` is the largest id that
    the context has given out, so that it is still known when compaction has taken the records that had it."""
    value: dict[str, Any] = {} if subject is None else {"subject": subject}
    return Record(Key("CLEAR_SUBJECT", subject), value if id_max is None else {**value, ID_MAX: id_max})


def context_record(context: str, *, deleted: bool = False) -> Record:
    """That there is such a context."""
    value = None if deleted else {"tenant": "default", "context": context}
    return Record(Key("CONTEXT", context=context), value)


def noop_record() -> Record:
    """Says nothing: who has read it back has read all that was before it."""
    return Record(Key("NOOP"), None)


def encode(record: Record) -> tuple[bytes, bytes | None]:
    """Key and value as they are written."""
    key = record.key
    value = None if record.value is None else json_bytes(record.value)
    if key.association is not None:
        names = dict(zip(ASSOCIATION_MEMBERS, key.association, strict=True))
        place = {"keytype": key.keytype, "tenant": "default", **names, "subject": key.subject, "magic": 0}
        return json_bytes(place), value
    members = {
        "keytype": key.keytype,
        "subject": key.subject,
        "version": key.version,
        "tenant": None if key.context is None else "default",
        "context": key.context,
        "magic": MAGIC.get(key.keytype, 0),
    }
    written = {name: members[name] for name in KEY_MEMBERS if members[name] is not None}
    return json_bytes(written), value


def decode(key: bytes | None, value: bytes | None) -> Record:
    """The record of a key and a value."""
    members = _object(key, "key")
    keytype = members.get("keytype")
    if not isinstance(keytype, str):
        raise UnreadableRecord("the key has no keytype")
    subject, version, context = members.get("subject"), members.get("version"), members.get("context")
    if not isinstance(subject, _TEXT_OR_NONE) or not isinstance(context, _TEXT_OR_NONE):
        raise UnreadableRecord("subject or context of the key is no text")
    if version is not None and (not isinstance(version, int) or isinstance(version, bool)):
        raise UnreadableRecord("version of the key is no number")
    if keytype == "SCHEMA" and (subject is None or version is None):
        raise UnreadableRecord("the key of a schema lacks its subject or version")
    place = None
    if keytype == "ASSOC":
        names = [members.get(name) for name in ASSOCIATION_MEMBERS]
        if not all(isinstance(name, str) for name in names):
            raise UnreadableRecord("the key of an association lacks a name")
        place = AssociationPlace(*map(str, names))
    key_ = Key(keytype, subject, version, context, place)
    return Record(key_, _object(value, "value") if value else None)


def _object(data: bytes | None, what: str) -> dict[str, Any]:
    if data is None:
        raise UnreadableRecord(f"there is no {what}")
    # Most are plain, and there are many of them to read at a start.
    plain = flat_json(data)
    if plain is not None:
        return plain
    try:
        # Without a look at which encoding it might have.
        read = _read_json(data.decode())
    except (ValueError, RecursionError) as error:
        raise UnreadableRecord(f"the {what} is no JSON: {error}") from error
    if not isinstance(read, dict):
        raise UnreadableRecord(f"the {what} is no JSON object")
    return read
