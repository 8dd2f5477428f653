"""All operations together, for both faces."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any, Self, TypeVar

from barnabas.clients.admin.acls import Acls
from barnabas.clients.admin.cluster import ClusterOperations
from barnabas.clients.admin.configs import ConfigOperations
from barnabas.clients.admin.group_offsets import GroupOffsets
from barnabas.clients.admin.groups import Groups
from barnabas.clients.admin.log_dirs import LogDirs
from barnabas.clients.admin.partitions import Partitions
from barnabas.clients.admin.quotas import Quotas
from barnabas.clients.admin.streams_groups import StreamsGroups
from barnabas.clients.admin.telemetry import Telemetry
from barnabas.clients.admin.tokens import Tokens
from barnabas.clients.admin.topics import Topics
from barnabas.clients.admin.transactions import Transactions
from barnabas.clients.admin.users import Users
from barnabas.clients.results import Results

T = TypeVar("T")


class AllOperations(
    Topics,
    Partitions,
    ConfigOperations,
    Groups,
    StreamsGroups,
    GroupOffsets,
    Transactions,
    Acls,
    Users,
    Tokens,
    Quotas,
    LogDirs,
    ClusterOperations,
    Telemetry,
):
    """What Admin can do, and the habits of one who does."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        addresses = values["bootstrap.servers"]
        self.bootstrap_servers: str = ",".join(f"{host}:{port}" for host, port in addresses)
        self._timeout: float = values["default.api.timeout.ms"] / 1000
        self._raise_errors = True
        self.request_timeout_ms = values["request.timeout.ms"]

    def with_options(self, *, timeout: float | None = None, raise_errors: bool | None = None) -> Self:
        """The same client with other habits: `timeout` is in seconds, for each operation in all
        (`default.api.timeout.ms`); without `raise_errors`, `Results` are given though something failed."""
        other = copy.copy(self)
        if timeout is not None:
            other._timeout = timeout
            other.request_timeout_ms = min(self.request_timeout_ms, max(1, int(timeout * 1000)))
        if raise_errors is not None:
            other._raise_errors = raise_errors
        return other

    def _checked(self, result: T) -> T:
        if isinstance(result, Results) and self._raise_errors:
            result.check()
        return result
