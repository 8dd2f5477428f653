"""Goes through the cases: broker by broker, round by round, in changing order."""

import datetime
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.brokers import BARNABAS, KAFKA, Broker
from bench.cases import Case, Effort, warm_up
from bench.load import Load
from bench.store import Measurement, commit

ERROR_CHARACTERS_MAX = 120

Keep = Callable[[Measurement], None]


@dataclass(frozen=True)
class Patience:
    """What is done about a host that gives the machine's processors to others while something is measured."""

    stolen_at_most: float = 1.0
    """Share of the machine's time: a measurement from which more was taken is made again."""
    tries: int = 5
    """How often in all; the one from which least was taken is kept, whatever it says."""


class Run:
    """One run of some cases. What is in `done` is not measured again."""

    def __init__(
        self,
        load: Load,
        directory: Path,
        effort: Effort,
        rounds: int,
        done: Sequence[Measurement],
        keep: Keep,
        patience: Patience,
    ) -> None:
        self.load, self.directory, self.effort, self.rounds, self.keep = load, directory, effort, rounds, keep
        self.patience = patience
        self.measurements = [one for one in done if not one.error]
        self.commit = commit()
        self._up: dict[str, Broker] = {}
        self._failed: set[str] = set()

    def cases(self, cases: Sequence[Case]) -> list[Measurement]:
        """Measures all of them; every measurement there is now."""
        try:
            for position, case in enumerate(cases):
                say(f"[{position + 1}/{len(cases)}] {case.name}")
                if case.alone:
                    self._stop_all()
                for number in range(self.rounds):
                    self._round(case, number)
            return self.measurements
        finally:
            self._stop_all()

    def _round(self, case: Case, number: int) -> None:
        # barnabas first in the first round: what it does not serve is found without a run of Apache Kafka.
        order = sorted(case.brokers, key=lambda name: (name != BARNABAS, name))
        for name in order if number % 2 == 0 else reversed(order):
            if case.name in self._failed or self._is_done(case, name, number):
                continue
            measurement = self._calmest(case, name, number)
            self.measurements.append(measurement)
            self.keep(measurement)
            if measurement.error:
                # Further rounds would not tell more.
                self._failed.add(case.name)

    def _is_done(self, case: Case, name: str, number: int) -> bool:
        return any(
            (one.case, one.broker, one.round) == (case.name, name, number) for one in self.measurements
        )

    def _calmest(self, case: Case, name: str, number: int) -> Measurement:
        """The measurement, made again while the host takes too much: what it says has no part in that."""
        calmest = self._measure(case, name, number)
        for _ in range(1, self.patience.tries):
            if _stolen(calmest) <= self.patience.stolen_at_most:
                break
            calmest = min(calmest, self._measure(case, name, number), key=_stolen)
        return calmest

    def _measure(self, case: Case, name: str, number: int) -> Measurement:
        begun, error, figures = time.monotonic(), "", {}
        alone = Broker(name, self.directory, self.load) if case.alone else None
        try:
            broker = alone or self._running(name, case)
            time.sleep(self.effort.settle_seconds)
            figures = case.measure(broker, self.effort)
        except Exception as failure:
            # Whatever goes wrong in one case, the others can still be measured.
            error = f"{name}: {failure}".replace("\n", " ")[:ERROR_CHARACTERS_MAX]
        finally:
            if alone:
                alone.kill()
        took = time.monotonic() - begun
        say(f"    round {number + 1}, {name}: {error or _brief(figures)} ({took:.0f} s)")
        at = datetime.datetime.now(tz=datetime.UTC).isoformat(timespec="seconds")
        return Measurement(case.name, name, number, at, self.commit, figures, error)

    def _running(self, name: str, case: Case) -> Broker:
        """The broker, up; both sides of a comparison are, so that each has the other beside it."""
        for wanted in {KAFKA, name} if KAFKA in case.brokers else {name}:
            if wanted not in self._up:
                broker = Broker(wanted, self.directory, self.load)
                broker.format()
                self._up[wanted] = broker
                broker.start()
                warm_up(broker, self.effort)
        return self._up[name]

    def _stop_all(self) -> None:
        for broker in self._up.values():
            broker.kill()
        self._up.clear()


def _stolen(measurement: Measurement) -> float:
    """Share of the machine that was taken meanwhile, 0 to 1; 0 where nothing tells."""
    return measurement.figures.get("stolen_share", 0.0)


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _brief(figures: dict[str, float]) -> str:
    shown = dict(list(figures.items())[:6])
    if "stolen_share" in figures:
        shown["stolen_share"] = figures["stolen_share"]
    return ", ".join(f"{name} {value:.4g}" for name, value in shown.items())
