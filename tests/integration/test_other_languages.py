"""Clients of Java, Go and Node, each a small program of its own toolchain; pinned, fetched on first use."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support import jars
from tests.support.toolchain import require

HERE = Path(__file__).parent
JAVA_CLIENT = ("org.apache.kafka:kafka-clients:4.4.0", "org.slf4j:slf4j-nop:2.0.17")
SECONDS_MAX = 300


def run(command: list[str], cwd: Path | None = None) -> None:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=SECONDS_MAX)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "all held" in done.stdout


@pytest.mark.parametrize("program", ["Clients", "Transactions"])
def test_java(bootstrap: str, program: str) -> None:
    libs = jars.fetch("kafka-clients-4.4.0", JAVA_CLIENT)
    run(["java", "-Xmx256M", "-cp", f"{libs}/*", str(HERE / "java" / f"{program}.java"), bootstrap])


@pytest.fixture(scope="session")
def go_program() -> Path:
    require("go")
    program = jars.CACHE / "go" / "clients"
    program.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run(["go", "build", "-o", program, "."], cwd=HERE / "go", check=True, timeout=SECONDS_MAX)
    return program


@pytest.mark.parametrize("client", ["franz-go", "sarama", "franz-go-transactions", "sarama-transactions"])
def test_go(bootstrap: str, go_program: Path, client: str) -> None:
    run([str(go_program), client, bootstrap])


@pytest.fixture(scope="session")
def node_programs() -> Path:
    require("node", "npm")
    home = jars.CACHE / "node"
    home.mkdir(parents=True, exist_ok=True)
    for name in ("package.json", "package-lock.json", "clients.js", "transactions.js"):
        shutil.copy(HERE / "node" / name, home / name)
    install = ["npm", "ci", "--silent", "--no-audit", "--no-fund"]
    subprocess.run(install, cwd=home, check=True, timeout=SECONDS_MAX)
    return home


@pytest.mark.parametrize("program", ["clients", "transactions"])
def test_node(bootstrap: str, node_programs: Path, program: str) -> None:
    run(["node", f"{program}.js", bootstrap], cwd=node_programs)
