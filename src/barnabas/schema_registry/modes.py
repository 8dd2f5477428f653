"""Modes: whether a subject may be written to, and how."""

from __future__ import annotations

from barnabas.http.errors import HttpError
from barnabas.schema_registry import contexts, errors
from barnabas.schema_registry.decision import Decision
from barnabas.schema_registry.records import Record, clear_subject_record, mode_record, schema_tombstone
from barnabas.schema_registry.state import DEFAULT_MODE, State

MODES = ("READWRITE", "READONLY", "READONLY_OVERRIDE", "IMPORT", "FORWARD")
READ_ONLY = ("READONLY", "READONLY_OVERRIDE")
IMPORTING = ("IMPORT", "FORWARD")
"""Modes in which schemas come from another registry: with their ids, and without a check of compatibility."""


def require_writable(state: State, subject: str | None, *, import_id: bool | None = None) -> None:
    """Raises HttpError when `subject` may not be written to. `import_id` is said by who registers a schema:
    whether with an id of its own."""
    mode = state.mode_in_scope(subject)
    if mode == DEFAULT_MODE and not import_id:
        return
    where = (
        "The registry"
        if subject is None
        else f"Subject '{subject}' in context '{contexts.context_of(subject)}'"
    )
    if mode in READ_ONLY:
        raise errors.not_permitted(f"{where} is in read-only mode ({mode})")
    if import_id and mode not in IMPORTING:
        raise errors.not_permitted(f"{where} is not in import mode: ids can't be chosen")
    if import_id is False and mode != "READWRITE":
        raise errors.not_permitted(f"{where} is in mode {mode}: a schema needs its id")


def set_mode(state: State, subject: str | None, mode: str, *, force: bool) -> Decision[str]:
    """Sets the mode of a subject, of a context, or (None) of all. Raises HttpError."""
    if mode not in MODES:
        raise errors.invalid_mode(", ".join(MODES))
    if mode == "FORWARD" and subject is not None:
        raise HttpError(422, "Mode FORWARD is for the whole registry only", 42204)
    records: list[Record] = []
    if mode == "IMPORT" and state.mode_in_scope(subject) != "IMPORT" and not force:
        records += _emptied(state, subject)
    return Decision(mode, [*records, mode_record(subject, mode)])


def delete_mode(state: State, subject: str | None, *, recursive: bool) -> Decision[str]:
    """Takes a mode back; the response is what it was. Raises HttpError."""
    mode = state.modes.get(subject)
    if mode is None and subject is not None and not recursive:
        raise errors.no_mode(subject)
    scopes = [subject] if mode is not None else []
    if recursive and subject is not None and contexts.is_context(subject):
        scopes += sorted(each for each in state.modes if each and each != subject and _within(each, subject))
    return Decision(mode or state.mode_in_scope(subject), [mode_record(each, None) for each in scopes])


def _emptied(state: State, scope: str | None) -> list[Record]:
    """Records that take away for good what was soft-deleted; nothing else may be there."""
    subjects = sorted(subject for subject in state.subjects if scope is None or _within(subject, scope))
    records: list[Record] = []
    for subject in subjects:
        for version in state.versions(subject, deleted=True):
            if not version.deleted:
                raise errors.not_permitted(f"Mode IMPORT needs an empty place: there is '{subject}'")
            if referrers := state.referrers(subject, version.number, deleted=True):
                raise errors.referenced(subject, version.number, referrers[0].subject)
            records.append(schema_tombstone(subject, version.number))
    if not records:
        return []
    context = contexts.context_of(scope or "")
    # Of other contexts the ids go with them: all of what was there has gone.
    return [*records, clear_subject_record(scope, state.id_max(context) or None)]


def _within(subject: str, scope: str) -> bool:
    if contexts.is_context(scope):
        return contexts.context_of(subject) == contexts.context_of(scope)
    return subject == scope
