"""`python -m tests.conformance.differential`: a long look with seeds of one's own."""

from __future__ import annotations

import argparse
import contextlib
import sys
from collections.abc import Iterator

from tests.conformance.differential.cluster import Cluster
from tests.conformance.differential.clusters import barnabas_node, kafka_node
from tests.conformance.differential.run import SEQUENCE_LENGTH, Pair, shrunk


@contextlib.contextmanager
def pair(oracle: str | None, barnabas: str | None) -> Iterator[Pair]:
    """Both clusters: those named, or fresh ones."""
    with contextlib.ExitStack() as stack:
        kafka_address = oracle or stack.enter_context(kafka_node())
        barnabas_address = barnabas or stack.enter_context(barnabas_node())
        made = Pair(Cluster("Kafka", kafka_address), Cluster("barnabas", barnabas_address))
        stack.callback(made.kafka.close)
        stack.callback(made.barnabas.close)
        yield made


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.conformance.differential", description=__doc__)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--requests", type=int, default=10_000)
    parser.add_argument(
        "--oracle", metavar="HOST:PORT", help="a running Apache Kafka of 4.3.1; default: a fresh one"
    )
    parser.add_argument("--barnabas", metavar="HOST:PORT", help="a running barnabas; default: a fresh one")
    parser.add_argument("--shrink", action="store_true", help="look for shorter sequences")
    parser.add_argument("--only", help="one sequence of a seed, as printed: 7/3")
    options = parser.parse_args()
    findings = asked = number = 0
    with pair(options.oracle, options.barnabas) as clusters:
        while asked < options.requests:
            seed = options.only or f"{options.seed}/{number}"
            count, found = clusters.sequence(seed, min(SEQUENCE_LENGTH, options.requests - asked))
            asked, number = asked + count, number + 1
            for finding in found:
                findings += 1
                print(str(finding).replace("x" * 249, "x*249"), flush=True)
                if options.shrink:
                    shorter = shrunk(clusters, finding)
                    print("  shrunk to:", *shorter.steps, *shorter.found[:4], sep="\n      ", flush=True)
            if options.only:
                break
        print(f"seed {options.seed}: {asked} requests in {number} sequences, {findings} differences")
        print("asked:", dict(clusters.asked.most_common()))
        print("error codes of Apache Kafka:", dict(clusters.codes.most_common()))
        for why, times in clusters.excused.most_common():
            print(f"allowed {times} times: {why}")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
