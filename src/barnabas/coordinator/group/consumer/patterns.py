"""Regular expressions that members subscribe to, and the topics that they stand for.

A new pattern is looked at at once, apart from the heartbeat that brings it: its topics are written down, and
the members of the group hear of them with their next heartbeats. All of a group's patterns are looked at
again when topics have come, and now and then.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple

from barnabas._core import check_topic_pattern, match_topics
from barnabas.errors import InvalidRegularExpression

if TYPE_CHECKING:
    from barnabas._core import MetadataImage
    from barnabas.coordinator.group.consumer.counts import Tally

REFRESH_LEAST_MS = 1_000
"""A group's patterns are not looked at again within this time (Kafka: ten seconds). It is native work that
grows with patterns times topics, about a microsecond for each."""


class ResolvedPattern(NamedTuple):
    """What a pattern stood for when it was last looked at."""

    topics: frozenset[str]
    version: int
    """Offset of the metadata."""
    timestamp: int
    """When, in milliseconds since the Unix epoch."""


def validate_pattern(regex: str) -> None:
    """Raises InvalidRegularExpression for what RE2 would not take."""
    try:
        check_topic_pattern(regex)
    except ValueError as error:
        message = f"SubscribedTopicRegex `{regex}` is not a valid regular expression: {error}."
        raise InvalidRegularExpression(message) from error


def resolve(regexes: Iterable[str], image: MetadataImage, now: int) -> dict[str, ResolvedPattern]:
    """The topics that patterns stand for now."""
    asked = sorted(regexes)
    matched = match_topics(asked, image)
    return {
        regex: ResolvedPattern(frozenset(topics), image.offset, now)
        for regex, topics in zip(asked, matched, strict=True)
    }


class Freshness(NamedTuple):
    """What decides whether patterns are looked at again."""

    now: int
    refresh_interval_ms: int
    topics_created_at: int
    """Offset of the metadata when a topic was last created."""


def needs_refresh(
    wanted: Tally, known: dict[str, ResolvedPattern], freshness: Freshness, *, asked: bool
) -> bool:
    """Whether the patterns in `wanted` are to be looked at; `asked` when one of them is new."""
    last = next(iter(known.values()), None)
    if last is not None and freshness.now <= last.timestamp + REFRESH_LEAST_MS:
        return False
    if not wanted:
        return False
    return (
        asked
        or last is None
        or len(wanted) != len(known)
        or last.version < freshness.topics_created_at
        or freshness.now > last.timestamp + freshness.refresh_interval_ms
    )
