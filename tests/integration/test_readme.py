"""The README's tour and its Python example give what is printed there."""

import os
import re
import socket
import subprocess
import sys
import time
import tomllib
from pathlib import Path

import pytest

from tests.support.oracle import free_port
from tests.support.server import BarnabasUp
from tests.support.toolchain import require

README = Path(__file__).resolve().parents[2] / "README.md"


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README.read_text(), re.DOTALL)


def tour(number: int) -> list[tuple[str, str]]:
    """Commands of a tour, each with the output that the README prints below it."""
    steps: list[tuple[str, str]] = []
    for line in blocks("console")[number].splitlines():
        if line.startswith("$ "):
            steps.append((line[2:], ""))
        else:
            command, output = steps[-1]
            steps[-1] = (command, output + line + "\n")
    return steps


def until_reachable(port: int) -> None:
    """Services listen a moment after the broker does."""
    deadline = time.monotonic() + 60
    while True:
        try:
            return socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            assert time.monotonic() < deadline
            time.sleep(0.05)


@pytest.mark.parametrize("number", [0, 1])
def test_the_tours_print_what_the_readme_says(tmp_path: Path, number: int) -> None:
    if number == 1:
        require("curl")
    registry, rest = free_port(), free_port()
    up = BarnabasUp(tmp_path / "data", ["--registry-port", str(registry), "--rest-port", str(rest)]).start()
    binaries = Path(sys.executable).parent
    environment = {
        **os.environ,
        "BARNABAS_BOOTSTRAP": up.bootstrap,
        "BARNABAS_REGISTRY": f"http://127.0.0.1:{registry}",
        "PATH": f"{binaries}:{os.environ['PATH']}",
    }
    try:
        for port in (registry, rest):
            until_reachable(port)
        for command, expected in tour(number):
            done = subprocess.run(
                ["bash", "-c", command.replace(":8082/", f":{rest}/")],
                env=environment,
                cwd=tmp_path,
                capture_output=True,
                text=True,
                timeout=60,
            )
            assert (done.returncode, done.stdout) == (0, expected), f"{command}\n{done.stderr}"
        assert up.stop() == 0
    finally:
        up.kill()


def test_who_builds_it_has_what_the_services_need() -> None:
    # The tours above have it from the tests' own requirements; `make up` installs but these.
    extras = tomllib.loads((README.parent / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    names = {
        re.split(r"[=; ]", line)[0] for line in (README.parent / "requirements.txt").read_text().splitlines()
    }
    for extra in ("avro", "encryption", "json-schema", "protobuf"):
        assert {re.split("[<>=]", needed)[0] for needed in extras[extra]} <= names, extra


def test_the_python_example_prints_what_its_comment_says(capsys: pytest.CaptureFixture[str]) -> None:
    exec(compile(blocks("python")[0], "README.md", "exec"), {})
    assert capsys.readouterr().out == blocks("python")[0].rpartition("# ")[2]
