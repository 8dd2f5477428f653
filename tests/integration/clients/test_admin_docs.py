"""The examples of docs/admin.md run as they are printed, one after the other."""

import re
from pathlib import Path

from tests.support.server import cluster_under_test

PAGE = Path(__file__).resolve().parents[3] / "docs" / "admin.md"


def test_the_examples_run() -> None:
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert len(blocks) >= 6
    with cluster_under_test("--memory") as address:
        names: dict[str, object] = {}
        for block in blocks:
            code = block.replace("localhost:9092", address)
            exec(compile(code, PAGE.name, "exec"), names)
