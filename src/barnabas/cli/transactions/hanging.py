"""Transactions that a partition takes for open and that no coordinator will end.

They hold up `read_committed` consumers and compaction for good. Older brokers could leave some behind, until
KIP-890 closed the ways; a partition restored from elsewhere still can.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from barnabas.cli.brokers import Brokers
from barnabas.cli.brokers.offsets import Partition
from barnabas.cli.transactions.asking import describe_producers, describe_transactions, list_transactions
from barnabas.cli.transactions.model import Producer, Transaction


def find_hanging(
    brokers: Brokers, places: Mapping[Partition, int], older_than_ms: int, now_ms: int
) -> list[Producer]:
    """The producers of hanging transactions in partitions, each asked of the broker that is given with it."""
    by_broker: dict[int, list[Partition]] = {}
    for place, node_id in places.items():
        by_broker.setdefault(node_id, []).append(place)
    candidates = [
        producer
        for node_id, mine in sorted(by_broker.items())
        for producer in describe_producers(brokers, node_id, sorted(mine))
        if producer.start_offset is not None and now_ms - producer.last_timestamp_ms > older_than_ms
    ]
    if not candidates:
        return []
    producer_ids = sorted({producer.producer_id for producer in candidates})
    listed = list_transactions(brokers, producer_ids=producer_ids)
    described = describe_transactions(brokers, [one.name for one in listed])
    return hanging(candidates, described.values())


def hanging(candidates: Sequence[Producer], transactions: Collection[Transaction]) -> list[Producer]:
    """Those of the open transactions of which no coordinator knows that they are open in that partition."""
    known = {(one.producer_id, place) for one in transactions for place in one.partitions}
    return [producer for producer in candidates if (producer.producer_id, producer.place) not in known]
