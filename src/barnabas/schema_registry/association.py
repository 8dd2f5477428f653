"""Associations: that a subject is the key's or the value's of a topic, or of what else has a name."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from barnabas.schema_registry import contexts
from barnabas.schema_registry.records import AssociationPlace, Key, Record, UnreadableRecord

TOPIC = "topic"
"""The type of resource that is meant when none is named, and the only one that can be associated."""
TYPES = ("key", "value")
STRONG, WEAK = "STRONG", "WEAK"
ANY = "-"
"""As the name or namespace of a resource: whichever."""


@dataclass(frozen=True, slots=True)
class Resource:
    """What a subject is associated with."""

    name: str
    namespace: str
    id: str | None
    type: str = TOPIC

    def told(self) -> dict[str, Any]:
        """Its members in responses."""
        members = {"resourceName": self.name, "resourceNamespace": self.namespace}
        return {**members, **({} if self.id is None else {"resourceId": self.id}), "resourceType": self.type}


@dataclass(frozen=True, slots=True)
class Association:
    """One association. A STRONG one owns its subject, and is frozen; WEAK ones share theirs."""

    resource: Resource
    type: str
    subject: str
    guid: str
    lifecycle: str
    frozen: bool
    created: int | None = None
    """When its first record was written, in milliseconds since the Unix epoch."""
    updated: int | None = None

    @property
    def key(self) -> Key:
        """What its records are found by."""
        resource = self.resource
        place = AssociationPlace(resource.name, resource.namespace, resource.type, self.type)
        return Key("ASSOC", self.subject, association=place)

    def record(self) -> Record:
        """The record that says so."""
        value = {
            "guid": self.guid,
            "tenant": "default",
            **self.resource.told(),
            "associationType": self.type,
            "subject": self.subject,
            "lifecycle": self.lifecycle,
            "frozen": self.frozen,
        }
        return Record(self.key, value if self.created is None else {**value, "createTs": self.created})

    def brief(self) -> dict[str, Any]:
        """As it stands in responses that name its resource elsewhere."""
        return {
            "subject": self.subject,
            "associationType": self.type,
            "lifecycle": self.lifecycle,
            "frozen": self.frozen,
        }

    def told(self) -> dict[str, Any]:
        """As it stands in other responses."""
        brief = self.brief()
        members = {"subject": brief.pop("subject"), "guid": self.guid, **self.resource.told(), **brief}
        times = {"createTs": self.created, "updateTs": self.updated}
        return members | {name: each for name, each in times.items() if each is not None}


@dataclass(frozen=True, slots=True)
class Filter:
    """Which associations are asked for."""

    resource_type: str | None = None
    types: Sequence[str] = ()
    """Empty for all."""
    lifecycle: str | None = None

    def of(self, found: Iterable[Association]) -> Iterator[Association]:
        """Those of `found` that are meant."""
        for each in found:
            typed = self.resource_type in (None, each.resource.type)
            meant = not self.types or each.type in self.types
            if typed and meant and self.lifecycle in (None, each.lifecycle):
                yield each


EVERY = Filter()


class Associations:
    """All associations, as records say them."""

    def __init__(self) -> None:
        self._all: dict[Key, Association] = {}
        self._by_subject: dict[str, dict[Key, Association]] = {}
        self._by_resource: dict[str, dict[Key, Association]] = {}

    def copy(self) -> Associations:
        """Others that say the same."""
        copied = Associations()
        for association in self._all.values():
            copied._add(association)
        return copied

    def replay(self, key: Key, value: Mapping[str, Any] | None, timestamp: int | None) -> None:
        """Takes a record in. Raises UnreadableRecord."""
        if key.association is None or key.subject is None:
            raise UnreadableRecord("the key of an association lacks its subject, or what it is with")
        if value is None:
            self._remove(key)
            return
        association = _association(key, value, timestamp)
        before = self._all.get(key)
        if before is not None and before.guid == association.guid and before.created is not None:
            association = replace(association, created=before.created)
        self._remove(key)
        self._add(association)

    def of_subject(self, subject: str, wanted: Filter = EVERY) -> list[Association]:
        """Those of a subject."""
        return _sorted(wanted.of(self._by_subject.get(subject, {}).values()))

    def of_resource(self, id_: str | None, wanted: Filter = EVERY) -> list[Association]:
        """Those of a resource."""
        return _sorted(wanted.of(self._by_resource.get(id_, {}).values())) if id_ is not None else []

    def of_name(self, namespace: str, name: str, wanted: Filter = EVERY) -> list[Association]:
        """Those of the resources with a name."""
        found = (
            each
            for each in self._all.values()
            if name in (ANY, each.resource.name) and namespace in (ANY, each.resource.namespace)
        )
        return _sorted(wanted.of(found))

    def all(self) -> Mapping[Key, Association]:
        """By the keys of their records."""
        return self._all

    def _add(self, association: Association) -> None:
        key = association.key
        self._all[key] = association
        self._by_subject.setdefault(association.subject, {})[key] = association
        assert association.resource.id is not None
        self._by_resource.setdefault(association.resource.id, {})[key] = association

    def _remove(self, key: Key) -> None:
        association = self._all.pop(key, None)
        if association is None:
            return
        assert association.resource.id is not None
        for table, name in (
            (self._by_subject, association.subject),
            (self._by_resource, association.resource.id),
        ):
            del table[name][key]
            if not table[name]:
                del table[name]


def _sorted(found: Iterable[Association]) -> list[Association]:
    return sorted(found, key=lambda each: (each.resource.name, each.resource.namespace, each.type))


def _association(key: Key, value: Mapping[str, Any], timestamp: int | None) -> Association:
    place = key.association
    assert place is not None
    assert key.subject is not None
    guid, id_, lifecycle = value.get("guid"), value.get("resourceId"), value.get("lifecycle")
    created = value.get("createTs")
    if not isinstance(guid, str) or not isinstance(id_, str) or lifecycle not in (STRONG, WEAK):
        raise UnreadableRecord("guid, resourceId or lifecycle of an association is of a wrong type")
    if not isinstance(created, int | None):
        raise UnreadableRecord("createTs of an association is no number")
    return Association(
        Resource(place.resource_name, place.resource_namespace, id_, place.resource_type),
        place.association_type,
        contexts.normalize(key.subject),
        guid,
        lifecycle,
        value.get("frozen") is True,
        timestamp if created is None else created,
        timestamp,
    )
