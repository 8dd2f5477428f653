"""Medians as a table with ratios."""

from collections.abc import Mapping

UNITS = {
    "start": ("s", "lower"),
    "memory idle": ("MiB", "lower"),
    "memory loaded": ("MiB", "lower"),
    "produce": ("MiB/s", "higher"),
    "produce CPU": ("s/GiB", "lower"),
    "consume": ("MiB/s", "higher"),
    "round trip": ("ms", "lower"),
}


def table(medians: Mapping[str, Mapping[str, float]], rounds: int, date: str) -> str:
    """Markdown; the ratio says how many times better barnabas is."""
    lines = [
        f"# barnabas and Apache Kafka 4.3.1, {date}",
        "",
        f"Medians of {rounds} alternated rounds on one machine; see ../README.md.",
        "",
        "| figure | unit | Apache Kafka | barnabas | times better |",
        "|--|--|--:|--:|--:|",
    ]
    for figure, (unit, better) in UNITS.items():
        theirs, ours = medians["kafka"][figure], medians["barnabas"][figure]
        ratio = theirs / ours if better == "lower" else ours / theirs
        lines.append(f"| {figure} | {unit} | {theirs:.2f} | {ours:.2f} | {ratio:.1f} |")
    return "\n".join(lines) + "\n"
