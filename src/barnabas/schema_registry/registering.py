"""Registering a schema, looking one up, and whether it gets along with those before it.

Functions of the state; what changes it are the records of the decision.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from barnabas.schema_registry import contexts, errors
from barnabas.schema_registry.association import STRONG, Filter
from barnabas.schema_registry.contracts import (
    merged_metadata,
    merged_rule_set,
    noted_number,
    reserved_names,
    with_number,
)
from barnabas.schema_registry.decision import Decision
from barnabas.schema_registry.entries import Reference, Schema, Version
from barnabas.schema_registry.formats import InvalidSchema, Level, ParsedSchema, Policy, check
from barnabas.schema_registry.formats.tags import UNCHANGED, TagChange
from barnabas.schema_registry.modes import IMPORTING, require_writable
from barnabas.schema_registry.parsing import Parser, canonical, with_text
from barnabas.schema_registry.records import Record, context_record, schema_record, schema_tombstone
from barnabas.schema_registry.state import State

RESERVED_PREFIX = "$$"
"""What names of fields may not begin with where a config has `validateFields`."""


@dataclass(frozen=True, slots=True)
class Offered:
    """A schema as a request has it."""

    schema: Schema
    version: int | None = None
    """Wanted number of its version."""
    id: int | None = None
    """Wanted id; only IMPORT mode takes one."""
    numbered: bool = False
    """Whether the number of its version is noted in its metadata, which makes it a schema of its own."""
    tags: TagChange = UNCHANGED
    """Tags that its text is to have, or to have no more."""
    propagates_tags: bool = False
    """Whether it takes over the tags of the version before it."""


def register(
    state: State, parser: Parser, subject: str, offered: Offered, *, normalize: bool, force: bool = False
) -> Decision[Version]:
    """Registers a schema under a subject, unless it is already. Raises HttpError."""
    schema = _wanted(state, parser, subject, offered, normalize=normalize)
    found = _registered(state, subject, offered, schema)
    if found is not None:
        return Decision(found)
    for reference in schema.references:
        referred, _ = state.referred(subject, reference)
        if state.associations.of_subject(referred, Filter(lifecycle=STRONG)):
            raise errors.not_permitted(
                f"Subject '{referred}' has a {STRONG} association: nothing refers to it"
            )
    context = contexts.context_of(subject)
    known_id = state.id_of(context, schema)
    importing = state.mode_in_scope(subject) in IMPORTING
    if not importing and not force:
        problems = incompatible_versions(state, parser, subject, schema, state.versions(subject))
        if problems:
            raise errors.incompatible(subject, _details(problems))
    number = _number(state, subject, offered, importing=importing)
    version = Version(subject, number, _id(state, context, schema, offered.id, known_id), schema)
    return Decision(version, _records(state, context, version))


def registered(
    state: State, parser: Parser, subject: str, offered: Offered, *, normalize: bool
) -> Version | None:
    """The version under which a schema that is offered stands already. Raises HttpError when it may not be
    registered."""
    schema = _wanted(state, parser, subject, offered, normalize=normalize)
    return _registered(state, subject, offered, schema)


def _wanted(state: State, parser: Parser, subject: str, offered: Offered, *, normalize: bool) -> Schema:
    """The schema that would be registered. Raises HttpError when it may not be."""
    require_writable(state, subject, import_id=offered.id is not None)
    return _kept(state, parser, subject, populated(state, parser, subject, offered), normalize=normalize)


def _registered(state: State, subject: str, offered: Offered, schema: Schema) -> Version | None:
    if offered.id not in (None, state.id_of(contexts.context_of(subject), schema)):
        return None
    found = _same(state, subject, schema) or _same_but_number(state, subject, schema)
    return found if found is not None and offered.version in (None, found.number) else None


def populated(state: State, parser: Parser, subject: str, offered: Offered) -> Schema:
    """A schema with what it does not say itself: of the version before it, and of the subject's config."""
    schema = offered.schema
    if offered.tags != UNCHANGED:
        schema = _retagged(state, parser, subject, schema, offered.tags)
    if state.mode_in_scope(subject) in IMPORTING:
        return schema
    config, before = state.config_in_scope(subject), state.latest(subject)
    text, schema_type, references = schema.text, schema.schema_type, schema.references
    if not text.strip() and before is not None:
        text, schema_type = before.schema.text, before.schema.schema_type
        references = before.schema.references
    elif offered.propagates_tags and before is not None:
        tags = TagChange(parser.of_version(state, before).tagged())
        text = _retagged(state, parser, subject, schema, tags, strict=False).text
    metadata, rule_set = schema.metadata, schema.rule_set
    if before is not None:
        metadata = before.schema.metadata if metadata is None else metadata
        rule_set = before.schema.rule_set if rule_set is None else rule_set
    metadata = merged_metadata(config.get("defaultMetadata"), metadata)
    metadata = merged_metadata(metadata, config.get("overrideMetadata"))
    if offered.numbered or noted_number(metadata) is not None:
        metadata = with_number(metadata, offered.version or state.next_version(subject))
    rule_set = merged_rule_set(config.get("defaultRuleSet"), rule_set)
    rule_set = merged_rule_set(rule_set, config.get("overrideRuleSet"))
    if text is schema.text and metadata is schema.metadata and rule_set is schema.rule_set:
        return schema
    return Schema.of(schema_type, text, references, metadata, rule_set)


def lookup(
    state: State, parser: Parser, subject: str, schema: Schema, *, normalize: bool, deleted: bool
) -> Version | None:
    """The version under which a schema is registered; in another context, if the subject names none and the
    default one has nothing."""
    places = [subject]
    if contexts.context_of(subject) == contexts.DEFAULT:
        places += [contexts.join(context, subject) for context in sorted(state.contexts)]
    for place in places:
        if place not in state.subjects:
            continue
        kept = _kept(state, parser, place, schema, normalize=normalize)
        found = _same(state, place, kept, deleted=deleted)
        if found is None:
            found = _same_but_number(state, place, kept, deleted=deleted, strict=True)
        if found is not None:
            return found
    return None


def incompatible_versions(
    state: State, parser: Parser, subject: str, schema: Schema, existing: Sequence[Version]
) -> list[str]:
    """Why a schema does not get along with existing versions, as the level of its subject wants it."""
    config = state.config_in_scope(subject)
    level = Level(config["compatibilityLevel"])
    problems = []
    if config.get("validateFields"):
        problems = _reserved(checked(state, parser, subject, schema), schema, existing)
    group = config.get("compatibilityGroup")
    if group:
        existing = [
            version for version in existing if _property(version.schema, group) == _property(schema, group)
        ]
    if level is Level.NONE or not existing:
        return problems
    new = parser.of_request(state, subject, schema.schema_type, schema.text, schema.references)
    # Only the latest counts where the level is not transitive; the others need not be parsed.
    compared = existing if level.transitive else existing[-1:]
    lenient = config.get("compatibilityPolicy") == Policy.LENIENT
    policy = Policy.LENIENT if lenient else Policy.STRICT  # What another registry wrote may be none of ours.
    found = check(level, new, [parser.of_version(state, version) for version in compared], policy)
    if found is None:
        return problems
    version = compared[found.index]
    return [
        *problems,
        *(str(reason) for reason in found.reasons),
        f"{{oldSchemaVersion: {version.number}}}",
        f"{{oldSchema: '{version.schema.text}'}}",
        f"{{compatibility: '{level}'}}",
    ]


def _details(problems: Sequence[str]) -> str:
    return f"[{', '.join(problems)}]"


def _property(schema: Schema, name: str) -> Any:
    return ((schema.metadata or {}).get("properties") or {}).get(name)


def checked(state: State, parser: Parser, subject: str, schema: Schema) -> ParsedSchema:
    """A schema that is offered for a subject, parsed. Raises HttpError when it can't be registered there."""
    parsed = parser.of_request(state, subject, schema.schema_type, schema.text, schema.references)
    if state.config_in_scope(subject).get("validateFields") and state.mode_in_scope(subject) not in IMPORTING:
        for name in parsed.fields:
            if name.startswith(RESERVED_PREFIX):
                raise errors.invalid_schema(
                    f"Field '{name}': names that begin with {RESERVED_PREFIX} are kept"
                )
    return parsed


def _reserved(parsed: ParsedSchema, schema: Schema, existing: Sequence[Version]) -> list[str]:
    """What is wrong with the names that a schema's metadata reserves: no field may have one of them, and what
    the version before reserved stays reserved."""
    names = reserved_names(schema.metadata)
    before = reserved_names(existing[-1].schema.metadata) if existing else []
    return [
        *(
            f"The reserved name '{name}' is not in the metadata any more"
            for name in before
            if name not in names
        ),
        *(f"The field '{name}' has a name that is reserved" for name in names if name in parsed.fields),
    ]


def _retagged(
    state: State, parser: Parser, subject: str, schema: Schema, tags: TagChange, *, strict: bool = True
) -> Schema:
    parsed = parser.of_request(state, subject, schema.schema_type, schema.text, schema.references)
    try:
        text = parsed.with_tags(tags, strict=strict).canonical
    except InvalidSchema as error:
        raise errors.invalid_schema(f"Tags can't be changed: {error}") from error
    return Schema.of(schema.schema_type, text, schema.references, schema.metadata, schema.rule_set)


def _kept(state: State, parser: Parser, subject: str, schema: Schema, *, normalize: bool) -> Schema:
    """`schema` as it would be kept under `subject`."""
    config = state.config_in_scope(subject)
    normalize = normalize or bool(config.get("normalize"))
    if not normalize and not config.get("validateFields"):
        text = parser.plain(schema)
        if text is not None:
            return with_text(schema, text)
    return canonical(checked(state, parser, subject, schema), schema, normalize=normalize)


def _same(state: State, subject: str, schema: Schema, *, deleted: bool = False) -> Version | None:
    """The newest version of a subject with this schema."""
    id_ = state.id_of(contexts.context_of(subject), schema)
    if id_ is None:
        return None
    versions = reversed(state.versions(subject, deleted=deleted))
    return next((version for version in versions if version.id == id_), None)


def _same_but_number(
    state: State, subject: str, schema: Schema, *, deleted: bool = False, strict: bool = False
) -> Version | None:
    """The newest version with this schema, whatever number is noted in its metadata. If `strict`, two noted
    numbers must be the same."""
    versions = state.versions(subject, deleted=deleted)
    if not versions:
        return None
    number, rest = noted_number(schema.metadata), with_number(schema.metadata, None)
    for version in reversed(versions):
        kept = version.schema
        if (kept.text, kept.schema_type, kept.references, kept.rule_set) != (
            schema.text,
            schema.schema_type,
            schema.references,
            schema.rule_set,
        ) or with_number(kept.metadata, None) != rest:
            continue
        if not strict or None in (number, noted_number(kept.metadata)):
            return version
    return None


def _number(state: State, subject: str, offered: Offered, *, importing: bool) -> int:
    following = state.next_version(subject)
    if offered.version is None:
        return following
    if not importing and offered.version != following:
        raise errors.invalid_schema(
            f"The next version of subject '{subject}' is {following}, not {offered.version}"
        )
    return offered.version


def _id(state: State, context: str, schema: Schema, wanted: int | None, known: int | None) -> int:
    if wanted is None:
        return state.next_id(context) if known is None else known
    taken = next(state.with_id(context, wanted), None)
    if taken is not None and taken.schema.identity != schema.identity:
        raise errors.not_permitted(f"Id {wanted} stands for another schema in context {context}")
    return wanted


def _records(state: State, context: str, version: Version) -> list[Record]:
    records = []
    if context != contexts.DEFAULT and context not in state.contexts:
        records.append(context_record(context))
    # A soft-deleted version with the same schema would be a second one with this id once it is undeleted.
    records += [
        schema_tombstone(old.subject, old.number)
        for old in state.versions(version.subject, deleted=True)
        if old.deleted and old.id == version.id and not state.referrers(old.subject, old.number, deleted=True)
    ]
    records.append(schema_record(version.record_value(), version))
    return records


def references_of(value: Any) -> tuple[Reference, ...]:
    """The references of a request. Raises HttpError."""
    if value is None:
        return ()
    try:
        found = tuple(Reference(each["name"], each["subject"], each["version"]) for each in value)
    except (KeyError, TypeError) as error:
        raise errors.invalid_schema("A reference needs a name, a subject and a version") from error
    for reference in found:
        typed = isinstance(reference.name, str) and isinstance(reference.subject, str)
        if not typed or not isinstance(reference.version, int) or not 0 < reference.version < 2**31:
            raise errors.invalid_schema("A reference needs a name, a subject and a version")
    return found
