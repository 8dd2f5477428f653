"""The examples of the documentation run as they are printed, each against a broker of its own."""

import doctest
import inspect
import re
from pathlib import Path
from typing import Any

import pytest

import barnabas.serde
import barnabas.testing.kafka
from barnabas.testing import Kafka, KafkaCluster

DOCS = Path(__file__).resolve().parents[3] / "docs"
PAGES = {"testing.md": 6, "serdes.md": 2, "migrating.md": 7}
"""Pages, and how many examples there are at least."""


def examples() -> list[Any]:
    found = []
    for page, least in PAGES.items():
        blocks = re.findall(r"```python\n(.*?)```", (DOCS / page).read_text(), re.DOTALL)
        assert len(blocks) >= least, page
        found += [pytest.param(page, block, id=f"{page}-{n}") for n, block in enumerate(blocks, 1)]
    return found


@pytest.mark.parametrize(("page", "block"), examples())
def test_example_runs(kafka: Kafka, page: str, block: str) -> None:
    if "localhost:9092" in block:
        kafka.topic("orders")
        # A consumer's example reads what its own producer writes; one that only reads finds it there.
        block = block.replace("localhost:9092", kafka.bootstrap)
    names: dict[str, Any] = {}
    exec(compile(block, page, "exec"), names)
    for name, test in names.items():
        if name.startswith("test_"):
            (fixture,) = inspect.signature(test).parameters
            if fixture == "kafka":
                test(kafka)
                continue
            assert fixture == "kafka_cluster"
            with KafkaCluster() as cluster:
                test(cluster)


@pytest.mark.parametrize("module", [barnabas.serde, barnabas.testing.kafka])
def test_docstrings_are_right(module: Any) -> None:
    failed, tried = doctest.testmod(module)
    assert tried
    assert not failed
