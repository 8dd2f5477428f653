"""An instance's membership in the group that elects the primary: Kafka's classic group protocol, in a thread.

Always true:
  `standing` says that this instance is the primary only between a rebalance that said so and the next one it
  takes part in, and only as long as the coordinator can't have given its place away: until `valid_until`
  an instance has its place by its address (a static member), so that one that comes back need not wait until
  its session has ended
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from barnabas.clients.calls import Calls
from barnabas.clients.configs import admin_values
from barnabas.clients.plan import Target, answered, by_coordinator
from barnabas.errors import BarnabasError, CoordinatorNotAvailable, KafkaError
from barnabas.protocol import ErrorCode, Message
from barnabas.protocol.generated.heartbeat_request import HeartbeatRequest
from barnabas.protocol.generated.join_group_request import JoinGroupRequest, JoinGroupRequestProtocol
from barnabas.protocol.generated.join_group_response import JoinGroupResponse, JoinGroupResponseMember
from barnabas.protocol.generated.leave_group_request import LeaveGroupRequest
from barnabas.protocol.generated.leave_group_request import MemberIdentity as Leaving
from barnabas.protocol.generated.sync_group_request import SyncGroupRequest, SyncGroupRequestAssignment
from barnabas.schema_registry.primary.identity import (
    NO_ERROR,
    Assignment,
    Identity,
    UnreadableIdentity,
    assign,
    assignment_of,
    identity_of,
)

logger = logging.getLogger("barnabas.registry")

GROUP = "schema-registry"
"""The group that registries are in unless they are told another."""
PROTOCOL_TYPE, PROTOCOL = "sr", "v0"
SESSION_SECONDS = 10.0
"""After this long without a heartbeat an instance has lost its place."""
REBALANCE_SECONDS = 10.0
"""How long a rebalance waits for an instance that has not come again."""
HEARTBEAT_SECONDS = 1.0
"""Between heartbeats. Writes wait while a rebalance runs, which is until all have noticed it."""
ASK_SECONDS = 5.0
"""Longest wait for an answer that the coordinator has ready."""
JOIN_SECONDS = 320.0
"""Longest wait for a rebalance: others may have told the coordinator to wait for them for five minutes."""
RETRY_SECONDS = 0.5
"""Pause after something has failed."""

LOST = frozenset(
    {ErrorCode.COORDINATOR_NOT_AVAILABLE, ErrorCode.NOT_COORDINATOR, ErrorCode.COORDINATOR_LOAD_IN_PROGRESS}
)
"""The coordinator is another one, or not ready."""
FORGOTTEN = frozenset({ErrorCode.UNKNOWN_MEMBER_ID, ErrorCode.ILLEGAL_GENERATION})
"""The coordinator knows the member no more."""


@dataclass(frozen=True, slots=True)
class Standing:
    """What an instance knows of the election."""

    term: int = 0
    """Counts rebalances."""
    primary: Identity | None = None
    """None while nobody is known to be it."""
    mine: bool = False
    """Whether it is this instance."""
    valid_until: float = 0.0
    """On the monotonic clock: until then nobody else can have become the primary."""
    problem: str = "no primary has been elected yet"
    """Why there is none."""


class Fenced(BarnabasError):
    """Another instance with the same address has taken the place."""


class Membership:
    """A thread that keeps an instance in the group."""

    def __init__(
        self,
        configs: Mapping[str, Any],
        identity: Identity,
        changed: Callable[[], None],
        group: str = GROUP,
    ) -> None:
        """`configs`: of clients of the cluster, by Kafka's names. `changed` is called in the thread, after
        each change of `standing`."""
        self.identity = identity
        self.standing = Standing()
        self._group = group
        self._changed = changed
        self._configs = admin_values({**configs, "client.id": f"sr-{identity.host}-{identity.port}"}, {})
        self._calls = Calls(self._configs)
        self._coordinator: Target | None = None
        self._member_id = ""
        self._generation = -1
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="registry-election", daemon=True)

    def start(self) -> None:
        """Joins."""
        self._thread.start()

    def stop(self) -> None:
        """Leaves the group, so that another can be the primary at once."""
        self._stopping.set()
        self._calls.close()
        self._thread.join()
        self._stand(replace(self.standing, primary=None, mine=False, problem="the instance stops"))
        if self._member_id:
            self._calls = Calls(self._configs)
            with suppress(BarnabasError):  # It is put out when its session ends.
                self._leave()
            self._calls.close()

    # ---- the thread

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self._join()
                self._stay()
            except Fenced as error:
                logger.error("this instance is out of the election: %s", error)
                self._stand(Standing(self.standing.term, problem=str(error)))
                return
            except (BarnabasError, UnreadableIdentity) as error:
                if self._stopping.is_set():
                    return
                logger.warning("the election of a primary has to be tried again: %s", error)
                self._stand(replace(self.standing, mine=False, primary=None, problem=str(error)))
                self._coordinator = None
                self._stopping.wait(RETRY_SECONDS)

    def _stay(self) -> None:
        """Sends heartbeats until it is time to join again."""
        while not self._stopping.wait(HEARTBEAT_SECONDS):
            now = time.monotonic()
            request = HeartbeatRequest(
                self._group, self._generation, self._member_id, self.identity.instance_id
            )
            try:
                self._ask(request, ASK_SECONDS, lowest=3)
            except KafkaError as error:
                if error.error_code in LOST:
                    self._coordinator = None
                    continue
                if error.error_code == ErrorCode.REBALANCE_IN_PROGRESS:
                    return
                raise
            except (
                BarnabasError
            ) as error:  # Not reached: the session ends, unless one of the next gets through.
                logger.warning("no heartbeat reached the group's coordinator: %s", error)
                self._coordinator = None
                continue
            self._stand(replace(self.standing, valid_until=now + SESSION_SECONDS))

    def _join(self) -> None:
        # Whoever becomes the primary may begin before this instance hears of it.
        was = self.standing
        self._stand(replace(was, mine=False, primary=None, problem="the election of a primary is running"))
        identity = replace(self.identity, primary=was.mine)
        response = self._joined(identity)
        self._generation = response.generation_id
        leads = response.leader == self._member_id and not response.skip_assignment
        shared = _shared(response.members) if leads else []
        now = time.monotonic()
        request = SyncGroupRequest(
            self._group,
            self._generation,
            self._member_id,
            self.identity.instance_id,
            PROTOCOL_TYPE,
            PROTOCOL,
            shared,
        )
        answer = self._ask(request, JOIN_SECONDS, lowest=3)
        self._take(assignment_of(answer.assignment), now)

    def _joined(self, identity: Identity) -> JoinGroupResponse:
        while True:
            request = JoinGroupRequest(
                self._group,
                int(SESSION_SECONDS * 1000),
                int(REBALANCE_SECONDS * 1000),
                self._member_id,
                self.identity.instance_id,
                PROTOCOL_TYPE,
                [JoinGroupRequestProtocol(PROTOCOL, identity.encode())],
            )
            response = self._ask(request, JOIN_SECONDS, lowest=5, allowed=ErrorCode.MEMBER_ID_REQUIRED)
            assert isinstance(response, JoinGroupResponse)
            self._member_id = response.member_id
            if not response.error_code:
                return response

    def _take(self, assignment: Assignment, now: float) -> None:
        term = self.standing.term + 1
        if assignment.error != NO_ERROR:
            problem = "several instances have the same address; each needs its own (--advertise)"
            logger.error("no primary can be elected: %s", problem)
            self._stand(Standing(term, problem=problem))
            return
        primary = assignment.primary
        mine = primary is not None and primary.url == self.identity.url
        if mine and not self.identity.eligible:
            # The coordinator remembers what was said from this address before.
            self._leave()
            raise CoordinatorNotAvailable("an instance that may not be the primary was made it")
        problem = "no instance that may be the primary is there" if primary is None else ""
        logger.info("the primary is %s", "this instance" if mine else primary.url if primary else "nobody")
        self._stand(Standing(term, primary, mine, now + SESSION_SECONDS, problem))

    def _stand(self, standing: Standing) -> None:
        known, self.standing = self.standing, standing
        if replace(known, valid_until=0.0) != replace(standing, valid_until=0.0):
            self._changed()

    # ---- requests

    def _ask(self, request: Message, seconds: float, *, lowest: int, allowed: int = ErrorCode.NONE) -> Any:
        """The coordinator's answer. Raises what it says is wrong."""
        if self._coordinator is None:
            self._coordinator = self._found()
        message: Any = self._calls.run(answered(request, self._coordinator, lowest), seconds)
        code = message.error_code
        if code == ErrorCode.FENCED_INSTANCE_ID:
            raise Fenced(f"another instance has the address {self.identity.url} too")
        if code in FORGOTTEN:
            self._member_id, self._generation = "", -1
        if code and code != allowed:
            raise KafkaError.for_code(code)
        return message

    def _found(self) -> Target:
        placed, impossible = self._calls.run(by_coordinator()([self._group]), ASK_SECONDS)
        if impossible:
            raise impossible[self._group]
        return placed[0][0]

    def _leave(self) -> None:
        leaving = [Leaving(self._member_id, self.identity.instance_id, "the instance stops")]
        self._member_id, self._generation = "", -1
        self._coordinator = None
        self._ask(LeaveGroupRequest(self._group, members=leaving), ASK_SECONDS, lowest=3)


def _shared(members: Sequence[JoinGroupResponseMember]) -> list[SyncGroupRequestAssignment]:
    """What all of these members are told. Those whose identity can't be read are not chosen."""
    identities = {}
    for member in members:
        try:
            identities[member.member_id] = identity_of(member.metadata)
        except UnreadableIdentity as error:
            logger.warning("member %s of the group is left out: %s", member.member_id, error)
    told = assign(identities).encode()
    return [SyncGroupRequestAssignment(member.member_id, told) for member in members]
