"""`barnabas.Producer`."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from barnabas._core import NativeProducer
from barnabas.clients.configs import producer_values
from barnabas.clients.delivery import Delivery
from barnabas.errors import BarnabasError, ClientTimeout

if TYPE_CHECKING:
    from barnabas._core import Data, Headers


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

    It may be used by many threads, but not in a child process of the one that made it.
    """

    def __new__(cls, configs: Mapping[str, Any] | None = None, /, **keywords: Any) -> Self:
        """Begins to connect, without waiting for it."""
        return super().__new__(cls, producer_values(configs, keywords), secrets.randbits(63))

    def send(
        self,
        topic: str,
        value: Data = None,
        key: Data = None,
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

    def partitions_for(self, topic: str, timeout: float | None = 60.0) -> list[int]:
        """Numbers of the topic's partitions."""
        return list(range(self.partition_count(topic, timeout)))

    def close(self, timeout: float | None = None) -> None:
        """Delivers what was handed in, waiting up to `timeout` seconds, and gives the rest up."""
        try:
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
