"""Rules of schemas, run where values are written and read: conditions, transforms, migrations, encryption.

They are part of a schema in the registry (`ruleSet`); serdes run them without being told to. What runs a rule
is found by its type; one of one's own is an `Executor` that `Rules` is given.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from barnabas.serde.base import Headers
from barnabas.serde.contract import Contract, Mode, Phase, Rule
from barnabas.serde.rules.cel import Cel, CelField
from barnabas.serde.rules.dead_letters import DeadLetters, Produces
from barnabas.serde.rules.encryption import Encrypt, EncryptPayload, Keys
from barnabas.serde.rules.jsonata import Jsonata
from barnabas.serde.rules.running import (
    Action,
    Change,
    Executor,
    FieldExecutor,
    FieldOf,
    RuleError,
    Run,
    Walk,
    go_on,
    refuse,
    run_rules,
)

if TYPE_CHECKING:
    from barnabas.serde.registry import SchemaRegistry

__all__ = [
    "Action",
    "Change",
    "Contract",
    "Executor",
    "FieldExecutor",
    "FieldOf",
    "Rule",
    "RuleError",
    "Rules",
    "Run",
    "Walk",
]


class Rules:
    """What runs rules: those of CEL, CEL_FIELD, JSONATA, ENCRYPT, ENCRYPT_PAYLOAD, and more of one's own."""

    def __init__(
        self,
        executors: Iterable[Executor] = (),
        *,
        actions: Mapping[str, Action] | None = None,
        dead_letters: Produces | None = None,
        dead_letter_topic: str | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """`dead_letters` is a producer for action DLQ. `environment` has the secret of the local key store
        (LOCAL_SECRET), by default that of the process."""
        cel, keys = Cel(), Keys(environment)
        known = (cel, CelField(cel), Jsonata(), Encrypt(keys), EncryptPayload(keys), *executors)
        self._executors: dict[str, Executor] = {each.type: each for each in known}
        own: dict[str, Action] = {
            "ERROR": refuse,
            "NONE": go_on,
            "DLQ": DeadLetters(dead_letters, dead_letter_topic),
        }
        self._actions = {**own, **(actions or {})}

    def run(
        self,
        phase: Phase,
        mode: Mode,
        value: Any,
        contract: Contract,
        *,
        registry: SchemaRegistry,
        topic: str,
        subject: str,
        is_key: bool = False,
        headers: Headers = (),
        original: Any = None,
        walk: Walk | None = None,
    ) -> Any:
        """The value after the rules of a schema. Raises SerializationError where one refuses it."""

        def one(rule: Rule, rules: Sequence[Rule]) -> Run:
            return Run(registry, contract, rule, mode, rules, topic, subject, is_key, headers, original, walk)

        return run_rules(self._executors, self._actions, phase, value, one, contract, mode)


_shared: list[Rules] = []


def shared_rules() -> Rules:
    """Those of serdes that were given none."""
    if not _shared:
        _shared.append(Rules())
    return _shared[0]
