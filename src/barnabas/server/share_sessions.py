"""Share sessions (KIP-932): which partitions a member fetches, remembered between its requests.

Always true: a session's epoch is the one that its next request must have.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from barnabas._core import Uuid
from barnabas.errors import InvalidShareSessionEpoch, ShareSessionLimitReached, ShareSessionNotFound

INITIAL_EPOCH = 0
FINAL_EPOCH = -1
EPOCH_MAX = 2**31 - 1
IDLE_MS_MAX = 300_000
"""A session that was not heard of for so long makes room for another when there is none left."""

Place = tuple[Uuid, int]
"""Topic id and partition."""


class ShareSession:
    """The session of one member."""

    __slots__ = ("connection", "epoch", "group_id", "heard_at", "is_open", "member_id", "partitions")

    def __init__(self, group_id: str, member_id: str, now: int, connection: int) -> None:
        self.group_id = group_id
        self.member_id = member_id
        self.connection = connection
        """The session ends with the connection on which it was opened."""
        self.epoch = INITIAL_EPOCH
        self.partitions: dict[Place, None] = {}
        self.heard_at = now
        self.is_open = True

    def advance(self, now: int) -> None:
        """A request has come; the next one has the next epoch."""
        self.heard_at = now
        self.epoch = 1 if self.epoch == EPOCH_MAX else self.epoch + 1

    def update(self, added: Iterable[Place], forgotten: Iterable[Place]) -> None:
        """The member fetches other partitions from now on."""
        self.partitions.update(dict.fromkeys(added))
        for place in forgotten:
            self.partitions.pop(place, None)

    def in_turn(self) -> Sequence[Place]:
        """Its partitions, with another one first in each request, so that each gets its turn."""
        places = list(self.partitions)
        first = self.epoch % len(places) if places else 0
        return places[first:] + places[:first]


class ShareSessions:
    """All sessions on this node."""

    def __init__(self) -> None:
        self._sessions: dict[tuple[str, str], ShareSession] = {}
        self._of_connections: dict[int, set[ShareSession]] = {}

    def __len__(self) -> int:
        return len(self._sessions)

    def find(self, group_id: str, member_id: str) -> ShareSession | None:
        """The member's session."""
        return self._sessions.get((group_id, member_id))

    def of_connection(self, connection: int) -> Sequence[ShareSession]:
        """The sessions that were opened on a connection."""
        return tuple(self._of_connections.get(connection, ()))

    def open(self, group_id: str, member_id: str, now: int, count_max: int, connection: int) -> ShareSession:
        """A new session, in the place of the member's last; raises ShareSessionLimitReached."""
        self.remove(group_id, member_id)
        if len(self._sessions) >= count_max:
            self._remove_idle(now)
            if len(self._sessions) >= count_max:
                raise ShareSessionLimitReached()
        session = self._sessions[group_id, member_id] = ShareSession(group_id, member_id, now, connection)
        self._of_connections.setdefault(connection, set()).add(session)
        session.advance(now)
        return session

    def go_on(self, group_id: str, member_id: str, epoch: int, now: int) -> ShareSession:
        """The session of a request with this epoch; raises ShareSessionNotFound, InvalidShareSessionEpoch."""
        session = self.find(group_id, member_id)
        if session is None:
            raise ShareSessionNotFound()
        if epoch != FINAL_EPOCH:
            if epoch != session.epoch:
                raise InvalidShareSessionEpoch()
            session.advance(now)
        return session

    def remove(self, group_id: str, member_id: str) -> ShareSession | None:
        """Ends a session."""
        session = self._sessions.pop((group_id, member_id), None)
        if session is not None:
            session.is_open = False
            others = self._of_connections[session.connection]
            others.discard(session)
            if not others:
                del self._of_connections[session.connection]
        return session

    def is_fetched(self, group_id: str, place: Place) -> bool:
        """Whether somebody of the group fetches the partition."""
        return any(
            place in session.partitions for (group, _), session in self._sessions.items() if group == group_id
        )

    def _remove_idle(self, now: int) -> None:
        for key, session in list(self._sessions.items()):
            if now - session.heard_at > IDLE_MS_MAX:
                self.remove(*key)
