"""A registry that runs: the schemas of a cluster, as its topic says them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from barnabas.http.metrics import Figure
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

    def figures(self) -> list[Figure]:
        """For those who look after it."""
        state, primary = self.state, self.leadership.told()["is_primary"]
        versions = sum(map(len, state.subjects.values()))
        return [
            Figure("barnabas_registry_subjects", "Subjects with versions.", len(state.subjects)),
            Figure("barnabas_registry_versions", "Versions of all subjects, deleted ones too.", versions),
            Figure("barnabas_registry_schemas", "Schemas that have an id.", state.schema_count),
            Figure("barnabas_registry_is_primary", "1 on the instance that writes.", int(primary)),
            Figure(
                "barnabas_registry_is_readable", "0 while the topic can't be read.", int(not self.problem)
            ),
            Figure("barnabas_registry_offset", "Offset of the record that was read last.", self.offset),
            Figure(
                "barnabas_registry_quarantined_records", "Records left out as unusable.", self.quarantined
            ),
        ]

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
