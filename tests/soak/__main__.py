"""`python -m tests.soak --minutes 30`."""

import argparse
import random
import sys
import tempfile
from pathlib import Path

from tests.soak.run import soak


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    parser.add_argument("--dir", type=Path, help="where the node's directory goes")
    given = parser.parse_args()
    print(f"{given.minutes:g} minutes, seed {given.seed}", flush=True)
    with tempfile.TemporaryDirectory(prefix="barnabas-soak-", dir=given.dir) as directory:
        outcome = soak(Path(directory), given.minutes * 60, given.seed, lambda line: print(line, flush=True))
    for load, count in outcome.done.items():
        print(f"{load}: {count:,}")
    for growth in outcome.growths:
        print(growth)
    for failure in outcome.failures:
        print(failure)
    print("good" if outcome.is_good else "NOT GOOD")
    return 0 if outcome.is_good else 1


if __name__ == "__main__":
    sys.exit(main())
