"""The README's tour and its Python example give what is printed there."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.server import BarnabasUp

README = Path(__file__).resolve().parents[2] / "README.md"


def block(language: str) -> str:
    found = re.search(rf"```{language}\n(.*?)```", README.read_text(), re.DOTALL)
    assert found is not None
    return found[1]


def tour() -> list[tuple[str, str]]:
    """Commands of the tour, each with the output that the README prints below it."""
    steps: list[tuple[str, str]] = []
    for line in block("console").splitlines():
        if line.startswith("$ "):
            steps.append((line[2:], ""))
        else:
            command, output = steps[-1]
            steps[-1] = (command, output + line + "\n")
    return steps


def test_the_tour_prints_what_the_readme_says(tmp_path: Path) -> None:
    up = BarnabasUp(tmp_path / "data").start()
    binaries = Path(sys.executable).parent
    environment = {
        **os.environ,
        "BARNABAS_BOOTSTRAP": up.bootstrap,
        "PATH": f"{binaries}:{os.environ['PATH']}",
    }
    try:
        for command, expected in tour():
            done = subprocess.run(
                ["bash", "-c", command], env=environment, capture_output=True, text=True, timeout=60
            )
            assert (done.returncode, done.stdout) == (0, expected), f"{command}\n{done.stderr}"
        assert up.stop() == 0
    finally:
        up.kill()


def test_the_python_example_prints_what_its_comment_says(capsys: pytest.CaptureFixture[str]) -> None:
    exec(compile(block("python"), "README.md", "exec"), {})
    assert capsys.readouterr().out == block("python").rpartition("# ")[2]
