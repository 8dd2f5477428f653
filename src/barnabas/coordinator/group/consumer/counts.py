"""How many members of a group say what.

Kept beside the members, so that a heartbeat need not look at all of them.
"""

from __future__ import annotations

from collections.abc import Iterable

from barnabas.coordinator.group.consumer.member import Member

Tally = dict[str, int]


class Counts:
    """Tallies of the members of one group. A name that nobody says is not in them."""

    __slots__ = ("assignors", "classic_members", "classic_protocols", "patterns", "topics")

    def __init__(self) -> None:
        self.topics: dict[str, tuple[int, int]] = {}
        """Members that subscribe to a topic by its name, and patterns that stand for it."""
        self.patterns: Tally = {}
        """Members by the pattern that they subscribe to."""
        self.assignors: Tally = {}
        """Members by the assignor that they would have."""
        self.classic_members = 0
        """Members that speak the classic protocol."""
        self.classic_protocols: Tally = {}
        """Those members by each of the protocols that they support."""

    def copy(self) -> Counts:
        """Tallies of their own, to see what a change would make of them."""
        copied = Counts()
        copied.topics = dict(self.topics)
        copied.patterns = dict(self.patterns)
        copied.assignors = dict(self.assignors)
        copied.classic_members = self.classic_members
        copied.classic_protocols = dict(self.classic_protocols)
        return copied

    def change(self, before: Member | None, after: Member | None) -> None:
        """A member is new, gone or another."""
        if before is not None and after is not None and _says_the_same(before, after):
            return
        for member, by in ((before, -1), (after, 1)):
            if member is not None:
                self._add(member, by)

    def _add(self, member: Member, by: int) -> None:
        for name in member.topic_names:
            self._add_topic(name, by, 0)
        if member.topic_regex:
            _add(self.patterns, member.topic_regex, by)
        if member.server_assignor is not None:
            _add(self.assignors, member.server_assignor, by)
        self.classic_members += by if member.uses_classic_protocol else 0
        for protocol in member.classic_protocols:
            _add(self.classic_protocols, protocol.name, by)

    def change_pattern(self, before: Iterable[str], after: Iterable[str]) -> None:
        """A pattern stands for other topics."""
        for name in before:
            self._add_topic(name, 0, -1)
        for name in after:
            self._add_topic(name, 0, 1)

    def _add_topic(self, topic: str, by_name: int, by_pattern: int) -> None:
        names, patterns = self.topics.get(topic, (0, 0))
        names, patterns = names + by_name, patterns + by_pattern
        if names or patterns:
            self.topics[topic] = names, patterns
        else:
            self.topics.pop(topic, None)

    def preferred_assignor(self, default: str) -> str:
        """The assignor that most members would have; of several the first by name."""
        return min(self.assignors, key=lambda name: (-self.assignors[name], name), default=default)


def _says_the_same(before: Member, after: Member) -> bool:
    return (
        before.topic_names is after.topic_names
        and before.topic_regex == after.topic_regex
        and before.server_assignor == after.server_assignor
        and before.classic is after.classic
    )


def _add(tally: Tally, name: str, by: int) -> None:
    count = tally.get(name, 0) + by
    if count:
        tally[name] = count
    else:
        tally.pop(name, None)
