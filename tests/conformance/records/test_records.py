"""Record batches against the classes of Apache Kafka 4.3.1: built, read, and validated as a leader does."""

import os
import subprocess
from pathlib import Path

import pytest

from tests.support import oracle
from tests.support.toolchain import require

ROOT = Path(__file__).parents[3]


@pytest.mark.oracle
@pytest.mark.slow
@pytest.mark.timeout(900)  # The first run compiles the test program.
def test_record_batches_agree_with_kafkas_own_classes() -> None:
    require("java", "mvn", "cargo")
    done = subprocess.run(
        ["cargo", "test", "--quiet", "--release", "-p", "barnabas-protocol", "--test", "against_kafka",
         "--", "--ignored"],
        cwd=ROOT,
        env={**os.environ, "APACHE_KAFKA_LIBS": str(oracle.libs())},
        capture_output=True,
        text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-10_000:] + done.stderr[-2_000:]
