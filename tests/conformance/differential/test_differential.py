"""A short look in each run of the tests; `python -m tests.conformance.differential` takes a longer one."""

from __future__ import annotations

import os

import pytest

from tests.conformance.differential.__main__ import pair

SEED = int(os.environ.get("SEED", "7"))
REQUESTS = int(os.environ.get("REQUESTS", "400"))
SEQUENCE_LENGTH = 100


@pytest.mark.oracle
@pytest.mark.timeout(600)
def test_the_real_kafka_and_barnabas_answer_alike(capsys: pytest.CaptureFixture[str]) -> None:
    found = []
    asked = number = 0
    with pair(None, None) as clusters:
        while asked < REQUESTS:
            length = min(SEQUENCE_LENGTH, REQUESTS - asked)
            count, findings = clusters.sequence(f"{SEED}/{number}", length)
            asked, number = asked + count, number + 1
            found += findings
    with capsys.disabled():
        print(f"seed {SEED}: {asked} requests in {number} sequences, {len(found)} differences")
    assert not found, "\n".join(map(str, found))
