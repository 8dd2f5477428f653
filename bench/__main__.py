"""barnabas and Apache Kafka under the same load, alternated: `python -m bench`."""

import argparse
import datetime
import json
import statistics
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from bench.load import Figures, measure
from bench.report import table
from tests.support.oracle import ApacheKafka
from tests.support.server import BarnabasUp

RESULTS = Path(__file__).parent / "results"


def barnabas(directory: Path) -> BarnabasUp:
    return BarnabasUp(directory)


def apache(directory: Path) -> ApacheKafka:
    kafka = ApacheKafka(directory, jvm=("-Xms1G", "-Xmx1G", "-XX:+UseG1GC"))
    kafka.format()
    return kafka


BROKERS: dict[str, Callable[[Path], BarnabasUp | ApacheKafka]] = {"kafka": apache, "barnabas": barnabas}


def round_of(name: str, mib: int) -> Figures:
    with tempfile.TemporaryDirectory(prefix=f"bench-{name}-") as parent:
        return measure(BROKERS[name](Path(parent) / name), mib)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--mib", type=int, default=512, help="MiB produced and read back in each round")
    options = parser.parse_args()
    rounds: dict[str, list[Figures]] = {name: [] for name in BROKERS}
    for number in range(options.rounds):
        order = list(BROKERS) if number % 2 == 0 else list(reversed(BROKERS))
        for name in order:
            print(f"round {number + 1} of {options.rounds}: {name}", file=sys.stderr, flush=True)
            rounds[name].append(round_of(name, options.mib))
    medians = {
        name: {figure: statistics.median(one[figure] for one in figures) for figure in figures[0]}
        for name, figures in rounds.items()
    }
    RESULTS.mkdir(exist_ok=True)
    date = datetime.datetime.now(tz=datetime.UTC).date().isoformat()
    (RESULTS / f"{date}.json").write_text(json.dumps({"rounds": rounds, "medians": medians}, indent=1) + "\n")
    text = table(medians, options.rounds, date)
    (RESULTS / "latest.md").write_text(text)
    print(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
