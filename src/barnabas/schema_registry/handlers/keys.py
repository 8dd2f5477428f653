"""The DEK registry: keys for the encryption of fields."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, TypeVar

from barnabas.errors import BarnabasError
from barnabas.http.errors import HttpError
from barnabas.http.request import Request
from barnabas.http.response import Response
from barnabas.http.routes import Routes
from barnabas.http.serving import Handler
from barnabas.schema_registry import errors, topic
from barnabas.schema_registry.decision import Decision
from barnabas.schema_registry.handlers.reading import answer, page, version_number
from barnabas.schema_registry.keys import entries, keyring
from barnabas.schema_registry.keys.entries import ALGORITHM, ALGORITHMS, Dek, DekPlace, Kek
from barnabas.schema_registry.keys.keyring import Keyring, invalid, not_found
from barnabas.schema_registry.keys.local_store import TYPE, LocalStore, failed, generated
from barnabas.schema_registry.registry import Registry
from barnabas.schema_registry.replica import Records, Replica

T = TypeVar("T")

ALL = "/dek-registry/v1/keks"
ONE = f"{ALL}/{{name}}"
DEKS = f"{ONE}/deks/{{subject}}"
VERSION = f"{DEKS}/versions/{{version}}"
KEYS_MAX = 1_000
"""Names or versions of one response."""
NAME_CHARACTERS_MAX = 256


class Keys:
    """The operations under `/dek-registry`. Their topic is made, and read, with the first request."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._opened: asyncio.Task[Replica[Keyring]] | None = None

    def add_to(self, routes: Routes[Handler]) -> None:
        """Adds the operations."""
        routes.add("GET", ALL, self.names)
        routes.add("POST", ALL, self.create)
        routes.add("GET", ONE, self.kek)
        routes.add("PUT", ONE, self.update)
        routes.add("DELETE", ONE, self.delete)
        routes.add("POST", f"{ONE}/test", self.test)
        routes.add("POST", f"{ONE}/undelete", self.undelete)
        routes.add("GET", f"{ONE}/deks", self.subjects)
        routes.add("POST", f"{ONE}/deks", self.create_dek)
        routes.add("GET", DEKS, self.dek)
        routes.add("POST", DEKS, self.create_dek)
        routes.add("DELETE", DEKS, self.delete_deks)
        routes.add("POST", f"{DEKS}/undelete", self.undelete_deks)
        routes.add("GET", f"{DEKS}/versions", self.versions)
        routes.add("GET", VERSION, self.dek)
        routes.add("DELETE", VERSION, self.delete_deks)
        routes.add("POST", f"{VERSION}/undelete", self.undelete_deks)

    async def close(self) -> None:
        """Ends it, if it was asked for anything."""
        if self._opened is not None and self._opened.done() and self._opened.exception() is None:
            self._opened.result().close()

    # ---- KEKs

    async def names(self, request: Request) -> Response:
        """The names of KEKs; with `subjectPrefix`, of those that have data keys of such subjects."""
        keys, deleted = await self._keys(), request.flag("deleted")
        names = sorted(name for name, kek in keys.keks.items() if deleted or not kek.deleted)
        if prefixes := tuple(each for each in request.query.get("subjectPrefix", ()) if each):
            names = [
                name
                for name in sorted(keys.keks)
                if any(dek.subject.startswith(prefixes) for dek in keys.deks(name, deleted=deleted))
            ]
        return answer(page(request, names, KEYS_MAX))

    async def kek(self, request: Request) -> Response:
        """A KEK."""
        keys = await self._keys()
        return answer(keys.kek(_name(request), deleted=request.flag("deleted")).told())

    async def create(self, request: Request) -> Response:
        """Takes a KEK in."""
        kek = _kek_of(request.json_object())
        if kek.shared and request.flag("testSharing"):
            self._try(kek)
        await self._write(lambda keys: keyring.create_kek(keys, kek))
        return answer((await self._keys()).kek(kek.name, deleted=True).told())

    async def update(self, request: Request) -> Response:
        """Changes a KEK: its properties, its text, whether the registry may use it."""
        name, changes = _name(request), _changes_of(request.json_object())
        if request.flag("testSharing") and changes.get("shared"):
            self._try(replace((await self._keys()).kek(name), **changes))
        await self._write(lambda keys: keyring.update_kek(keys, name, changes))
        return answer((await self._keys()).kek(name, deleted=True).told())

    async def test(self, request: Request) -> Response:
        """Whether the registry can use a KEK that is shared with it."""
        kek = (await self._keys()).kek(_name(request))
        if not kek.shared:
            raise invalid("shared")
        self._try(kek)
        return answer(kek.told())

    async def delete(self, request: Request) -> Response:
        """Deletes a KEK."""
        name, permanent = _name(request), request.flag("permanent")
        await self._write(lambda keys: keyring.delete_kek(keys, name, permanent=permanent))
        return Response(204)

    async def undelete(self, request: Request) -> Response:
        """Takes the deletion of a KEK back."""
        name = _name(request)
        await self._write(lambda keys: keyring.undelete_kek(keys, name))
        return Response(204)

    # ---- DEKs

    async def subjects(self, request: Request) -> Response:
        """The subjects that a KEK has data keys of."""
        keys, name, deleted = await self._keys(), _name(request), request.flag("deleted")
        keys.kek(name, deleted=deleted)
        found = dict.fromkeys(dek.subject for dek in keys.deks(name, deleted=deleted))
        return answer(page(request, found, KEYS_MAX))

    async def versions(self, request: Request) -> Response:
        """The numbers of a subject's data keys."""
        keys, deleted = await self._keys(), request.flag("deleted")
        keys.kek(_name(request), deleted=deleted)
        found = keys.versions(*_place(request), deleted=deleted)
        return answer(page(request, [dek.version for dek in found], KEYS_MAX))

    async def dek(self, request: Request) -> Response:
        """A data key: its first version, or the one in the path."""
        keys, deleted = await self._keys(), request.flag("deleted")
        kek = keys.kek(_name(request), deleted=deleted)
        found = _versions(keys, request, deleted=deleted, single=True)
        if not found:
            raise not_found(_subject(request))
        return answer(found[0].told(self._material(kek, found[0])))

    async def create_dek(self, request: Request) -> Response:
        """Takes a data key in; makes one, if the KEK is shared with the registry."""
        body, rewrap = request.json_object(), request.flag("rewrap")
        dek = _dek_of(_name(request), request.path.get("subject") or body.get("subject"), body)
        keys = await self._keys()
        kek = keys.kek(dek.kek, deleted=dek.deleted)
        known, material = keys.dek(dek.place), None
        if dek.encrypted is None and not kek.shared:
            raise invalid("encryptedKeyMaterial")
        if dek.encrypted is not None and kek.shared and known is not None:
            raise keyring.exists(dek.subject)
        if dek.encrypted is None:
            store = _store(kek)
            if known is not None and not rewrap:
                dek = replace(dek, encrypted=known.encrypted)
            elif known is not None and known.encrypted is not None:
                dek = replace(dek, encrypted=store.encrypt(_bytes(store.decrypt(known.encrypted))))
            else:
                dek = replace(dek, encrypted=store.encrypt(generated(dek.algorithm)))
        # What can't be opened is not taken in.
        material = self._material(kek, dek)
        await self._write(lambda keys: keyring.create_dek(keys, dek, rewrap=rewrap))
        written = (await self._keys()).dek(dek.place)
        return answer((written or dek).told(material))

    async def delete_deks(self, request: Request) -> Response:
        """Deletes the data keys of a subject, or one version."""
        permanent = request.flag("permanent")

        def decide(keys: Keyring) -> Decision[None]:
            keys.kek(_name(request), deleted=True)
            deks = _versions(keys, request, deleted=True)
            return keyring.delete_deks(deks, _subject(request), permanent=permanent)

        await self._write(decide)
        return Response(204)

    async def undelete_deks(self, request: Request) -> Response:
        """Takes deletions of data keys back."""

        def decide(keys: Keyring) -> Decision[None]:
            keys.kek(_name(request), deleted=True)
            deks = _versions(keys, request, deleted=True)
            return keyring.undelete_deks(keys, _name(request), deks, _subject(request))

        await self._write(decide)
        return Response(204)

    # ---- the topic and the store

    async def _keys(self) -> Keyring:
        return (await self._replica()).state

    async def _write(self, decide: Callable[[Keyring], Decision[T]]) -> T:
        return await (await self._replica()).write(decide)

    async def _replica(self) -> Replica[Keyring]:
        if self._opened is None or (self._opened.done() and self._opened.exception() is not None):
            self._opened = asyncio.get_running_loop().create_task(self._open())
        try:
            return await asyncio.shield(self._opened)
        except BarnabasError as error:
            raise errors.write_failed(error) from error

    async def _open(self) -> Replica[Keyring]:
        loop, configs = asyncio.get_running_loop(), self._registry.configs
        await loop.run_in_executor(None, topic.ensure, configs, entries.TOPIC)
        records = Records(entries.decode, entries.encode, entries.NOOP)
        replica = Replica(configs, entries.TOPIC, Keyring(), records)
        replica.leadership = self._registry.leadership
        await replica.start()
        return replica

    @staticmethod
    def _material(kek: Kek, dek: Dek) -> str | None:
        if not kek.shared or dek.encrypted is None:
            return None
        return _store(kek).decrypt(dek.encrypted)

    @staticmethod
    def _try(kek: Kek) -> None:
        store = _store(kek)
        store.decrypt(store.encrypt(generated(ALGORITHM)))


def _store(kek: Kek) -> LocalStore:
    """The store of a KEK. Raises HttpError where the registry can't reach it."""
    if kek.kms_type != TYPE:
        raise failed(f"keys of {kek.kms_type} can't be used by this registry; only {TYPE} can")
    return LocalStore(os.environ)


def _bytes(material: str) -> bytes:
    from base64 import b64decode

    return b64decode(material)


def _versions(keys: Keyring, request: Request, *, deleted: bool, single: bool = False) -> list[Dek]:
    """The data keys that the path names; a `single` one is the first, if it names no version."""
    text = request.path.get("version")
    if text is None and not single:
        return keys.versions(*_place(request), deleted=deleted)
    number = 1 if text is None else version_number(text)
    found = keys.versions(*_place(request), deleted=deleted)
    return found[-1:] if number is None else [dek for dek in found if dek.version == number]


def _place(request: Request) -> tuple[str, str, str]:
    algorithm = request.text("algorithm") or ALGORITHM
    if algorithm not in ALGORITHMS:
        raise HttpError(404, f"There is no algorithm {algorithm[:100]}")
    return _name(request), _subject(request), algorithm


def _name(request: Request) -> str:
    return _checked_name(request.path["name"])


def _checked_name(name: Any) -> str:
    if not isinstance(name, str) or not 0 < len(name) <= NAME_CHARACTERS_MAX:
        raise invalid("name")
    if not all(each.isalnum() or each in "_-" for each in name):
        raise invalid("name")
    return name


def _subject(request: Request) -> str:
    return _checked_subject(request.path["subject"])


def _checked_subject(subject: Any) -> str:
    if not isinstance(subject, str) or not subject or any(ord(each) < 32 for each in subject):
        raise invalid("subject")
    return subject


def _kek_of(body: Mapping[str, Any]) -> Kek:
    kind, id_ = body.get("kmsType"), body.get("kmsKeyId")
    if not isinstance(id_, str) or not id_:
        raise invalid("kmsKeyId")
    if not isinstance(kind, str) or not kind:
        raise invalid("kmsType")
    for known in ("aws-kms", "azure-kms", "gcp-kms"):
        if kind.lower().startswith(known.partition("-")[0]):
            kind = known
    name, deleted = _checked_name(body.get("name")), body.get("deleted") is True
    changes = {"kms_props": {}, "doc": None, "shared": False, **_changes_of(body)}
    return Kek(name, kind, id_, deleted=deleted, **changes)


def _changes_of(body: Mapping[str, Any]) -> dict[str, Any]:
    """What a request says of a KEK's changeable parts."""
    changes: dict[str, Any] = {}
    if "kmsProps" in body:
        props = changes["kms_props"] = body["kmsProps"] or {}
        if not isinstance(props, dict) or not all(isinstance(each, str) for each in props.values()):
            raise invalid("kmsProps")
    if "doc" in body:
        changes["doc"] = body["doc"]
        if not isinstance(body["doc"], str | None):
            raise invalid("doc")
    if body.get("shared") is not None:
        changes["shared"] = body["shared"]
        if not isinstance(body["shared"], bool):
            raise invalid("shared")
    return changes


def _dek_of(kek: str, subject: Any, body: Mapping[str, Any]) -> Dek:
    version, algorithm = body.get("version"), body.get("algorithm") or ALGORITHM
    encrypted = body.get("encryptedKeyMaterial")
    if version is None:
        version = 1
    if not isinstance(version, int) or isinstance(version, bool) or not 0 < version < 2**31:
        raise invalid("version")
    if algorithm not in ALGORITHMS:
        raise invalid("algorithm")
    if not isinstance(encrypted, str | None):
        raise invalid("encryptedKeyMaterial")
    place = DekPlace(kek, _checked_subject(subject), algorithm, version)
    return Dek(*place, encrypted or None, body.get("deleted") is True)
