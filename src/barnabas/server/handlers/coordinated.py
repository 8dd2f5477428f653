"""What handlers of coordinated requests share: whose call it is, heartbeats, answers from several shards."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from ipaddress import ip_address
from typing import Any

from barnabas._core import ColdRequest
from barnabas.coordinator.records import GROUPS
from barnabas.errors import KafkaError
from barnabas.server.coordinators import Client, Then
from barnabas.server.handlers.context import NodeContext, Respond

GROUP_OPERATIONS = sum(1 << operation for operation in (3, 6, 8, 10, 11))
"""All that may be done with a group, while nobody is forbidden anything: READ, DELETE, DESCRIBE,
DESCRIBE_CONFIGS, ALTER_CONFIGS."""


def client_of(request: ColdRequest) -> Client:
    """Whose call it is."""
    host = host_of(request.client_address)
    return Client(request.api_version, request.client_id or "", host, request.connection)


@lru_cache(maxsize=1024)
def host_of(address: str) -> str:
    """'127.0.0.1:40000' as Java writes the host: '/127.0.0.1', IPv6 in full."""
    host = address.rpartition(":")[0].strip("[]")
    if ":" in host:
        groups = ip_address(host.partition("%")[0]).exploded.split(":")
        host = ":".join(group.lstrip("0") or "0" for group in groups)
    return f"/{host}"


class Gathered:
    """Answers to several calls, in the order of the calls; `done` is called with all of them."""

    def __init__(self, count: int, done: Callable[[list[Any]], None]) -> None:
        self._answers: list[Any] = [None] * count
        self._left = count
        self._done = done
        if not count:
            done([])

    def place(self, index: int) -> Then:
        """Takes the answer to one of the calls."""

        def then(answer: Any) -> None:
            self._answers[index] = answer
            self._left -= 1
            if not self._left:
                self._done(self._answers)

        return then


def heartbeat(
    node: NodeContext, request: ColdRequest, asked: Any, failed: type[Any], respond: Callable[[Any], None]
) -> None:
    """Hands a heartbeat to its group's shard. Answered in the same turn, unless it changes something: then
    when that is committed. An error becomes a response of the class `failed`."""

    def then(response: Any) -> None:
        if isinstance(response, KafkaError):
            response = failed(error_code=response.error_code, error_message=response.message)
        respond(response)

    node.coordinators.submit(GROUPS, asked.group_id, asked, then, client_of(request))


def describe_each(
    node: NodeContext,
    request: ColdRequest,
    ids: Sequence[str],
    ask: Callable[[str], Any],
    failed: type[Any],
    response: type[Any],
    respond: Respond,
    *,
    refused: KafkaError | None = None,
) -> None:
    """Asks for the description of each group at its own shard, by the call that `ask` makes of its id, and
    answers with all of them in a `response`; an error becomes a `failed`. None is asked for when the whole
    request is `refused`."""
    body: Any = request.body

    def done(answers: list[Any]) -> None:
        groups = [
            failed(group_id=group_id, error_code=answer.error_code)
            if isinstance(answer, KafkaError)
            else answer
            for group_id, answer in zip(ids, answers, strict=True)
        ]
        if body.include_authorized_operations:
            for group in groups:
                if not group.error_code:
                    group.authorized_operations = GROUP_OPERATIONS
        respond(response(groups=groups))

    if refused is not None:
        done([refused] * len(ids))
        return
    gathered = Gathered(len(ids), done)
    for index, group_id in enumerate(ids):
        node.coordinators.submit(GROUPS, group_id, ask(group_id), gathered.place(index), client_of(request))
