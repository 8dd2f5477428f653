"""All that a registry knows, as the records of `_schemas` say it, one after another.

Always true:
  the state is a function of the records in their order; time and chance have no part in it
  in one context an id stands for one schema, and a schema has one id, whatever subjects it is under
  an id that was given out is not given out again: `next_id` only grows
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from barnabas.schema_registry import contexts
from barnabas.schema_registry.association import Associations
from barnabas.schema_registry.entries import Reference, Schema, Version, version_of
from barnabas.schema_registry.records import ID_MAX, Record, UnreadableRecord

DEFAULT_COMPATIBILITY = "BACKWARD"
DEFAULT_MODE = "READWRITE"
SCHEMA_TYPES = ("AVRO", "JSON", "PROTOBUF")
"""Types that records may have, whether or not they can be parsed here."""

Place = tuple[str, int]
"""A subject and the number of a version."""


class State:
    """Subjects, ids, configs and modes. Values are immutable and may be shared between states."""

    def __init__(self) -> None:
        self.subjects: dict[str, dict[int, Version]] = {}
        """Versions of subjects by number, in ascending order; soft-deleted ones too."""
        self.configs: dict[str | None, Mapping[str, Any]] = {}
        """By subject or context (`:.context:`); None is for all."""
        self.modes: dict[str | None, str] = {}
        """As configs."""
        self.contexts: set[str] = set()
        """Contexts besides the default one."""
        self.associations = Associations()
        self._places: dict[str, dict[int, tuple[Place, ...]]] = {}
        self._ids: dict[str, dict[tuple[str, bytes], int]] = {}
        self._ids_max: dict[str, int] = {}
        self._referrers: dict[Place, set[Place]] = {}

    @property
    def schema_count(self) -> int:
        """Schemas that have an id."""
        return sum(map(len, self._places.values()))

    def copy(self) -> State:
        """Another state that says the same."""
        copied = State()
        copied.subjects = {subject: dict(versions) for subject, versions in self.subjects.items()}
        copied.configs, copied.modes = dict(self.configs), dict(self.modes)
        copied.contexts = set(self.contexts)
        copied.associations = self.associations.copy()
        copied._places = {context: dict(places) for context, places in self._places.items()}
        copied._ids = {context: dict(ids) for context, ids in self._ids.items()}
        copied._ids_max = dict(self._ids_max)
        copied._referrers = {place: set(referrers) for place, referrers in self._referrers.items()}
        return copied

    # ---- records

    def replay(self, record: Record, timestamp: int | None = None) -> None:
        """Takes a record in. Raises UnreadableRecord, and is unchanged, when it makes no sense."""
        key, value = record.key, record.value
        match key.keytype:
            case "SCHEMA":
                assert key.subject is not None
                assert key.version is not None
                place = contexts.normalize(key.subject), key.version
                if value is None:
                    self._remove(place)
                elif record.version is None:
                    self._replay_schema(place, version_of(value, timestamp))
                else:
                    self._replay_schema(place, record.version.at(timestamp))
            case "CONFIG":
                self._set(self.configs, key.subject, value and _without_subject(value))
            case "MODE":
                self._set(self.modes, key.subject, value and _text(value, "mode"))
            case "DELETE_SUBJECT":
                if value is not None:
                    self._delete_subject(_text(value, "subject"), _number(value, "version"))
            case "CLEAR_SUBJECT":
                # Of what is deleted for good nothing is kept that could be cleared, but how far its ids went.
                if value is not None and value.get(ID_MAX) is not None:
                    self._note_id(contexts.context_of(key.subject or ""), _number(value, ID_MAX))
            case "CONTEXT":
                self._note_context(key.context, present=value is not None)
            case "ASSOC":
                self.associations.replay(key, value, timestamp)
            case "NOOP":
                pass
            case _:
                raise UnreadableRecord(f"nothing is known of keys of type {key.keytype!r}")

    def _replay_schema(self, place: Place, version: Version) -> None:
        subject = contexts.normalize(version.subject)
        if (subject, version.number) != place:
            raise UnreadableRecord(f"the value is of another version than its key: {place}")
        context = contexts.context_of(subject)
        known = self._schema_of(context, version.id)
        if (
            known is not None
            and known.identity != version.schema.identity
            and not self._only_at(version.id, place)
        ):
            raise UnreadableRecord(f"id {version.id} stands for another schema already")
        # One text for all versions that share an id.
        schema = known if known is not None and known.identity == version.schema.identity else version.schema
        if subject != version.subject or schema is not version.schema:
            version = replace(version, subject=subject, schema=schema)
        before = self.version(*place)
        if before is not None and (before.id, before.schema) == (version.id, schema):
            self.subjects[subject][version.number] = version  # Deleted, or back: it keeps its place.
            return
        if before is not None:
            self._remove(place)
        self._add(context, version)

    def _add(self, context: str, version: Version) -> None:
        place = (version.subject, version.number)
        versions = self.subjects.setdefault(version.subject, {})
        in_order = not versions or version.number > next(reversed(versions))
        versions[version.number] = version
        if not in_order:
            self.subjects[version.subject] = dict(sorted(versions.items()))
        places = self._places.setdefault(context, {})
        places[version.id] = (*places.get(version.id, ()), place)
        self._ids.setdefault(context, {}).setdefault(version.schema.identity, version.id)
        self._note_id(context, version.id)
        if context != contexts.DEFAULT:
            self.contexts.add(context)
        for reference in version.schema.references:
            self._referrers.setdefault(self.referred(version.subject, reference), set()).add(place)

    def _note_id(self, context: str, id_: int) -> None:
        self._ids_max[context] = max(self._ids_max.get(context, 0), id_)

    def _remove(self, place: Place) -> None:
        subject, number = place
        version = self.subjects.get(subject, {}).pop(number, None)
        if version is None:
            return
        if not self.subjects[subject]:
            del self.subjects[subject]
        context = contexts.context_of(subject)
        places = self._places[context]
        places[version.id] = tuple(other for other in places[version.id] if other != place)
        if not places[version.id]:
            del places[version.id]
            if self._ids[context].get(version.schema.identity) == version.id:
                del self._ids[context][version.schema.identity]
        for reference in version.schema.references:
            referred = self.referred(subject, reference)
            referrers = self._referrers.get(referred, set())
            referrers.discard(place)
            if not referrers:
                self._referrers.pop(referred, None)

    def _delete_subject(self, subject: str, until: int) -> None:
        versions = self.subjects.get(contexts.normalize(subject), {})
        for number, version in versions.items():
            if number <= until and not version.deleted:
                versions[number] = replace(version, deleted=True)

    def _note_context(self, context: str | None, *, present: bool) -> None:
        if context is None:
            raise UnreadableRecord("the key of a context lacks its name")
        if present and context != contexts.DEFAULT:
            self.contexts.add(context)
        else:
            self.contexts.discard(context)

    @staticmethod
    def _set(table: dict[str | None, Any], subject: str | None, value: Any) -> None:
        subject = None if subject is None else contexts.normalize(subject)
        if value is None:
            table.pop(subject, None)
        else:
            table[subject] = value

    # ---- questions

    def versions(self, subject: str, *, deleted: bool = False) -> list[Version]:
        """The versions of a subject, oldest first; with `deleted` the soft-deleted ones too."""
        versions = self.subjects.get(subject, {}).values()
        return [version for version in versions if deleted or not version.deleted]

    def version(self, subject: str, number: int) -> Version | None:
        """A version of a subject, deleted or not."""
        return self.subjects.get(subject, {}).get(number)

    def latest(self, subject: str, *, deleted: bool = False) -> Version | None:
        """The newest version of a subject."""
        versions = self.subjects.get(subject)
        if versions is None:
            return None
        return next(
            (versions[each] for each in reversed(versions) if deleted or not versions[each].deleted), None
        )

    def next_version(self, subject: str) -> int:
        """The number of a subject's next version; those of soft-deleted ones are not used again."""
        return next(reversed(self.subjects.get(subject, {0: None}))) + 1

    def next_id(self, context: str) -> int:
        """The next id of a context."""
        return self._ids_max.get(context, 0) + 1

    def id_of(self, context: str, schema: Schema) -> int | None:
        """The id that a schema has in a context."""
        return self._ids.get(context, {}).get(schema.identity)

    def with_id(self, context: str, id_: int) -> Iterator[Version]:
        """The versions that an id of a context is registered under, oldest first, deleted ones too."""
        for subject, number in self._places.get(context, {}).get(id_, ()):
            yield self.subjects[subject][number]

    def with_guid(self, guid: bytes) -> list[tuple[str, int]]:
        """Contexts, and the ids there, of schemas with this GUID."""
        found = (
            (context, ids.get((schema_type, guid)))
            for context, ids in self._ids.items()
            for schema_type in SCHEMA_TYPES
        )
        return sorted((context, id_) for context, id_ in found if id_ is not None)

    def id_max(self, context: str) -> int:
        """The largest id that a context has given out."""
        return self._ids_max.get(context, 0)

    def referrers(self, subject: str, number: int, *, deleted: bool = False) -> list[Version]:
        """The versions that refer to this one."""
        places = sorted(self._referrers.get((subject, number), ()))
        found = (self.subjects[subject][number] for subject, number in places)
        return [version for version in found if deleted or not version.deleted]

    @staticmethod
    def referred(subject: str, reference: Reference) -> Place:
        """What a reference means in a schema of `subject`."""
        return contexts.beside(subject, reference.subject), reference.version

    def scopes(self, subject: str | None) -> Iterable[str | None]:
        """What counts for a subject, the nearest first: itself, its context, all."""
        if subject is None:
            return (None,)
        context, _ = contexts.split(subject)
        return (subject, None) if context == contexts.DEFAULT else (subject, contexts.join(context, ""), None)

    def config_in_scope(self, subject: str | None) -> dict[str, Any]:
        """The config that counts for a subject: each field from the nearest scope that has it."""
        merged: dict[str, Any] = {}
        for scope in self.scopes(subject) if self.configs else ():
            merged = {**self.configs.get(scope, {}), **merged}
        return {"compatibilityLevel": DEFAULT_COMPATIBILITY, **merged}

    def aliased(self, subject: str) -> str:
        """The subject that is meant by this name: its config may say that it stands for another."""
        alias = self.configs.get(subject, {}).get("alias")
        return contexts.beside(subject, alias) if alias else subject

    def mode_in_scope(self, subject: str | None) -> str:
        """The mode that counts for a subject."""
        if not self.modes:
            return DEFAULT_MODE
        if self.modes.get(None) == "READONLY_OVERRIDE":
            return "READONLY_OVERRIDE"
        found = (self.modes.get(scope) for scope in self.scopes(subject))
        return next((mode for mode in found if mode is not None), DEFAULT_MODE)

    def _schema_of(self, context: str, id_: int) -> Schema | None:
        places = self._places.get(context, {}).get(id_)
        if not places:
            return None
        subject, number = places[0]
        return self.subjects[subject][number].schema

    def _only_at(self, id_: int, place: Place) -> bool:
        """Whether an id is registered at `place` alone: then it may be given another schema there."""
        return self._places.get(contexts.context_of(place[0]), {}).get(id_) == (place,)


def _without_subject(value: dict[str, Any]) -> dict[str, Any]:
    return {name: each for name, each in value.items() if name != "subject" and each is not None}


def _text(value: dict[str, Any], name: str) -> str:
    found = value.get(name)
    if not isinstance(found, str):
        raise UnreadableRecord(f"{name} of the value is no text")
    return found


def _number(value: dict[str, Any], name: str) -> int:
    found = value.get(name)
    if not isinstance(found, int):
        raise UnreadableRecord(f"{name} of the value is no number")
    return found
