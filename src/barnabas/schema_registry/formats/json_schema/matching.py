"""Pairs things off: whether each of the fewer finds a partner of its own among the others."""

from collections.abc import Sequence


def covers(edges: Sequence[Sequence[int]], others: int, wanted: int) -> bool:
    """Whether `wanted` pairs can be made; `edges` has for each thing the numbers of its possible partners."""
    partner: list[int | None] = [None] * others
    made = 0
    for start in range(len(edges)):
        if made == wanted:
            return True
        made += _pair(start, edges, partner)
    return made >= wanted


def _pair(start: int, edges: Sequence[Sequence[int]], partner: list[int | None]) -> bool:
    """Finds a partner for one more, by giving those found before others where that is needed."""
    came_from: dict[int, tuple[int, int | None]] = {}  # partner → who asked, and by giving up which partner
    waiting: list[tuple[int, int | None]] = [(start, None)]
    while waiting:
        who, given_up = waiting.pop()
        for to in edges[who]:
            if to in came_from:
                continue
            came_from[to] = who, given_up
            holder = partner[to]
            if holder is not None:
                waiting.append((holder, to))
                continue
            at: int | None = to
            while at is not None:
                asked, before = came_from[at]
                partner[at] = asked
                at = before
            return True
    return False
