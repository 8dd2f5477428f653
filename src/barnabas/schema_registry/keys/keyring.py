"""All keys, and decisions on them.

Always true:
  a data key has its KEK: a KEK with data keys can't be deleted
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from barnabas.http.errors import HttpError
from barnabas.schema_registry.decision import Decision
from barnabas.schema_registry.keys.entries import Dek, DekPlace, Kek, KekPlace, KeyRecord, key_of


class Keyring:
    """Keys by their places, as records say them."""

    def __init__(self) -> None:
        self.keks: dict[str, Kek] = {}
        self._deks: dict[str, dict[DekPlace, Dek]] = {}

    def copy(self) -> Keyring:
        """Another that says the same."""
        copied = Keyring()
        copied.keks = dict(self.keks)
        copied._deks = {kek: dict(deks) for kek, deks in self._deks.items()}
        return copied

    def replay(self, record: KeyRecord, timestamp: int | None = None) -> None:
        """Takes a record in. Raises UnreadableRecord."""
        place = record.place
        if record.value is None:
            if isinstance(place, KekPlace):
                self.keks.pop(place.name, None)
            elif place in self._deks.get(place.kek, {}):
                del self._deks[place.kek][place]
            return
        key = key_of(record, timestamp)
        if isinstance(key, Kek):
            self.keks[key.name] = key
        else:
            self._deks.setdefault(key.kek, {})[key.place] = key

    def kek(self, name: str, *, deleted: bool = False) -> Kek:
        """A KEK. Raises HttpError."""
        found = self.keks.get(name)
        if found is None or (found.deleted and not deleted):
            raise not_found(name)
        return found

    def deks(self, kek: str, *, deleted: bool = False) -> list[Dek]:
        """The data keys of a KEK, by subject, algorithm and version."""
        found = self._deks.get(kek, {})
        return [found[place] for place in sorted(found) if deleted or not found[place].deleted]

    def versions(self, kek: str, subject: str, algorithm: str, *, deleted: bool = False) -> list[Dek]:
        """The data keys of a subject, oldest first."""
        found = self.deks(kek, deleted=deleted)
        return [dek for dek in found if (dek.subject, dek.algorithm) == (subject, algorithm)]

    def dek(self, place: DekPlace) -> Dek | None:
        """A data key, deleted or not."""
        return self._deks.get(place.kek, {}).get(place)


# ---- KEKs


def create_kek(keys: Keyring, kek: Kek) -> Decision[Kek]:
    """Takes a KEK in; or deletes or undeletes it, if it says that and nothing else new. Raises HttpError."""
    known = keys.keks.get(kek.name)
    if known is not None and (
        known.deleted == kek.deleted
        or replace(kek, deleted=known.deleted, timestamp=known.timestamp) != known
    ):
        raise exists(kek.name)
    return Decision(kek, [KeyRecord(kek.place, kek.value())])


def update_kek(keys: Keyring, name: str, changes: Mapping[str, Any]) -> Decision[Kek]:
    """Changes what may change of a KEK. Raises HttpError."""
    known = keys.kek(name)
    kek = replace(known, **changes)
    return Decision(kek, [] if kek == known else [KeyRecord(kek.place, kek.value())])


def delete_kek(keys: Keyring, name: str, *, permanent: bool) -> Decision[None]:
    """Deletes a KEK that has no data keys. Raises HttpError."""
    kek = keys.kek(name, deleted=True)
    if keys.deks(name, deleted=permanent):
        raise HttpError(422, f"Key '{name}' has data keys", 42272)
    return Decision(None, _deleted(kek, name, permanent=permanent))


def undelete_kek(keys: Keyring, name: str) -> Decision[None]:
    """Takes a deletion back. Raises HttpError."""
    return Decision(None, _undeleted(keys.kek(name, deleted=True)))


# ---- DEKs


def create_dek(keys: Keyring, dek: Dek, *, rewrap: bool) -> Decision[Dek]:
    """Takes a data key in; or deletes or undeletes it; or, to `rewrap`, gives it other encrypted material.
    Raises HttpError."""
    known = keys.dek(dek.place)
    same = known is not None and replace(dek, deleted=known.deleted, timestamp=known.timestamp) == known
    if known is not None and not rewrap and (known.deleted == dek.deleted or not same):
        raise exists(dek.subject)
    return Decision(dek, [KeyRecord(dek.place, dek.value())])


def delete_deks(deks: list[Dek], name: str, *, permanent: bool) -> Decision[None]:
    """Deletes data keys. Raises HttpError."""
    if not deks:
        raise not_found(name)
    return Decision(None, [each for dek in deks for each in _deleted(dek, name, permanent=permanent)])


def undelete_deks(keys: Keyring, kek: str, deks: list[Dek], name: str) -> Decision[None]:
    """Takes deletions back. Raises HttpError."""
    if not deks:
        raise not_found(name)
    if keys.kek(kek, deleted=True).deleted:
        raise HttpError(404, f"Key '{kek}' must be undeleted first", 40472)
    return Decision(None, [each for dek in deks for each in _undeleted(dek)])


def _deleted(key: Kek | Dek, name: str, *, permanent: bool) -> list[KeyRecord]:
    if permanent and not key.deleted:
        raise HttpError(404, f"Key '{name}' was not deleted before it is deleted for good", 40471)
    if permanent:
        return [KeyRecord(key.place, None)]
    return [] if key.deleted else [KeyRecord(key.place, replace(key, deleted=True).value())]


def _undeleted(key: Kek | Dek) -> list[KeyRecord]:
    return [KeyRecord(key.place, replace(key, deleted=False).value())] if key.deleted else []


def not_found(name: str) -> HttpError:
    return HttpError(404, f"Key '{name}' not found", 40470)


def exists(name: str) -> HttpError:
    return HttpError(409, f"Key '{name}' already exists; use a different value", 40971)


def invalid(member: str) -> HttpError:
    return HttpError(422, f"Invalid or missing key info: {member}", 42271)
