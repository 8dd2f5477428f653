"""`python -m tests.conformance.transactions --seed 7 --steps 2000 --histories 10`"""

import argparse

from tests.conformance.transactions.run import both, play

parser = argparse.ArgumentParser()
parser.add_argument("--seed", type=int, default=1)
parser.add_argument("--steps", type=int, default=200)
parser.add_argument("--histories", type=int, default=1)
arguments = parser.parse_args()

failed = 0
with both() as (apache, barnabas):
    for seed in range(arguments.seed, arguments.seed + arguments.histories):
        if found := play(apache, barnabas, seed, arguments.steps):
            failed += 1
            index, step, theirs, ours = found
            print(
                f"seed {seed} step {index}: {step}\n  Apache Kafka {theirs}\n  barnabas     {ours}",
                flush=True,
            )
print(f"{arguments.histories} histories of {arguments.steps} steps: {failed} differ")
raise SystemExit(1 if failed else 0)
