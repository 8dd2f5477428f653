"""Rules in JSONata: what a value of one version is in another; evaluated by jsonata-python."""

from __future__ import annotations

import threading
from importlib import import_module
from typing import Any

from barnabas.serde.base import SerializationError
from barnabas.serde.rules.running import Executor, Run

EXPRESSIONS_MAX = 1_000
"""Expressions that each thread remembers."""


class Jsonata(Executor):
    """The value is what the expression begins with."""

    type = "JSONATA"

    def __init__(self) -> None:
        # An expression keeps what it is evaluating: each thread has its own.
        self._threads = threading.local()

    def run(self, run: Run, value: Any) -> Any:
        try:
            jsonata = import_module("jsonata")
        except ImportError:
            raise SerializationError(
                "jsonata-python is not installed: pip install 'barnabas[rules]'"
            ) from None
        known = self._threads.__dict__.setdefault("expressions", {})
        expression = known.get(run.rule.expr)
        if expression is None:
            if len(known) >= EXPRESSIONS_MAX:
                known.clear()
            expression = known[run.rule.expr] = jsonata.Jsonata(run.rule.expr)
        return expression.evaluate(value)
