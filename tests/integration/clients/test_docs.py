"""The examples of the pages on the clients run as they are printed, one after the other."""

import re
from pathlib import Path

import pytest

import barnabas
from tests.support.server import cluster_under_test

DOCS = Path(__file__).resolve().parents[3] / "docs"


@pytest.mark.parametrize("page", ["producer.md", "consumer.md"])
def test_the_examples_run(page: str) -> None:
    blocks = re.findall(r"```python\n(.*?)```", (DOCS / page).read_text(), re.DOTALL)
    assert len(blocks) >= 4
    with cluster_under_test("--memory") as address:
        with barnabas.Producer(bootstrap_servers=address) as producer:
            for number in range(20):
                producer.produce("orders", f"order {number}")
        names: dict[str, object] = {}
        for block in blocks:
            exec(compile(block.replace("localhost:9092", address), page, "exec"), names)
