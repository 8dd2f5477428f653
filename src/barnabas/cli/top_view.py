"""The picture of `barnabas top`: lines of text for a terminal of a given size."""

from collections.abc import Sequence

from barnabas.cli.scrape import Figures

_BYTES = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")


def picture(figures: Figures, where: str, width: int, height: int) -> list[str]:
    """At most `height` lines of at most `width` characters: what matters most comes first."""
    lines = [
        f"barnabas at {where}",
        "",
        f"in     {amount(figures.bytes_in_per_s)}/s   {count(figures.messages_in_per_s)} records/s",
        f"out    {amount(figures.bytes_out_per_s)}/s",
        f"asked  {count(figures.requests_per_s)} requests/s on {count(figures.connections)} connections"
        f"   {figures.slow_requests} slow so far   {figures.waiting_for_python} waiting for Python",
        f"load   cpu {figures.cpu_percent:.0f} %   network idle {figures.idle_percent:.0f} %"
        f"   memory {amount(figures.memory_bytes)}   {figures.open_files} files   {figures.threads} threads",
        f"holds  {count(figures.topics)} topics   {count(figures.partitions)} partitions"
        f"   {amount(figures.log_bytes)}   {trouble(figures)}",
    ]
    room = max(0, height - len(lines) - 4)
    requests = [
        (one.name, count(one.per_s), f"{one.p50_ms:.2f}", f"{one.p99_ms:.2f}", f"{one.p999_ms:.2f}")
        for one in figures.requests
    ]
    topics = [
        (one.name, count(one.messages_in_per_s), amount(one.bytes_in_per_s), amount(one.bytes_out_per_s))
        for one in figures.busiest_topics
    ]
    shown = min(len(requests), max(room - len(topics), (room + 1) // 2))
    lines += ["", *columns(("REQUEST", "PER S", "P50 MS", "P99 MS", "P99.9 MS"), requests[:shown], width)]
    left = max(0, room - shown)
    lines += ["", *columns(("TOPIC", "RECORDS/S", "IN/S", "OUT/S"), topics[:left], width)]
    return [line[:width].rstrip() for line in lines[:height]]


def trouble(figures: Figures) -> str:
    """What an operator should look at."""
    found = [
        f"{number} {what}"
        for number, what in (
            (figures.under_replicated, "under-replicated"),
            (figures.offline_replicas, "offline"),
        )
        if number
    ]
    return ", ".join(found) or "all replicas well"


def columns(header: Sequence[str], rows: Sequence[Sequence[str]], width: int) -> list[str]:
    """A table whose first column gives way when the terminal is narrow; numbers stand at the right."""
    widths = [max(len(header[i]), *(len(row[i]) for row in rows), 0) for i in range(1, len(header))]
    widest = max((len(row[0]) for row in rows), default=0)
    numbers = sum(widths) + 2 * len(widths)
    first = max(len(header[0]), min(widest, width - numbers))

    def line(cells: Sequence[str]) -> str:
        name = cells[0] if len(cells[0]) <= first else cells[0][: first - 1] + "…"
        return "  ".join(
            [name.ljust(first), *(cell.rjust(n) for cell, n in zip(cells[1:], widths, strict=True))]
        )

    return [line(header), *(line(row) for row in rows)]


def amount(size: float) -> str:
    """Bytes: `512 B`, `1.5 KiB`."""
    unit = 0
    while size >= 1024 and unit < len(_BYTES) - 1:
        size /= 1024
        unit += 1
    return f"{size:.0f} {_BYTES[unit]}" if unit == 0 or size >= 100 else f"{size:.1f} {_BYTES[unit]}"


def count(number: float) -> str:
    """`0.3`, `12`, `1,234`."""
    return f"{number:.1f}" if 0 < number < 10 and number != int(number) else f"{number:,.0f}"
