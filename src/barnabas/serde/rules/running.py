"""Runs the rules of a schema over a value, and does what each says is to be done when it has run."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from barnabas.serde.base import Headers, SerializationError
from barnabas.serde.contract import Contract, Mode, Phase, Rule

if TYPE_CHECKING:
    from barnabas.serde.registry import SchemaRegistry

NAME_HEADER = "__rule.name"
"""Names the rule that sent a record to a dead-letter topic: passed over when that record comes again."""
PRIMITIVE = frozenset({"STRING", "BYTES", "INT", "LONG", "FLOAT", "DOUBLE", "BOOLEAN", "NULL"})


class RuleError(SerializationError):
    """A rule that failed: a condition that does not hold, or what could not be run."""


@dataclass(slots=True)
class FieldOf:
    """A field that a rule is asked about."""

    message: Any
    """What the field is a part of."""
    path: str
    """Its full name: `ns.Record.field`, `$.list.field`."""
    name: str
    type: str
    """STRING, BYTES, INT, LONG, FLOAT, DOUBLE, BOOLEAN, NULL, ENUM, FIXED, RECORD, ARRAY, MAP or COMBINED."""
    tags: frozenset[str]


Change = Callable[[FieldOf, Any], Any]
"""What becomes of a field's value; for a condition, whether it holds."""
Walk = Callable[["Run", Any, Change], Any]
"""Goes through the fields that a rule is for: those that share a tag with it, or all if it has none."""


@dataclass(slots=True)
class Run:
    """One rule, and all there is to know where it is run."""

    registry: SchemaRegistry
    contract: Contract
    rule: Rule
    mode: Mode
    rules: Sequence[Rule]
    topic: str
    subject: str
    is_key: bool
    headers: Headers
    original: Any
    """What was given to be written or read."""
    walk: Walk | None

    def parameter(self, name: str) -> str | None:
        """A parameter of the rule; if it has none, the property of the schema's metadata."""
        return self.rule.params.get(name) or self.contract.properties.get(name)

    def concerns(self, field: FieldOf) -> bool:
        """Whether the rule is for a field."""
        return not self.rule.tags or not self.rule.tags.isdisjoint(field.tags)

    def field(self, message: Any, path: str, name: str, type: str, tags: Iterable[str]) -> FieldOf:
        """A field with all of its tags."""
        return FieldOf(message, path, name, type, frozenset(tags) | self.contract.tags(path))

    def changed(self, field: FieldOf, value: Any, change: Change) -> Any:
        """What a field's value is to be. Raises RuleError for a condition that does not hold."""
        found = change(field, value)
        if self.rule.kind != "CONDITION":
            return found
        if found is False:
            raise RuleError(self.broken())
        return value

    def broken(self) -> str:
        """What is said of a condition that does not hold."""
        return f"rule '{self.rule.name}' does not hold: {self.rule.doc or self.rule.expr}"


class Executor(ABC):
    """Runs rules of one type."""

    type: str

    @abstractmethod
    def run(self, run: Run, value: Any) -> Any:
        """The value that a transform makes, or whether a condition holds."""


class FieldExecutor(Executor):
    """Runs rules that are for each field by itself."""

    @abstractmethod
    def change(self, run: Run) -> Change:
        """What is done with one field."""

    def run(self, run: Run, value: Any) -> Any:
        at = run.rules.index(run.rule)
        others = run.rules[:at] if run.mode in ("WRITE", "UPGRADE") else run.rules[at + 1 :]
        if any(_repeats(run.rule, other) for other in others):
            return run.rule.kind == "CONDITION" or value
        if run.walk is None:
            raise RuleError(f"rule '{run.rule.name}' of type {self.type} has no fields to look at")
        found = run.walk(run, value, self.change(run))
        return run.rule.kind == "CONDITION" or found


def _repeats(rule: Rule, other: Rule) -> bool:
    """Whether two transforms are the same for the same fields: done once, they are done."""
    return (
        bool(rule.tags)
        and rule.kind == other.kind == "TRANSFORM"
        and (rule.mode, rule.type, rule.tags) == (other.mode, other.type, other.tags)
    )


Action = Callable[[Run, "Exception | None"], None]
"""Done once a rule has run, with its error if it failed. Raises SerializationError to refuse the value."""


def run_rules(
    executors: dict[str, Executor],
    actions: dict[str, Action],
    phase: Phase,
    value: Any,
    run: Callable[[Rule, Sequence[Rule]], Run],
    contract: Contract,
    mode: Mode,
) -> Any:
    """The value after all rules of a phase. Raises SerializationError."""
    rules = contract.rules(phase, mode)
    for rule in rules:
        one = run(rule, rules)
        if not rule.runs(mode) or _was_sent_by(rule, one.headers):
            continue
        failure: Exception | None = None
        found = None
        try:
            executor = executors.get(rule.type)
            if executor is None:
                raise RuleError(f"rule '{rule.name}': nothing runs rules of type {rule.type or 'none'}")
            found = executor.run(one, value)
            if rule.kind == "CONDITION" and not found:
                raise RuleError(one.broken())
        except RuleError as error:
            failure = error
        except SerializationError:
            raise  # No failure of the rule: a library is missing, the registry can't be asked.
        except Exception as error:  # a rule may raise whatever its expression runs into
            failure = error
        if failure is None and rule.kind == "TRANSFORM":
            value = found
        action = rule.action(mode, failed=failure is not None or value is None)
        do = actions.get(action)
        if do is None:
            raise RuleError(f"rule '{rule.name}': there is no action {action}") from failure
        do(one, failure)
        if value is None:
            return None
    return value


def _was_sent_by(rule: Rule, headers: Headers) -> bool:
    found = next((value for key, value in reversed(headers) if key == NAME_HEADER), None)
    return found is not None and found == rule.name.encode()


def refuse(run: Run, failure: Exception | None) -> None:
    """Action ERROR: the value is not written, or not read."""
    if isinstance(failure, RuleError):
        raise failure
    said = "it gave nothing" if failure is None else f"{type(failure).__name__}: {failure}"
    raise RuleError(f"rule '{run.rule.name}' failed on {run.mode}: {said}") from failure


def go_on(_run: Run, _failure: Exception | None) -> None:
    """Action NONE: nothing more."""
