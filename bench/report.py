"""The table as Markdown: both figures, their ratio, the target, and whether it holds."""

from collections.abc import Iterable, Mapping

from bench.rows import ROWS, Row
from bench.store import Measurement, medians

TARGET_OF_MANY = 1.5
"""Targets below its inverse read better as a fraction."""


def table(measurements: list[Measurement], machine: Mapping[str, str]) -> str:
    """All rows that were measured, in the order of the table."""
    found = medians(measurements)
    lines = [
        "# barnabas and Apache Kafka 4.3.1",
        "",
        "Medians of alternated rounds on one machine, by `make bench`; about the rows: ../README.md.",
        "The ratio is barnabas's figure to Apache Kafka's.",
        "",
        *(f"- {name}: {value}" for name, value in machine.items()),
        f"- measured: {_span(one.at[:10] for one in measurements)}, {_rounds(measurements)}",
        "",
        "| row | figure | unit | Apache Kafka | barnabas | ratio | target | holds |",
        "|--|--|--|--:|--:|--:|--:|--|",
    ]
    count = held = 0
    for row in ROWS:
        theirs, ours = row.values(found)
        if ours is not None and theirs:
            ratio = ours / theirs
            count, held = count + 1, held + row.holds(ratio)
            verdict = "yes" if row.holds(ratio) else "**no**"
            cells = [number(theirs), number(ours), number(ratio), target(row), verdict]
        elif row.case in {one.case for one in measurements}:
            blank = "" if theirs is None else number(theirs)
            cells = [blank, "" if ours is None else number(ours), "", target(row), _why(row, measurements)]
        else:
            continue
        lines.append(f"| {row.name} | {row.title} | {row.unit} | " + " | ".join(cells) + " |")
    lines += ["", f"{held} of {count} measured rows hold."]
    return "\n".join(lines) + "\n"


def number(value: float) -> str:
    """Three digits that count."""
    if value >= 1000:
        return f"{value:,.0f}"
    decimals = 0 if value >= 100 else 1 if value >= 10 else 2 if value >= 1 else 3
    return f"{value:.{decimals}f}"


def target(row: Row) -> str:
    """`≤ 1/20`, `≥ 3`."""
    if row.better == "higher":
        return f"≥ {row.target:g}"
    inverse = 1 / row.target
    return f"≤ 1/{inverse:g}" if inverse > TARGET_OF_MANY else f"≤ {row.target:g}"


def _why(row: Row, measurements: list[Measurement]) -> str:
    errors = [one.error for one in measurements if one.case == row.case and one.error]
    return f"not measured: {errors[-1]}".replace("|", "/") if errors else "not measured"


def _rounds(measurements: list[Measurement]) -> str:
    rounds: dict[str, int] = {}
    for one in measurements:
        rounds[one.case] = max(rounds.get(one.case, 0), one.round + 1)
    return f"{_span(str(count) for count in rounds.values())} rounds"


def _span(values: Iterable[str]) -> str:
    found = sorted(set(values))
    return found[0] if len(found) == 1 else f"{found[0]} to {found[-1]}" if found else "never"
