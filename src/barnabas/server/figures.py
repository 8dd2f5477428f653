"""What `/metrics` shows of the coordinators, under the names that Kafka's beans have."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, cast

from barnabas.coordinator.group.kind import GroupKind
from barnabas.coordinator.records import GROUPS, SHARES, TRANSACTIONS
from barnabas.coordinator.shard import Phase

if TYPE_CHECKING:
    from collections.abc import Iterator

    from barnabas._core import Figure
    from barnabas.coordinator.group.machine import GroupMachine
    from barnabas.coordinator.transaction.machine import TransactionMachine
    from barnabas.server.coordinators import Coordinators

GROUP_COORDINATOR = "kafka_server_group_coordinator_metrics"
SHARE_COORDINATOR = "kafka_server_share_coordinator_metrics"
TRANSACTION_COORDINATOR = "kafka_server_transaction_coordinator_metrics"
TRANSACTION_MARKERS = "kafka_coordinator_transaction_TransactionMarkerChannelManager_Value"
CLASSIC_GROUPS = "kafka_coordinator_group_GroupMetadataManager_Value"
PHASES = {Phase.LOADING: "loading", Phase.SERVING: "active"}
CLASSIC_STATES = ("PreparingRebalance", "CompletingRebalance", "Stable", "Empty", "Dead")
STATES = {
    GroupKind.CONSUMER: ("Empty", "Assigning", "Reconciling", "Stable", "Dead"),
    GroupKind.SHARE: ("Empty", "Stable", "Dead"),
    GroupKind.STREAMS: ("Empty", "NotReady", "Assigning", "Reconciling", "Stable", "Dead"),
}


def of_coordinators(coordinators: Coordinators, now: int) -> list[Figure]:
    """Everything, at one moment."""
    return [
        *_partitions(coordinators, GROUPS, GROUP_COORDINATOR),
        *_partitions(coordinators, SHARES, SHARE_COORDINATOR),
        *_load_times(coordinators, GROUPS, GROUP_COORDINATOR),
        *_load_times(coordinators, SHARES, SHARE_COORDINATOR),
        *_load_times(coordinators, TRANSACTIONS, TRANSACTION_COORDINATOR),
        *_groups(coordinators, now),
        *_done(coordinators),
        *_markers(coordinators),
    ]


def _partitions(coordinators: Coordinators, topic: str, family: str) -> Iterator[Figure]:
    phases = Counter(PHASES.get(shard.phase) for shard in coordinators.shards(topic))
    for state in PHASES.values():
        yield f"{family}_num_partitions", [("state", state)], phases[state]


def _load_times(coordinators: Coordinators, topic: str, family: str) -> Iterator[Figure]:
    average, longest = coordinators.load_times(topic)
    yield f"{family}_partition_load_time_avg", [], average
    yield f"{family}_partition_load_time_max", [], longest


def _done(coordinators: Coordinators) -> Iterator[Figure]:
    """Counts since the start; all machines of groups share one tally."""
    from barnabas.coordinator.group.tally import NAMES

    machines = [cast("GroupMachine", shard.machine) for shard in coordinators.shards(GROUPS)]
    for name in NAMES:
        yield f"{GROUP_COORDINATOR}_{name}_count", [], machines[0].tally[name] if machines else 0


def _markers(coordinators: Coordinators) -> Iterator[Figure]:
    """Markers that are to be tried again. Kafka's second queue, of ends that could not be written, is empty:
    here the partition is loaded anew then."""
    waiting = 0
    for shard in coordinators.shards(TRANSACTIONS):
        pending = cast("TransactionMachine", shard.machine).transactions.markers.values()
        waiting += sum(len(one.waiting) for one in pending)
    yield TRANSACTION_MARKERS, [("name", "UnknownDestinationQueueSize")], waiting
    yield TRANSACTION_MARKERS, [("name", "LogAppendRetryQueueSize")], 0


def _groups(coordinators: Coordinators, now: int) -> Iterator[Figure]:
    found: Counter[tuple[GroupKind, str]] = Counter()
    offsets = 0
    for shard in coordinators.shards(GROUPS):
        if shard.phase is Phase.SERVING:
            groups = cast("GroupMachine", shard.machine).groups
            found.update((group.kind, group.state_name(now)) for group in groups.by_id.values())
            offsets += groups.offsets.count()
    kinds = Counter(kind for kind, _ in found.elements())
    for kind in GroupKind:
        yield f"{GROUP_COORDINATOR}_group_count", [("protocol", kind.value)], kinds[kind]
    for kind, states in STATES.items():
        for state in states:
            family = f"{GROUP_COORDINATOR}_{kind.value}_group_count"
            yield family, [("state", state)], found[kind, state]
    yield CLASSIC_GROUPS, [("name", "NumGroups")], kinds[GroupKind.CLASSIC]
    for state in CLASSIC_STATES:
        yield CLASSIC_GROUPS, [("name", f"NumGroups{state}")], found[GroupKind.CLASSIC, state]
    yield CLASSIC_GROUPS, [("name", "NumOffsets")], offsets
