"""Which open transactions hang."""

from barnabas.cli.transactions.hanging import hanging
from barnabas.cli.transactions.model import Producer, Transaction


def producer(producer_id: int, partition: int = 0) -> Producer:
    return Producer("orders", partition, producer_id, 0, 0, 1000, 0, 5)


def transaction(producer_id: int, *partitions: int, state: str = "Ongoing") -> Transaction:
    places = tuple(("orders", index) for index in partitions)
    return Transaction("id", 1, producer_id, 0, state, 60_000, 1000, places)


def test_transaction_that_a_coordinator_has_open_does_not_hang() -> None:
    assert hanging([producer(7)], [transaction(7, 0)]) == []
    assert hanging([producer(7)], [transaction(7, 0, state="PrepareAbort")]) == []


def test_transaction_that_nobody_knows_hangs() -> None:
    assert hanging([producer(7), producer(8)], [transaction(8, 0)]) == [producer(7)]


def test_transaction_that_is_open_elsewhere_hangs_here() -> None:
    assert hanging([producer(7, 0), producer(7, 1)], [transaction(7, 1)]) == [producer(7, 0)]
    assert hanging([producer(7)], [transaction(7)]) == [producer(7)]
