"""How long partitions of coordinators took to load, for `/metrics`: those that were loaded a short while ago,
as Kafka's sensors tell it.

Times are milliseconds of a clock that never goes back.
"""

from __future__ import annotations

from collections import deque
from math import nan

WINDOW_MS = 60_000
"""What was loaded longer ago is told no more: Kafka's two windows of 30 seconds."""
LOADS_MAX = 10_000
"""Loads that are remembered at most; the oldest are forgotten first."""


class LoadTimes:
    """The loads of one node."""

    def __init__(self) -> None:
        self._begun: dict[tuple[str, int], int] = {}
        """When a partition's latest load began."""
        self._ended: deque[tuple[int, str, int]] = deque(maxlen=LOADS_MAX)
        """When, of which topic, and how long it took."""

    def begin(self, topic: str, partition: int, now: int) -> None:
        """A partition is being loaded; an earlier load of it that has not ended counts for nothing."""
        self._begun[topic, partition] = now

    def end(self, topic: str, partition: int, now: int) -> None:
        """It is loaded."""
        self._ended.append((now, topic, now - self._begun.pop((topic, partition))))

    def recent(self, topic: str, now: int) -> tuple[float, float]:
        """Average and longest of a topic's partitions; as in Kafka, no numbers when there are none."""
        while self._ended and self._ended[0][0] <= now - WINDOW_MS:
            self._ended.popleft()
        took = [milliseconds for _, of, milliseconds in self._ended if of == topic]
        return (sum(took) / len(took), float(max(took))) if took else (nan, nan)
