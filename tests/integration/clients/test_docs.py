"""The examples of the pages on the clients run as they are printed, one after the other."""

import re
from pathlib import Path

import pytest

import barnabas
from tests.support.server import cluster_under_test

DOCS = Path(__file__).resolve().parents[3] / "docs"


@pytest.mark.parametrize(
    ("page", "count"),
    [
        ("producer.md", 4),
        ("consumer.md", 4),
        ("share-groups.md", 2),
        ("retries.md", 1),
        ("stored-offsets.md", 1),
    ],
)
def test_the_examples_run(page: str, count: int) -> None:
    blocks = re.findall(r"```python\n(.*?)```", (DOCS / page).read_text(), re.DOTALL)
    assert len(blocks) >= count
    with cluster_under_test("--memory") as address:
        with barnabas.Producer(bootstrap_servers=address) as producer:
            for number in range(20):
                producer.produce("orders", f"order {number}")
        names: dict[str, object] = {}
        for block in blocks:
            exec(compile(block.replace("localhost:9092", address), page, "exec"), names)
