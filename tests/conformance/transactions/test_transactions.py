"""Random histories of transactions: Apache Kafka 4.3.1 and barnabas answer alike."""

from __future__ import annotations

import pytest

from tests.conformance.transactions.run import both, play

STEPS = 150


@pytest.mark.oracle
@pytest.mark.timeout(300)
def test_both_answer_alike() -> None:
    with both() as (apache, barnabas):
        for seed in (1, 2, 3):
            assert play(apache, barnabas, seed, STEPS) is None
