"""What client commands print: tables for people, JSON lines for programs."""

import json
import os
from collections.abc import Iterable, Sequence
from typing import Any

import click


def print_json(value: Any) -> None:
    """One JSON document on a line of its own."""
    click.echo(json.dumps(value, ensure_ascii=False, separators=(", ", ": ")))


def print_table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Columns under a header, as wide as their widest cell; numbers and dashes among them at the right."""
    cells = [[str(cell) for cell in row] for row in rows]
    known = [[row[i] for row in cells if row[i] != "-"] for i in range(len(header))]
    numeric = [bool(column) and all(cell.lstrip("-").isdecimal() for cell in column) for column in known]
    widths = [max(len(title), *(len(row[i]) for row in cells), 0) for i, title in enumerate(header)]

    def line(row: Sequence[str]) -> str:
        parts = [
            cell.rjust(width) if right else cell.ljust(width)
            for cell, width, right in zip(row, widths, numeric, strict=True)
        ]
        return "  ".join(parts).rstrip()

    click.echo(click.style(line(header), bold=True))
    for row in cells:
        click.echo(line(row))


def print_error(error: object) -> None:
    """What went wrong, on standard error."""
    _tell("error:", "red", error)


def print_warning(warning: object) -> None:
    """What is not as it should be, on standard error, where the command goes on."""
    _tell("warning:", "yellow", warning)


def _tell(title: str, fg: str, text: object) -> None:
    colour = False if "NO_COLOR" in os.environ else None
    click.echo(f"{click.style(title, fg=fg, bold=True)} {text}", err=True, color=colour)


def counted(count: int, singular: str) -> str:
    """A number and its noun: `1 partition`, `2 partitions`."""
    return f"{count} {singular}" if count == 1 else f"{count} {singular}s"
