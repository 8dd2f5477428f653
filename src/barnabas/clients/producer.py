"""`barnabas.Producer`."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, cast

from barnabas._core import NativeProducer
from barnabas.clients.configs import producer_values
from barnabas.clients.delivery import Delivery
from barnabas.clients.transaction import Group, Offsets, TransactionBlock, group_of, offsets_of
from barnabas.errors import BarnabasError, ClientTimeout

if TYPE_CHECKING:
    from barnabas._core import Data, Headers
    from barnabas.clients.interceptors import OnAcknowledgement, OnSend
    from barnabas.clients.serdes import Serializers

Partitioner = Callable[["Data", "Data", int], int]
"""Chooses the partition of a record that names none, from its key, its value and the number of partitions."""


class Producer(NativeProducer):
    """Sends records to topics.

    Configs have Kafka's names, as keywords with underscores (`bootstrap_servers="localhost:9092"`) or in a
    mapping (`{"bootstrap.servers": "localhost:9092"}`).

    `produce` hands a record in and returns at once; it is sent with others. A failure that nobody asked
    about is raised by the next `flush` or by the end of the `with` block. `on_delivery` is called with an
    exception or with where the record lies, from `poll` or `flush`, in the thread that calls them.

        with Producer(bootstrap_servers="localhost:9092") as producer:
            for number in range(1_000_000):
                producer.produce("orders", f"order {number}")

    With a `transactional_id` all records are parts of transactions (`transaction`).

    With `key_serializer` and `value_serializer` keys and values are what those write; `send_batch` takes
    bytes all the same.

    `partitioner` may be a callable, which is given key, value and the number of partitions in the thread that
    produces. `on_send` is given each record before it is taken and may give back another;
    `on_acknowledgement` hears of each record's result as `on_delivery` does. `send_batch` calls none of
    them.

    It may be used by many threads, but not in a child process of the one that made it.
    """

    def __new__(
        cls,
        configs: Mapping[str, Any] | None = None,
        /,
        *,
        partitioner: str | Partitioner = "default",
        on_send: OnSend | None = None,
        on_acknowledgement: OnAcknowledgement | None = None,
        **keywords: Any,
    ) -> Self:
        """Begins to connect, without waiting for it."""
        own = None
        if callable(partitioner):
            own = partitioner
        elif partitioner != "default":
            keywords["partitioner"] = partitioner
        values = producer_values(configs, keywords)
        has_serdes = any(values[name] is not None for name in ("key.serializer", "value.serializer"))
        if on_send is None and on_acknowledgement is None and not has_serdes:
            return super().__new__(cls, values, secrets.randbits(63), own)
        from barnabas.clients.interceptors import intercepted
        from barnabas.clients.serdes import Serializers

        kind = cast(type[Self], intercepted(cls))
        producer = super().__new__(kind, values, secrets.randbits(63), own)
        producer._on_send, producer._on_acknowledgement = on_send, on_acknowledgement
        producer._serializers = Serializers.of(values)
        return producer

    def send(
        self,
        topic: str,
        value: Any = None,
        key: Any = None,
        partition: int | None = None,
        timestamp: int | None = None,
        headers: Headers | None = None,
    ) -> Delivery:
        """Hands a record in; `result()` of what comes back waits until it is delivered, and says where it
        lies."""
        delivery = Delivery(self)
        self.produce(topic, value, key, partition, delivery.done, timestamp, headers)
        return delivery

    def flush(self, timeout: float | None = None) -> None:
        """Sends everything at once and waits until it is done. Raises the first failure that nobody asked
        about, and ClientTimeout when `timeout` seconds are not enough."""
        if not self.flush_all(timeout):
            raise ClientTimeout(f"not everything was delivered in {timeout} seconds")

    def metrics(self) -> dict[str, float]:
        """Figures by the names of Apache Kafka's clients (`record-send-total`, `request-latency-avg`,
        `batch-size-avg`, …), of the time since the producer began. Means and maxima of nothing are not a
        number."""
        return self.figures()

    def partitions_for(self, topic: str, timeout: float | None = 60.0) -> list[int]:
        """Numbers of the topic's partitions."""
        return list(range(self.partition_count(topic, timeout)))

    # ---- transactions

    def transaction(self) -> TransactionBlock:
        """A transaction, as a `with` block: committed at its end, aborted when an exception leaves it.

            with producer.transaction():
                producer.produce("orders", b"paid")
                producer.send_offsets(consumer.group_metadata(), offsets)

        ProducerFenced is raised once another producer has the same `transactional.id`: this one can only be
        closed then."""
        return TransactionBlock(self)

    def init_transactions(self, timeout: float | None = None) -> None:
        """Waits until the coordinator knows this producer, and has ended what an earlier one with its
        `transactional.id` has left open. `begin_transaction` does so too. Time-outs of transactional calls
        are `max.block.ms` unless they are given."""
        self._in_time(self.transactions_ready(timeout), "the producer is not registered yet", timeout)

    def begin_transaction(self, timeout: float | None = None) -> None:
        """Begins a transaction."""
        self._in_time(self.transaction_begun(timeout), "no transaction could be begun", timeout)

    def commit_transaction(self, timeout: float | None = None) -> None:
        """Sends everything and commits it. After ClientTimeout it is not known whether it is committed: call
        it again. After another error the transaction has to be aborted, unless that is ProducerFenced."""
        self.end_transaction(commit=True)
        self._in_time(self.transaction_ended(timeout), "the transaction is still being committed", timeout)

    def abort_transaction(self, timeout: float | None = None) -> None:
        """Gives up what is not sent, and takes the rest back."""
        self.end_transaction(commit=False)
        self._in_time(self.transaction_ended(timeout), "the transaction is still being aborted", timeout)

    def send_offsets(self, group: Group, offsets: Offsets, timeout: float | None = None) -> None:
        """Commits a consumer's offsets with the transaction: `group` is its `group_metadata()`, or a group's
        name; `offsets` are those of the records that come next, by topic and partition."""
        self.add_offsets(group_of(group), offsets_of(offsets))
        self._in_time(self.offsets_added(timeout), "the offsets are not part of the transaction yet", timeout)

    def send_offsets_to_transaction(
        self, offsets: Offsets, group: Group, timeout: float | None = None
    ) -> None:
        """`send_offsets` as Java's clients and librdkafka's call it."""
        self.send_offsets(group, offsets, timeout)

    @staticmethod
    def _in_time(done: bool, what: str, timeout: float | None) -> None:
        if not done:
            raise ClientTimeout(f"{what} after {'max.block.ms' if timeout is None else f'{timeout} seconds'}")

    # ---- the end

    def close(self, timeout: float | None = None) -> None:
        """Delivers what was handed in, waiting up to `timeout` seconds, and gives the rest up. An open
        transaction is aborted."""
        try:
            if self.in_transaction:
                self.abort_transaction(timeout)
            self.flush(timeout)
        except BaseException:
            with contextlib.suppress(BarnabasError):  # What came first is what matters.
                self.stop()
            raise
        self.stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()
            return
        with contextlib.suppress(BarnabasError):  # What went wrong in the block is what matters.
            if issubclass(kind, Exception):
                self.close()
            else:
                self.stop()  # Ctrl-C: at once.

    _on_send: OnSend | None
    _on_acknowledgement: OnAcknowledgement | None
    _serializers: Serializers | None = None
