"""The brokers of a cluster: who they are, who coordinates what, and a connection to each that is asked."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from types import TracebackType
from typing import TypeVar

from barnabas.cli.brokers.broker import Broker, Response
from barnabas.cli.connection import REQUEST_SECONDS_MAX, Connection, split_address
from barnabas.cli.errors import CommandFailed
from barnabas.errors import (
    ConcurrentTransactions,
    CoordinatorLoadInProgress,
    CoordinatorNotAvailable,
    KafkaError,
    NotCoordinator,
)
from barnabas.protocol import Message
from barnabas.protocol.generated.api_versions_response import ApiVersionsResponse
from barnabas.protocol.generated.find_coordinator_request import FindCoordinatorRequest
from barnabas.protocol.generated.find_coordinator_response import FindCoordinatorResponse
from barnabas.protocol.generated.metadata_request import MetadataRequest, MetadataRequestTopic
from barnabas.protocol.generated.metadata_response import MetadataResponse, MetadataResponseTopic

GROUP, TRANSACTION = 0, 1
"""What a coordinator is asked for by."""
RETRY_SECONDS = 0.1
COORDINATOR_ERRORS = (
    ConcurrentTransactions,
    CoordinatorLoadInProgress,
    CoordinatorNotAvailable,
    NotCoordinator,
)
"""What a coordinator answers that is not ready: the same question may be answered in a moment."""

Result = TypeVar("Result")


class Brokers:
    """A context that ends with its connections. Errors in answers are the caller's to look at."""

    def __init__(self, connection: Connection) -> None:
        connection.check_reachable()
        self._connection = connection
        self._open: dict[tuple[str, int], Broker] = {}
        self._bootstrap = self._first_reachable()
        self.metadata = self._bootstrap.ask(MetadataRequest(topics=[]), MetadataResponse, lowest=1)
        self._addresses = {broker.node_id: (broker.host, broker.port) for broker in self.metadata.brokers}

    def __enter__(self) -> Brokers:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for broker in self._open.values():
            broker.close()

    @property
    def api_versions(self) -> ApiVersionsResponse:
        """What the first broker that took a connection serves."""
        return self._bootstrap.api_versions

    @property
    def ids(self) -> list[int]:
        return sorted(self._addresses)

    def address(self, node_id: int) -> str:
        host, port = self._addresses[node_id]
        return f"{host}:{port}"

    def ask(
        self,
        request: Message,
        response: type[Response],
        *,
        node_id: int | None = None,
        lowest: int = 0,
        highest: int = 32767,
    ) -> Response:
        """The answer of a broker; of any without `node_id`. Versions are as in `Broker.ask`."""
        broker = self._bootstrap if node_id is None else self._broker(node_id)
        return broker.ask(request, response, lowest=lowest, highest=highest)

    def coordinators(self, key_type: int, keys: Sequence[str]) -> dict[int, list[str]]:
        """The keys by the broker that coordinates them. KafkaError when one has none."""
        if not keys:
            return {}
        request = FindCoordinatorRequest(key_type=key_type, coordinator_keys=keys)
        answer = self.ask(request, FindCoordinatorResponse, lowest=4)
        found: dict[int, list[str]] = {}
        for coordinator in answer.coordinators:
            check(coordinator.error_code, coordinator.error_message)
            self._addresses.setdefault(coordinator.node_id, (coordinator.host, coordinator.port))
            found.setdefault(coordinator.node_id, []).append(coordinator.key)
        return found

    def topics(self, names: Iterable[str] | None) -> dict[str, MetadataResponseTopic]:
        """Those of the topics that there are; all topics with None."""
        asked = None if names is None else [MetadataRequestTopic(name=name) for name in sorted(set(names))]
        if asked == []:
            return {}
        request = MetadataRequest(topics=asked, allow_auto_topic_creation=False)
        answer = self.ask(request, MetadataResponse, lowest=4)
        return {topic.name: topic for topic in answer.topics if topic.name and not topic.error_code}

    def _broker(self, node_id: int) -> Broker:
        if node_id not in self._addresses:
            known = ", ".join(map(str, self.ids))
            raise CommandFailed(f"There is no broker {node_id} in the cluster: it has {known}.")
        return self._at(self._addresses[node_id])

    def _at(self, address: tuple[str, int]) -> Broker:
        if address not in self._open:
            self._open[address] = Broker(self._connection, address)
        return self._open[address]

    def _first_reachable(self) -> Broker:
        problem: CommandFailed | None = None
        for server in self._connection.bootstrap.split(","):
            try:
                return self._at(split_address(server.strip()))
            except CommandFailed as error:
                problem = error
        assert problem is not None
        raise problem


def check(error_code: int, message: str | None = None) -> None:
    """Raises the KafkaError of an error code other than 0."""
    if error_code:
        raise KafkaError.for_code(error_code, message or None)


def retried(call: Callable[[], Result]) -> Result:
    """The outcome of a call to coordinators, which are given some seconds to become ready."""
    deadline = time.monotonic() + REQUEST_SECONDS_MAX
    while True:
        try:
            return call()
        except COORDINATOR_ERRORS:
            if time.monotonic() > deadline:
                raise
        time.sleep(RETRY_SECONDS)
