"""`KafkaCluster`: what tests do to the brokers of a cluster, one by one.

It has one broker, for those of barnabas do not replicate to each other yet; more are refused rather than
played. A test that asks who leads, and does its harm to that broker, need not change when there are several.
"""

from __future__ import annotations

from typing import Any

from barnabas.errors import UnknownTopicOrPartition
from barnabas.testing.kafka import Kafka

BROKERS_MAX = 1


class Broker:
    """One broker of a cluster."""

    def __init__(self, cluster: KafkaCluster, node_id: int) -> None:
        self._cluster = cluster
        self.id = node_id
        """`node.id`."""

    @property
    def address(self) -> str:
        """host:port, the same after a restart."""
        return self._cluster.bootstrap

    @property
    def is_running(self) -> bool:
        """Whether it is neither stopped nor killed."""
        return self._cluster.server is not None

    def stop(self) -> None:
        """Stops it cleanly."""
        self._cluster.stop()

    def kill(self) -> None:
        """Ends it as `kill -9` of its process would."""
        self._cluster.kill()

    def start(self) -> None:
        """Brings it back, on the same port and with the same records."""
        self._cluster.start()

    def restart(self, *, kill: bool = False) -> None:
        """Stops or kills it, and starts it again. Faults do not outlast that."""
        self._cluster.restart(kill=kill)

    def __repr__(self) -> str:
        return f"Broker({self.id}, {self.address if self.is_running else 'stopped'})"


class KafkaCluster(Kafka):
    """A cluster for one test: all that `Kafka` does, and its brokers one by one."""

    def __init__(self, *, brokers: int = 1, **how: Any) -> None:
        """`brokers`: how many; ValueError for more than there can be. `how` is what `Kafka` takes."""
        if not 1 <= brokers <= BROKERS_MAX:
            raise ValueError(
                f"brokers={brokers}: a cluster of the kit has {BROKERS_MAX} broker, for brokers of barnabas "
                "do not replicate to each other yet"
            )
        super().__init__(**how)
        self._brokers: list[Broker] = []

    def start(self) -> KafkaCluster:
        """Starts it, the first time or on what it has written before."""
        super().start()
        if not self._brokers:
            self._brokers = [Broker(self, self.running.node_id)]
        return self

    @property
    def brokers(self) -> list[Broker]:
        """All brokers, those included that are stopped; none before the first start."""
        return list(self._brokers)

    def broker(self, node_id: int) -> Broker:
        """A broker by its id. KeyError where there is none."""
        for broker in self._brokers:
            if broker.id == node_id:
                return broker
        raise KeyError(f"there is no broker {node_id}: there are {[broker.id for broker in self._brokers]}")

    def leader(self, topic: str, partition: int = 0) -> Broker:
        """The broker that leads a partition. Raises UnknownTopicOrPartition."""
        found = self.running.image().topic(topic)
        state = found.partition(partition) if found is not None else None
        if state is None:
            raise UnknownTopicOrPartition(f"There is no partition {topic}-{partition}.")
        return self.broker(state.leader)

    def __enter__(self) -> KafkaCluster:
        return self.start()

    async def __aenter__(self) -> KafkaCluster:
        await super().__aenter__()
        return self

    def __repr__(self) -> str:
        return f"KafkaCluster({self._brokers})"
