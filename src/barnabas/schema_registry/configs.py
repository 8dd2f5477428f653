"""Configs of subjects, of contexts and of all."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from barnabas.http.errors import HttpError
from barnabas.schema_registry import errors
from barnabas.schema_registry.contracts import metadata_of, rule_set_of
from barnabas.schema_registry.decision import Decision
from barnabas.schema_registry.formats import Level, Policy
from barnabas.schema_registry.modes import require_writable
from barnabas.schema_registry.records import config_record
from barnabas.schema_registry.state import DEFAULT_COMPATIBILITY, State

FIELDS: Mapping[str, type] = {
    "alias": str,
    "aliasForDeks": str,
    "normalize": bool,
    "validateFields": bool,
    "validateNewSchemas": bool,
    "validateRules": bool,
    "compatibilityLevel": str,
    "compatibilityPolicy": str,
    "compatibilityGroup": str,
    "defaultMetadata": dict,
    "overrideMetadata": dict,
    "defaultRuleSet": dict,
    "overrideRuleSet": dict,
}
"""Fields of a config, in the order of records, and their types."""


def update(state: State, subject: str | None, request: Mapping[str, Any]) -> Decision[dict[str, Any]]:
    """Sets fields of a config; the response has those that were set. Raises HttpError."""
    require_writable(state, subject)
    changes = {_kept_name(name): value for name, value in request.items() if value is not None}
    for name, value in changes.items():
        if name not in FIELDS:
            raise HttpError(422, f"There is no config '{name}'")
        if not isinstance(value, FIELDS[name]):
            raise HttpError(422, f"Config '{name}' must be of type {FIELDS[name].__name__}")
        if name.endswith("Metadata"):
            metadata_of(value)
        elif name.endswith("RuleSet"):
            rule_set_of(value)
    if "compatibilityLevel" in changes:
        changes["compatibilityLevel"] = _level(changes["compatibilityLevel"])
    if "compatibilityPolicy" in changes:
        changes["compatibilityPolicy"] = _policy(changes["compatibilityPolicy"])
    merged = {**state.configs.get(subject, {}), **changes}
    value = {name: merged[name] for name in FIELDS if name in merged}
    told = {_told_name(name): value for name, value in value.items()}
    return Decision(told, [config_record(subject, value)])


def delete(state: State, subject: str | None) -> Decision[dict[str, Any]]:
    """Takes a config back; the response is what it was. Raises HttpError."""
    require_writable(state, subject)
    config = state.configs.get(subject)
    if config is None and subject is not None:
        raise errors.subject_not_found(subject)
    told = {"compatibilityLevel": DEFAULT_COMPATIBILITY} if config is None else dict(config)
    return Decision(told, [] if config is None else [config_record(subject, None)])


def _level(text: str) -> str:
    try:
        return Level(text.upper()).value
    except ValueError as error:
        raise errors.invalid_level(", ".join(Level)) from error


def _policy(text: str) -> str:
    try:
        return Policy(text.upper()).value
    except ValueError as error:
        raise errors.not_permitted(
            f"Config 'compatibilityPolicy' can be {' or '.join(Policy)}, not {text!r}"
        ) from error


def _kept_name(name: str) -> str:
    """Requests to set the level have another name for it than records and other responses."""
    return "compatibilityLevel" if name == "compatibility" else name


def _told_name(name: str) -> str:
    return "compatibility" if name == "compatibilityLevel" else name
