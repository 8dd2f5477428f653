"""Measures barnabas and Apache Kafka side by side: `python -m bench`, or `make bench`."""

import argparse
import os
import platform
import sys
import tempfile
from pathlib import Path

from barnabas import _core
from bench import load
from bench.brokers import java_version
from bench.cases import ALL, QUICK, Case, Effort
from bench.report import table
from bench.rows import ROWS, Row, chosen
from bench.run import Patience, Run, say
from bench.store import Store


def main() -> int:
    options = _options()
    if options.list:
        for row in ROWS:
            print(f"{row.name:28} {row.title}")
        return 0
    if not (options.quick or _core.RELEASE):
        say("barnabas is built without optimization: `maturin develop --release` does better, as make bench")
        return 2
    rows = chosen(options.only)
    with tempfile.TemporaryDirectory(prefix="bench-", dir=options.dir) as parent:
        directory = Path(parent)
        # What a quick run finds says nothing, so that it goes with its directory.
        store = Store(directory / "results") if options.quick else Store()
        if options.fresh:
            store.forget()
        done = store.kept()
        if done:
            say(f"going on with an interrupted run: {len(done)} measurements are there (--fresh drops them)")
        effort = QUICK if options.quick else Effort()
        patience = Patience(options.stolen_at_most, options.tries)
        run = Run(load.build(), directory, effort, options.rounds, done, store.keep, patience)
        machine = _machine()
        measurements = store.finish(run.cases(_cases(rows)), machine)
        text = table(measurements, machine)
        (store.directory / "latest.md").write_text(text)
    print(text)
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument(
        "--only", nargs="+", default=[], metavar="ROW", help="rows whose names begin so; --list names all"
    )
    parser.add_argument("--rounds", type=int, default=3, help="rounds of each case  [default: 3]")
    parser.add_argument(
        "--quick", action="store_true", help="only see that everything works; nothing is stored"
    )
    parser.add_argument(
        "--stolen-at-most",
        type=float,
        default=1.0,
        metavar="SHARE",
        help="measure again when the machine's host took more than this share of it, 0 to 1  [default: 1]",
    )
    parser.add_argument("--tries", type=int, default=5, help="how often in all, then  [default: 5]")
    parser.add_argument("--fresh", action="store_true", help="drop what an interrupted run has measured")
    parser.add_argument("--dir", help="parent of the brokers' directories: on the disk that counts")
    parser.add_argument("--list", action="store_true", help="name the rows")
    return parser.parse_args()


def _cases(rows: list[Row]) -> list[Case]:
    wanted = {row.case for row in rows}
    return [case for case in ALL.values() if case.name in wanted]


def _machine() -> dict[str, str]:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / (1 << 30)
    return {
        "machine": f"{os.cpu_count()} processors, {memory:.0f} GiB, {platform.system()} {platform.release()}",
        "Java": java_version(),
        "Python": platform.python_version(),
    }


if __name__ == "__main__":
    sys.exit(main())
