"""The examples of the pages on the clients run as they are printed, one after the other."""

import re
from pathlib import Path

import pytest

from tests.support.server import cluster_under_test

DOCS = Path(__file__).resolve().parents[3] / "docs"


@pytest.mark.parametrize("page", ["producer.md"])
def test_the_examples_run(page: str) -> None:
    blocks = re.findall(r"```python\n(.*?)```", (DOCS / page).read_text(), re.DOTALL)
    assert len(blocks) >= 5
    with cluster_under_test("--memory") as address:
        names: dict[str, object] = {}
        for block in blocks:
            exec(compile(block.replace("localhost:9092", address), page, "exec"), names)
