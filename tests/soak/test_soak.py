"""The soak's short form: all loads at once, every record checked. Only time shows whether something grows."""

import os
import random
from pathlib import Path

import pytest

from tests.soak.run import soak
from tests.soak.watch import Sample, growths

SECONDS = 8.0
SEED = int(os.environ.get("SEED", "0")) if os.environ.get("SEED", "").isdigit() else 0


@pytest.mark.slow
def test_all_loads_together_for_a_moment(tmp_path: Path) -> None:
    seed = SEED or random.SystemRandom().randrange(1 << 32)
    outcome = soak(tmp_path, SECONDS, seed, print)
    assert outcome.failures == [], f"seed {seed}"
    assert all(outcome.done.values()), outcome.done


def test_growth_is_seen_and_noise_is_not() -> None:
    def names(grown: list[Sample]) -> set[str]:
        return {one.name for one in growths(grown) if one.is_growth}

    def sample(second: float, memory: float, files: float, threads: float = 12) -> Sample:
        return Sample(second, memory, threads, files, 0, 0, 0, 0)

    steady = [sample(second, 100 + second % 7, 50 + second % 5) for second in range(100)]
    assert names(steady) == set()
    # Half a MiB, a file and a thread that nobody gives back, now and then.
    leaking = [sample(second, 100 + second / 2, 50 + second / 4, 12 + second // 50) for second in range(100)]
    assert names(leaking) == {"memory, MiB", "open files", "threads"}
    # What fills in the beginning is no growth.
    filling = [sample(second, min(100 + 10 * second, 200), 50) for second in range(100)]
    assert names(filling) == set()
