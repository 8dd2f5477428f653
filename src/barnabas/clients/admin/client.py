"""`barnabas.Admin`."""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self, TypeVar

from barnabas.clients.admin.all import AllOperations
from barnabas.clients.calls import Calls
from barnabas.clients.configs import admin_values
from barnabas.clients.operation import Face
from barnabas.clients.plan import Plan

T = TypeVar("T")


class Admin(AllOperations, Face):
    """Looks after a cluster: topics, partitions, configs, groups, transactions, access, users, quotas,
    brokers.

    Configs have Kafka's names, as keywords with underscores or in a mapping, as those of `Producer`.

        with Admin(bootstrap_servers="localhost:9092") as admin:
            admin.create_topics(NewTopic("orders", partitions=3))
            print(admin.describe_topics("orders"))

    What concerns several things gives `Results`, a mapping. When one of them failed its error is raised,
    after all were tried; `admin.with_options(raise_errors=False)` gives the results instead, and looking at
    the one that failed raises. Any number of threads may use it; a child process of the one that made it may
    not."""

    def __init__(self, configs: Mapping[str, Any] | None = None, /, **keywords: Any) -> None:
        values = admin_values(configs, keywords)
        self._calls = Calls(values)
        AllOperations.__init__(self, values)

    def run(self, plan: Plan[T]) -> T:
        """Carries out a plan."""
        return self._checked(self._calls.run(plan, self._timeout))

    def close(self) -> None:
        """Ends it, and all that came of `with_options`."""
        self._calls.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
