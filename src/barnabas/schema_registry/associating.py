"""What may be associated with what: decisions on associations.

Always true:
  a STRONG association is the only one of its subject, which nothing refers to; it is made together with the
  resource, and with its schema
  all associations of a resource are STRONG, or all are WEAK
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from barnabas.http.errors import HttpError
from barnabas.schema_registry import contexts, errors
from barnabas.schema_registry.association import STRONG, TOPIC, TYPES, WEAK, Association, Filter, Resource
from barnabas.schema_registry.decision import Decision
from barnabas.schema_registry.modes import READ_ONLY
from barnabas.schema_registry.parsing import Parser
from barnabas.schema_registry.records import Record
from barnabas.schema_registry.registering import Offered, incompatible_versions, lookup, populated
from barnabas.schema_registry.state import State

NAME_CHARACTERS_MAX = 256


@dataclass(frozen=True, slots=True)
class Wanted:
    """An association as a request asks for it. What the request does not say is None."""

    type: str
    subject: str | None
    lifecycle: str | None
    frozen: bool | None
    offered: Offered | None
    """The schema to register under the subject."""
    normalize: bool = False


@dataclass(frozen=True, slots=True)
class Settled:
    """An association as it will be."""

    association: Association
    known: Association | None
    """What is there already."""
    offered: Offered | None
    normalize: bool

    @property
    def changes(self) -> bool:
        """Whether there is anything to write."""
        return self.known is None or replace(self.association, updated=self.known.updated) != self.known


# ---- what requests say


def resource_of(body: Mapping[str, Any], *, dry_run: bool) -> Resource:
    """The resource of a request. Raises HttpError."""
    names = {}
    for member in ("resourceName", "resourceNamespace"):
        name = body.get(member)
        if not isinstance(name, str) or not name:
            raise _invalid(member, "must be a text that is not empty")
        if len(name) > NAME_CHARACTERS_MAX:
            raise _invalid(member, f"has more than {NAME_CHARACTERS_MAX} characters")
        if not all(each.isalnum() or each in "_-" for each in name):
            raise _invalid(member, "may have letters, digits, _ and - only")
        names[member] = name
    id_, kind = body.get("resourceId"), body.get("resourceType") or TOPIC
    if not isinstance(id_, str | None) or not (id_ or dry_run):
        raise _invalid("resourceId", "must be a text that is not empty")
    if kind != TOPIC:
        raise _invalid("resourceType", f"must be '{TOPIC}'")
    return Resource(names["resourceName"], names["resourceNamespace"], id_ or None, kind)


def wanted_of(
    body: Any, resource: Resource, read_schema: Callable[[Mapping[str, Any]], Offered], *, create: bool
) -> Wanted:
    """One association of a request. Raises HttpError."""
    if not isinstance(body, dict):
        raise _invalid("associations", "must be a list of objects")
    kind, subject, lifecycle = (
        body.get("associationType") or "value",
        body.get("subject"),
        body.get("lifecycle"),
    )
    frozen, schema = body.get("frozen"), body.get("schema")
    if kind not in TYPES:
        raise _invalid("associationType", f"must be one of {', '.join(TYPES)}")
    if subject is not None and (not isinstance(subject, str) or not subject or not subject.isprintable()):
        raise _invalid("subject", "must be a text that is not empty")
    if lifecycle not in (None, STRONG, WEAK):
        raise _invalid("lifecycle", f"must be {STRONG} or {WEAK}")
    if not isinstance(frozen, bool | None) or not isinstance(schema, dict | None):
        raise _invalid("associations", "frozen must be true or false, schema an object")
    offered = None if schema is None else read_schema(schema)
    wanted = Wanted(kind, subject, lifecycle, frozen, offered, body.get("normalize") is True)
    return _with_defaults(wanted, resource, create=True) if create else wanted


def _with_defaults(wanted: Wanted, resource: Resource, *, create: bool) -> Wanted:
    """What a new association is that does not say it itself."""
    if wanted.offered is not None and not create:
        raise _invalid("schema", "can only be given when the resource is created")
    lifecycle = wanted.lifecycle or (WEAK if wanted.offered is None else STRONG)
    subject = wanted.subject
    if subject is None and lifecycle == STRONG:
        subject = _own_subject(resource, wanted.type)
    frozen = lifecycle == STRONG
    return replace(
        wanted,
        subject=subject,
        lifecycle=lifecycle,
        frozen=frozen if wanted.frozen is None else wanted.frozen,
    )


# ---- what is made of it


def settle(
    state: State,
    parser: Parser,
    resource: Resource,
    wanted: Sequence[Wanted],
    guid: Callable[[], str],
    *,
    context: str,
    create: bool,
) -> list[Settled]:
    """The associations as they will be, when all of them may. Raises HttpError."""
    if len({each.type for each in wanted}) < len(wanted):
        raise _invalid("associationType", "may be there once for each type")
    existing = state.associations.of_resource(resource.id, Filter(resource.type))
    if resource.id is None:
        existing = state.associations.of_name(resource.namespace, resource.name, Filter(resource.type))
    known = {each.type: each for each in existing}
    settled = []
    for each in wanted:
        one = _settled(state, resource, each, known.get(each.type), guid, context, create=create)
        _check_alone(state, parser, one, create=create)
        settled.append(one)
    lifecycles = {**{kind: each.lifecycle for kind, each in known.items()}}
    lifecycles |= {each.association.type: each.association.lifecycle for each in settled}
    if len(set(lifecycles.values())) > 1:
        raise _invalid("lifecycle", f"must be one for all associations of a resource, not {lifecycles}")
    for one in settled:
        _check_beside_others(state, one, settled)
        _check_schema(state, parser, one)
    return settled


def put(settled: Sequence[Settled]) -> list[Record]:
    """The records of what changes."""
    return [each.association.record() for each in settled if each.changes]


def remove(state: State, id_: str, wanted: Filter, *, cascade: bool) -> Decision[list[Association]]:
    """Takes associations of a resource away; the response is what they were. Raises HttpError."""
    found = state.associations.of_resource(id_, wanted)
    if not found:
        raise HttpError(404, f"There is no association of '{id_}'", 40410)
    for each in found:
        _require_writable(state, each.subject)
        if each.frozen and not cascade:
            raise _frozen(each)
    return Decision(found, [Record(each.key, None) for each in found])


def _settled(
    state: State,
    resource: Resource,
    wanted: Wanted,
    known: Association | None,
    guid: Callable[[], str],
    context: str,
    *,
    create: bool,
) -> Settled:
    if known is None:
        wanted = wanted if create else _with_defaults(wanted, resource, create=False)
        subject = wanted.subject
        if subject is None:
            raise _invalid("subject", f"must be given for {WEAK} associations")
        subject = state.aliased(contexts.beside(contexts.join(context, ""), subject))
        _require_writable(state, subject)
        assert wanted.lifecycle is not None
        new = Association(resource, wanted.type, subject, guid(), wanted.lifecycle, wanted.frozen is True)
        return Settled(new, None, wanted.offered, wanted.normalize)
    _require_writable(state, known.subject)
    subject = known.subject
    if wanted.subject is not None:
        subject = state.aliased(contexts.beside(contexts.join(context, ""), wanted.subject))
    changed = replace(
        known,
        subject=subject,
        lifecycle=wanted.lifecycle or known.lifecycle,
        frozen=known.frozen if wanted.frozen is None else wanted.frozen,
    )
    return Settled(changed, known, wanted.offered, wanted.normalize)


def _check_alone(state: State, parser: Parser, one: Settled, *, create: bool) -> None:
    """Whether an association makes sense by itself, and beside what it was."""
    association, known = one.association, one.known
    own = association.subject == contexts.normalize(_own_subject(association.resource, association.type))
    if association.frozen != (association.lifecycle == STRONG):
        raise _invalid(
            "frozen", f"a {association.lifecycle} association can't have frozen={association.frozen}"
        )
    if association.lifecycle == WEAK and (own or one.offered is not None):
        raise _invalid("lifecycle", f"{WEAK} associations have a shared subject, and no schema of their own")
    if association.frozen and not own:
        raise _invalid("subject", "of a frozen association is the resource's own")
    if known is None:
        importing = state.mode_in_scope(association.subject) == "IMPORT"
        if association.lifecycle == STRONG and not importing:
            if not create:
                raise _invalid("lifecycle", f"{STRONG} associations are made together with the resource")
            _check_new_subject(state, parser, one)
        return
    if not one.changes:
        if create and one.offered is not None and not _has_schema(state, parser, one):
            raise _exists(known)
        return
    if create:
        raise _exists(known)
    if association.subject != known.subject:
        raise _invalid("subject", f"can't be changed from '{known.subject}'")
    raise _frozen(known) if known.frozen else _invalid("frozen", "of an association can't be changed")


def _check_new_subject(state: State, parser: Parser, one: Settled) -> None:
    """A STRONG association begins with its own schema, the only one of its subject."""
    if one.offered is None:
        raise _invalid("schema", "must be given for a frozen association")
    latest = state.latest(one.association.subject)
    if latest is not None and (latest.number != 1 or not _has_schema(state, parser, one)):
        raise _invalid("frozen", "the subject has schemas already")


def _check_beside_others(state: State, one: Settled, settled: Sequence[Settled]) -> None:
    association, subject = one.association, one.association.subject
    if one.offered is not None and state.mode_in_scope(subject) == "IMPORT":
        raise _invalid("schema", f"can't be given while subject '{subject}' is in mode IMPORT")
    if one.offered is None and state.latest(subject) is None:
        raise errors.no_active_version(subject)
    others = [
        each
        for each in state.associations.of_subject(subject)
        if one.known is None or each.key != one.known.key
    ]
    if association.lifecycle == WEAK:
        if any(each.lifecycle == STRONG for each in others):
            raise HttpError(409, f"Subject '{subject}' has a {STRONG} association", 40905)
        return
    if others:
        raise errors.associated(subject)
    referred = any(state.referrers(subject, version.number) for version in state.versions(subject)) or any(
        state.referred(each.association.subject, reference)[0] == subject
        for each in settled
        if each.offered is not None
        for reference in each.offered.schema.references
    )
    if referred:
        raise HttpError(422, f"One or more references exist to subject '{subject}'", 42206)


def _check_schema(state: State, parser: Parser, one: Settled) -> None:
    if one.offered is None:
        return
    subject = one.association.subject
    schema = populated(state, parser, subject, one.offered)
    # One that can't be parsed is refused, though there be nothing to compare it with.
    parser.of_request(state, subject, schema.schema_type, schema.text, schema.references)
    if problems := incompatible_versions(state, parser, subject, schema, state.versions(subject)):
        raise errors.incompatible(subject, f"[{', '.join(problems)}]")


def _has_schema(state: State, parser: Parser, one: Settled) -> bool:
    assert one.offered is not None
    schema = populated(state, parser, one.association.subject, one.offered)
    found = lookup(state, parser, one.association.subject, schema, normalize=one.normalize, deleted=False)
    return found is not None


def _own_subject(resource: Resource, kind: str) -> str:
    """The subject that belongs to a resource alone."""
    return f":.{resource.namespace}:{resource.name}-{kind}"


def _require_writable(state: State, subject: str) -> None:
    if state.mode_in_scope(subject) in READ_ONLY:
        raise errors.not_permitted(f"Subject '{subject}' is in read-only mode")


def _invalid(member: str, detail: str) -> HttpError:
    return HttpError(422, f"The association has an invalid value for '{member}': {detail}", 42212)


def _exists(known: Association) -> HttpError:
    return HttpError(
        409, f"Resource '{known.resource.name}' has an association of type '{known.type}' already", 40903
    )


def _frozen(known: Association) -> HttpError:
    return HttpError(
        409, f"The association of type '{known.type}' with subject '{known.subject}' is frozen", 40908
    )
