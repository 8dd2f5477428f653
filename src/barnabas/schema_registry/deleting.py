"""Deleting subjects and versions: first softly, then for good."""

from __future__ import annotations

from dataclasses import replace

from barnabas.schema_registry import contexts, errors
from barnabas.schema_registry.decision import Decision
from barnabas.schema_registry.entries import Version
from barnabas.schema_registry.modes import require_writable
from barnabas.schema_registry.records import (
    Record,
    clear_subject_record,
    config_record,
    delete_subject_record,
    mode_record,
    schema_record,
    schema_tombstone,
)
from barnabas.schema_registry.state import State


def delete_subject(state: State, subject: str, *, permanent: bool) -> Decision[list[int]]:
    """Deletes all versions of a subject; the response has their numbers. Raises HttpError."""
    require_writable(state, subject)
    if state.associations.of_subject(subject):
        raise errors.associated(subject)
    everything = state.versions(subject, deleted=True)
    versions = everything if permanent else state.versions(subject)
    if not everything:
        raise errors.subject_not_found(subject)
    if not versions:
        raise errors.subject_soft_deleted(subject)
    for version in versions:
        _require_unreferenced(state, version, permanent=permanent, within=subject)
        if permanent and not version.deleted:
            raise errors.subject_not_soft_deleted(subject)
    numbers = [version.number for version in versions]
    if not permanent:
        return Decision(numbers, [delete_subject_record(subject, numbers[-1])])
    records = [schema_tombstone(subject, number) for number in reversed(numbers)]
    if subject in state.modes:
        records.append(mode_record(subject, None))
    if subject in state.configs:
        records.append(config_record(subject, None))
    return Decision(numbers, [*_kept_id_max(state, subject, versions), *records])


def delete_version(state: State, version: Version, *, permanent: bool) -> Decision[int]:
    """Deletes a version; the response is its number. Raises HttpError."""
    require_writable(state, version.subject)
    if not permanent and version.deleted:
        raise errors.version_soft_deleted(version.subject, version.number)
    if permanent and not version.deleted:
        raise errors.version_not_soft_deleted(version.subject, version.number)
    last = not permanent and state.versions(version.subject) == [version]
    if last and state.associations.of_subject(version.subject):
        raise errors.no_active_version(version.subject)
    _require_unreferenced(state, version, permanent=permanent)
    if permanent:
        tombstone = schema_tombstone(version.subject, version.number)
        return Decision(version.number, [*_kept_id_max(state, version.subject, [version]), tombstone])
    deleted = replace(version, deleted=True)
    return Decision(version.number, [schema_record(deleted.record_value())])


def _kept_id_max(state: State, subject: str, deleted: list[Version]) -> list[Record]:
    """What keeps the largest id of the context from being given out again, when its last record goes."""
    id_max = state.id_max(contexts.context_of(subject))
    gone = any(version.id == id_max for version in deleted)
    return [clear_subject_record(subject, id_max)] if gone else []


def _require_unreferenced(
    state: State, version: Version, *, permanent: bool, within: str | None = None
) -> None:
    """Nothing that stays may refer to what is deleted; a subject that goes may refer to itself (`within`)."""
    for referrer in state.referrers(version.subject, version.number, deleted=permanent):
        if referrer.subject != within:
            by = f"version {referrer.number} of subject '{referrer.subject}'"
            raise errors.referenced(version.subject, version.number, by)
