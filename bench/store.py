"""What was measured, kept as it comes: a run that is interrupted goes on where it was.

Always true:
  while a run is not finished, each measurement is a line of `unfinished.jsonl` as soon as it was taken
  a finished run is folded into `DATE.json`: it replaces the cases that it has measured, and keeps the
  others of the newest results there are
"""

import datetime
import json
import statistics
import subprocess
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from bench.load import ROOT, Figures
from bench.rows import Medians

RESULTS = ROOT / "bench" / "results"


@dataclass(frozen=True)
class Measurement:
    """One round of a case on one broker: its figures, or why there are none."""

    case: str
    broker: str
    round: int
    at: str
    commit: str
    figures: Figures
    error: str = ""


class Store:
    """The results under one directory."""

    def __init__(self, directory: Path = RESULTS) -> None:
        self.directory = directory
        self.unfinished = directory / "unfinished.jsonl"
        directory.mkdir(parents=True, exist_ok=True)

    def kept(self) -> list[Measurement]:
        """Measurements of a run that was interrupted."""
        if not self.unfinished.exists():
            return []
        return [Measurement(**json.loads(line)) for line in self.unfinished.read_text().splitlines()]

    def keep(self, measurement: Measurement) -> None:
        with self.unfinished.open("a") as file:
            file.write(json.dumps(asdict(measurement)) + "\n")

    def forget(self) -> None:
        self.unfinished.unlink(missing_ok=True)

    def finish(self, measurements: list[Measurement], machine: dict[str, str]) -> list[Measurement]:
        """Writes DATE.json; all measurements in it."""
        cases = {one.case for one in measurements}
        merged = [one for one in self._newest() if one.case not in cases] + measurements
        content = {"machine": machine, "measurements": [asdict(one) for one in merged]}
        (self.directory / f"{today()}.json").write_text(json.dumps(content, indent=1) + "\n")
        self.forget()
        return merged

    def _newest(self) -> list[Measurement]:
        files = sorted(self.directory.glob("????-??-??.json"))
        content = json.loads(files[-1].read_text()) if files else {}
        return [Measurement(**one) for one in content.get("measurements", [])]


def medians(measurements: Iterable[Measurement]) -> Medians:
    """Of each figure over the rounds."""
    values: dict[str, dict[str, dict[str, list[float]]]] = {}
    for one in measurements:
        for name, value in one.figures.items():
            broker = values.setdefault(one.case, {}).setdefault(one.broker, {})
            broker.setdefault(name, []).append(value)
    return {
        case: {
            broker: {name: statistics.median(found) for name, found in figures.items()}
            for broker, figures in brokers.items()
        }
        for case, brokers in values.items()
    }


def today() -> str:
    return datetime.datetime.now(tz=datetime.UTC).date().isoformat()


def commit() -> str:
    """The commit that is measured, marked when the tree differs from it; empty outside of a repository."""
    done = subprocess.run(
        ["git", "describe", "--always", "--dirty", "--abbrev=12"], cwd=ROOT, capture_output=True, text=True
    )
    return done.stdout.strip()
