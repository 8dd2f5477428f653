"""A registry that runs: the schemas of a cluster, as its topic says them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from barnabas.schema_registry import records
from barnabas.schema_registry.parsing import Parser
from barnabas.schema_registry.records import Record, noop_record
from barnabas.schema_registry.replica import Records, Replica
from barnabas.schema_registry.state import State
from barnabas.schema_registry.storage import TOPIC


class Registry(Replica[State]):
    """Schemas, and what parses them. All calls belong into one event loop."""

    def __init__(self, configs: Mapping[str, Any], cluster_id: str = "") -> None:
        """`configs`: of clients of the cluster, by Kafka's names."""
        super().__init__(configs, TOPIC, State(), Records(records.decode, records.encode, noop_record()))
        self.configs = dict(configs)
        self.parser = Parser()
        self.cluster_id = cluster_id
        self.changed: Callable[[], None] = lambda: None
        """Called before anything is answered that a published response may contradict."""

    def _replay(self, record: Record, timestamp: int) -> None:
        adds = self._adds(record)
        super()._replay(record, timestamp)
        if not adds:
            self.changed()

    def _adds(self, record: Record) -> bool:
        """Whether a record takes nothing back that was said before."""
        key, value = record.key, record.value
        if key.keytype == "SCHEMA" and value is not None and not value.get("deleted"):
            assert key.subject is not None
            assert key.version is not None
            return self.state.version(key.subject, key.version) is None
        return key.keytype in ("NOOP", "CONTEXT")
