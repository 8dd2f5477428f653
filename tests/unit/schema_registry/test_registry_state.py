"""What a registry knows, by its operations: against a model, and replayed."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from barnabas.http.errors import HttpError
from barnabas.schema_registry import configs, contexts, modes, records
from barnabas.schema_registry.contracts import rule_set_of
from barnabas.schema_registry.decision import Decision
from barnabas.schema_registry.deleting import delete_subject, delete_version
from barnabas.schema_registry.entries import Schema, Version
from barnabas.schema_registry.parsing import Parser
from barnabas.schema_registry.registering import Offered, lookup, register
from barnabas.schema_registry.state import State

OPEN = '{"type":"object","properties":{}}'
SUBJECTS = st.sampled_from(["a", "b/c", ":.ctx:a", ":.other:b"])
TEXTS = st.integers(0, 7).map(lambda number: json.dumps({"type": "fixed", "name": f"F{number}", "size": 1}))


def said(state: State) -> dict[str, Any]:
    """All that a state says, to compare it with another's. Order of versions included."""
    return {
        "subjects": {name: list(versions.values()) for name, versions in sorted(state.subjects.items())},
        "configs": state.configs,
        "modes": state.modes,
        "contexts": state.contexts,
        "ids": {
            (version.subject, version.number): state.id_of(
                contexts.context_of(version.subject), version.schema
            )
            for versions in state.subjects.values()
            for version in versions.values()
        },
    }


class Registrations(RuleBasedStateMachine):
    """Operations in any order. Every record goes through its bytes."""

    def __init__(self) -> None:
        super().__init__()
        self.state = State()
        self.parser = Parser()
        self.log: list[tuple[bytes, bytes | None]] = []
        self.given: dict[tuple[str, int], str] = {}
        """What ids were given out for, ever."""

    def write(self, decision: Decision[Any]) -> None:
        for record in decision.records:
            self.log.append(records.encode(record))
            self.state.replay(records.decode(*self.log[-1]))

    @rule(subject=SUBJECTS, text=TEXTS)
    def register(self, subject: str, text: str) -> None:
        before = self.state.id_max(contexts.context_of(subject))
        offered = Offered(Schema.of("AVRO", text))
        decision = register(self.state, self.parser, subject, offered, normalize=False, force=True)
        self.write(decision)
        version, context = decision.response, contexts.context_of(subject)
        known = self.given.setdefault((context, version.id), text)
        assert known == text, "an id stands for one schema for ever"
        assert version.id <= before + 1
        assert self.state.version(subject, version.number) == version or not decision.records
        again = register(self.state, self.parser, subject, offered, normalize=False)
        assert again.records == []
        assert again.response.id == version.id
        found = lookup(self.state, self.parser, subject, offered.schema, normalize=False, deleted=False)
        assert found is not None
        assert found.id == version.id

    @rule(subject=SUBJECTS, number=st.integers(1, 4), permanent=st.booleans())
    def delete_version(self, subject: str, number: int, permanent: bool) -> None:
        version = self.state.version(subject, number)
        if version is None:
            return
        if version.deleted != permanent:
            with pytest.raises(HttpError) as error:
                delete_version(self.state, version, permanent=permanent)
            assert error.value.code == (40407 if permanent else 40406)
            return
        self.write(delete_version(self.state, version, permanent=permanent))
        after = self.state.version(subject, number)
        assert after is None if permanent else after is not None and after.deleted

    @rule(subject=SUBJECTS, permanent=st.booleans())
    def delete_subject(self, subject: str, permanent: bool) -> None:
        versions = self.state.versions(subject, deleted=True)
        alive = any(not version.deleted for version in versions)
        if not versions or alive == permanent:
            with pytest.raises(HttpError) as error:
                delete_subject(self.state, subject, permanent=permanent)
            code = 40401 if not versions else 40405 if permanent else 40404
            assert error.value.code == code
            return
        self.write(delete_subject(self.state, subject, permanent=permanent))
        assert self.state.versions(subject, deleted=permanent) == []

    @rule(subject=st.none() | SUBJECTS, level=st.sampled_from(["FULL", "NONE"]), normalize=st.booleans())
    def configure(self, subject: str | None, level: str, normalize: bool) -> None:
        request = {"compatibility": level, "normalize": normalize}
        decision = configs.update(self.state, subject, request)
        assert decision.response == request | {"normalize": normalize}
        self.write(decision)
        assert self.state.config_in_scope(subject)["compatibilityLevel"] == level

    @invariant()
    def ids_are_one_to_one(self) -> None:
        for versions in self.state.subjects.values():
            for version in versions.values():
                context = contexts.context_of(version.subject)
                assert {each.schema for each in self.state.with_id(context, version.id)} == {version.schema}
                assert (context, version.id) in self.state.with_guid(version.schema.guid)

    def teardown(self) -> None:
        replayed = State()
        for key, value in self.log:
            replayed.replay(records.decode(key, value))
        assert said(replayed) == said(self.state) == said(self.state.copy())
        # What compaction leaves says the same; ids whose schemas are gone are not given out again.
        compacted = State()
        last = {key: index for index, (key, _) in enumerate(self.log)}
        for index, (key, value) in enumerate(self.log):
            if last[key] == index:
                compacted.replay(records.decode(key, value))
        assert said(compacted) == said(self.state)
        for context in (".", *self.state.contexts):
            assert compacted.next_id(context) == self.state.next_id(context)


TestRegistrations = Registrations.TestCase
TestRegistrations.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)


def registered(state: State, subject: str, text: str, **more: Any) -> Version:
    """Registers a schema, as the registry would."""
    offered = Offered(Schema.of("AVRO", text), **more)
    decision = register(state, Parser(), subject, offered, normalize=False)
    for record in decision.records:
        state.replay(record)
    return decision.response


def test_one_schema_has_one_id_in_a_context_and_ids_of_contexts_are_apart() -> None:
    state = State()
    assert registered(state, "a", '"int"').id == 1
    assert registered(state, "b", '"string"').id == 2
    assert registered(state, "b2", '"int"').id == 1
    assert registered(state, ":.c:a", '"string"').id == 1
    assert state.contexts == {".c"}


def test_the_id_of_what_was_deleted_for_good_is_not_given_out_again() -> None:
    state = State()
    version = registered(state, "a", '"int"')
    for permanent in (False, True):
        for record in delete_subject(state, "a", permanent=permanent).records:
            state.replay(record)
    assert list(state.with_id(".", version.id)) == []
    assert registered(state, "a", '"string"').id == 2


def test_an_incompatible_schema_is_refused_with_what_and_where() -> None:
    state = State()
    registered(state, "a", '{"type":"record","name":"R","fields":[{"name":"x","type":"int"}]}')
    with pytest.raises(HttpError) as error:
        registered(state, "a", '{"type":"record","name":"R","fields":[{"name":"y","type":"int"}]}')
    assert (error.value.status, error.value.code) == (409, 40901)
    assert "READER_FIELD_MISSING_DEFAULT_VALUE" in error.value.message
    assert "oldSchemaVersion: 1" in error.value.message


def test_a_reference_holds_what_it_refers_to() -> None:
    state, parser = State(), Parser()
    registered(state, "base", '{"type":"fixed","name":"F","size":2}')
    body = '{"type":"record","name":"R","fields":[{"name":"f","type":"F"}]}'
    from barnabas.schema_registry.entries import Reference

    schema = Schema.of("AVRO", body, (Reference("F", "base", 1),))
    decision = register(state, parser, "top", Offered(schema), normalize=False)
    for record in decision.records:
        state.replay(record)
    assert [version.subject for version in state.referrers("base", 1)] == ["top"]
    base = state.version("base", 1)
    assert base is not None
    with pytest.raises(HttpError) as error:
        delete_version(state, base, permanent=False)
    assert error.value.code == 42206
    with pytest.raises(HttpError) as error:
        registered(state, "other", body)
    assert error.value.code == 42201


def test_modes_say_who_may_write() -> None:
    state = State()
    for record in modes.set_mode(state, "a", "READONLY", force=False).records:
        state.replay(record)
    with pytest.raises(HttpError) as error:
        registered(state, "a", '"int"')
    assert error.value.code == 42205
    assert registered(state, "b", '"int"').id == 1
    with pytest.raises(HttpError) as error:
        registered(state, "b", '"string"', id=9)
    assert error.value.code == 42205
    for record in modes.set_mode(state, "i", "IMPORT", force=False).records:
        state.replay(record)
    imported = registered(state, "i", '"string"', id=9, version=4)
    assert (imported.id, imported.number) == (9, 4)
    assert registered(state, "b", '"long"').id == 10


def written(state: State, decision: Decision[Any]) -> None:
    for record in decision.records:
        state.replay(records.decode(*records.encode(record)))


def test_a_config_says_what_schemas_have_that_say_nothing_themselves() -> None:
    state = State()
    owner, team = {"properties": {"owner": "nobody", "kept": "yes"}}, {"properties": {"team": "all"}}
    first = {"name": "first", "type": "CEL", "mode": "WRITE"}
    request = {
        "defaultMetadata": owner,
        "overrideMetadata": team,
        "defaultRuleSet": {"domainRules": [first]},
        "overrideRuleSet": {"domainRules": [{**first, "name": "second"}]},
    }
    written(state, configs.update(state, "a", request))
    schema = Schema.of("AVRO", '"int"', (), {"properties": {"owner": "me", "team": "mine"}})
    written(state, register(state, Parser(), "a", Offered(schema), normalize=False))
    latest = state.latest("a")
    assert latest is not None
    assert latest.schema.metadata == {"properties": {"owner": "me", "kept": "yes", "team": "all"}}
    assert latest.schema.rule_set is not None
    assert [rule["name"] for rule in latest.schema.rule_set["domainRules"]] == ["first", "second"]
    # Neither a text nor metadata: what was there before is meant.
    again = register(state, Parser(), "a", Offered(Schema.of("AVRO", "")), normalize=False)
    assert (again.response, again.records) == (latest, [])


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        ({"compatibilityPolicy": "LOGICAL"}, 42205),
        ({"defaultMetadata": {"owner": "me"}}, 42201),
        ({"compatibilityPolicy": "none"}, 42205),
        ({"overrideRuleSet": {"domainRules": [{"name": "typeless"}]}}, 42210),
        ({"alias": 1}, 422),
        ({"unknown": 1}, 422),
    ],
)
def test_a_config_that_would_mean_nothing_is_refused(request_: dict[str, Any], code: int) -> None:
    with pytest.raises(HttpError) as error:
        configs.update(State(), "a", request_)
    assert (error.value.status, error.value.code) == (422, code)


def test_the_policy_of_a_subject_decides_how_json_schemas_are_compared() -> None:
    state = State()
    written(state, register(state, Parser(), "a", Offered(Schema.of("JSON", OPEN)), normalize=False))
    wider = Offered(Schema.of("JSON", '{"type":"object","properties":{"x":{"type":"string"}}}'))
    with pytest.raises(HttpError) as error:
        register(state, Parser(), "a", wider, normalize=False)
    assert error.value.status == 409
    decision = configs.update(state, "a", {"compatibilityPolicy": "lenient"})
    assert decision.response == {"compatibilityPolicy": "LENIENT"}
    written(state, decision)
    assert register(state, Parser(), "a", wider, normalize=False).response.number == 2
    # One that another registry has written counts as the strict one, which they all begin with.
    state.configs["a"]["compatibilityPolicy"] = "LOGICAL"
    with pytest.raises(HttpError):
        register(state, Parser(), "a", wider, normalize=False)


RULE = {"name": "r", "type": "CEL", "mode": "WRITE"}


@pytest.mark.parametrize(
    ("rule_set", "reason"),
    [
        ({"domainRules": [{**RULE, "name": "two words"}]}, "'two words' is no name for a rule"),
        ({"domainRules": [{**RULE, "name": "1st"}]}, "'1st' is no name for a rule"),
        ({"domainRules": [{**RULE, "name": "a" * 257}]}, "at most 256"),
        ({"domainRules": [RULE], "encodingRules": [RULE]}, "two rules 'r'"),
        ({"domainRules": [{**RULE, "onFailure": "ERROR,NONE"}]}, "has two actions"),
        ({"migrationRules": [RULE]}, "mode of rule 'r' in migrationRules must be one of UPGRADE"),
    ],
)
def test_a_rule_set_that_nobody_could_run_is_refused(rule_set: dict[str, Any], reason: str) -> None:
    with pytest.raises(HttpError, match=re.escape(reason)) as error:
        rule_set_of(rule_set)
    assert (error.value.status, error.value.code) == (422, 42210)


@pytest.mark.parametrize(
    "rule",
    [
        {**RULE, "name": "_größe-2" + "a" * 248},
        {**RULE, "mode": "WRITEREAD", "onSuccess": "NONE,ERROR"},
        {**RULE, "onFailure": "DLQ"},
    ],
)
def test_what_a_rule_may_be_called_and_do(rule: dict[str, Any]) -> None:
    assert rule_set_of({"domainRules": [rule]}) == {"domainRules": [rule]}


def test_an_alias_stands_for_a_subject_of_its_own_context() -> None:
    state = State()
    written(state, configs.update(state, ":.c:name", {"alias": "subject"}))
    written(state, configs.update(state, "name", {"alias": ":.c:subject"}))
    assert state.aliased(":.c:name") == state.aliased("name") == ":.c:subject"
    assert state.aliased("subject") == "subject"


def test_in_mode_forward_schemas_come_with_their_ids() -> None:
    state = State()
    with pytest.raises(HttpError) as error:
        modes.set_mode(state, "a", "FORWARD", force=False)
    assert error.value.code == 42204
    written(state, modes.set_mode(state, None, "FORWARD", force=False))
    assert registered(state, "a", '"int"', id=7).id == 7
    with pytest.raises(HttpError) as error:
        registered(state, "a", '"string"')
    assert error.value.code == 42205
