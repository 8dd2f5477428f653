"""The brokers of a cluster: who they are, who coordinates what, and what they answer."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from types import TracebackType
from typing import TypeVar

from barnabas.cli.connection import CLIENT_ID, REQUEST_SECONDS_MAX, Connection
from barnabas.cli.errors import CommandFailed
from barnabas.clients.plan import ANY, VERSION_MAX, answered, node
from barnabas.errors import (
    ClientTimeout,
    ConcurrentTransactions,
    CoordinatorLoadInProgress,
    CoordinatorNotAvailable,
    KafkaError,
    NotCoordinator,
    SaslAuthenticationFailed,
    UnsupportedSaslMechanism,
    UnsupportedVersion,
)
from barnabas.protocol import Message
from barnabas.protocol.generated.api_versions_request import ApiVersionsRequest
from barnabas.protocol.generated.api_versions_response import ApiVersionsResponse
from barnabas.protocol.generated.find_coordinator_request import FindCoordinatorRequest
from barnabas.protocol.generated.find_coordinator_response import FindCoordinatorResponse
from barnabas.protocol.generated.index import API_NAMES
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
Response = TypeVar("Response", bound=Message)


class Brokers:
    """A context that ends with its connections. Errors in answers are the caller's to look at; what fails
    below them is CommandFailed."""

    def __init__(self, connection: Connection) -> None:
        self._where = connection.bootstrap
        self._calls = connection.calls()
        try:
            self.metadata = self.ask(MetadataRequest(topics=[]), MetadataResponse, lowest=1)
        except BaseException:
            self._calls.close()
            raise
        self._addresses = {broker.node_id: (broker.host, broker.port) for broker in self.metadata.brokers}

    def __enter__(self) -> Brokers:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._calls.close()

    @property
    def api_versions(self) -> ApiVersionsResponse:
        """What a broker serves. Version 4 names features whose lowest level is 0 too."""
        return self.ask(ApiVersionsRequest(CLIENT_ID, "1"), ApiVersionsResponse, highest=4)

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
        highest: int = VERSION_MAX,
    ) -> Response:
        """The answer of a broker; of any without `node_id`. The request needs version `lowest` to say what it
        says, and is written for versions up to `highest`."""
        if node_id is not None and node_id not in self._addresses:
            known = ", ".join(map(str, self.ids))
            raise CommandFailed(f"There is no broker {node_id} in the cluster: it has {known}.")
        target = ANY if node_id is None else node(node_id)
        try:
            answer = self._calls.run(answered(request, target, lowest, highest), REQUEST_SECONDS_MAX)
        except UnsupportedVersion as error:
            raise CommandFailed(
                f"The cluster at {self._where} does not serve {API_NAMES[request.API_KEY]} as this needs it: "
                "its release is too old, or the feature is turned off. `barnabas cluster --apis` shows both."
            ) from error
        except (ClientTimeout, ConnectionError, SaslAuthenticationFailed, UnsupportedSaslMechanism) as error:
            raise CommandFailed(f"The cluster at {self._where} does not answer: {error}") from error
        assert isinstance(answer, response)
        return answer

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
