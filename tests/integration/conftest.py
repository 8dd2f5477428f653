"""One live `barnabas up` for all clients, and names that no two tests share."""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import jars
from tests.support.server import cluster_under_test
from tests.support.toolchain import SECONDS_MAX, require

HERE = Path(__file__).parent


@pytest.fixture(scope="session")
def bootstrap() -> Iterator[str]:
    # Records of the tests may be older than topics keep them: nobody looks during a run.
    with cluster_under_test("--set", "log.retention.check.interval.ms=86400000") as address:
        yield address


@pytest.fixture
def topic(request: pytest.FixtureRequest) -> str:
    """A topic name of the test's own; nobody has created it."""
    name = "".join(c if c.isalnum() else "-" for c in request.node.name)
    return f"{name}-{abs(hash(request.node.nodeid)) % 10**8}"


@pytest.fixture(scope="session")
def go_program() -> Path:
    """The clients of Go, built."""
    require("go")
    program = jars.CACHE / "go" / "clients"
    program.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run(["go", "build", "-o", program, "."], cwd=HERE / "go", check=True, timeout=SECONDS_MAX)
    return program


@pytest.fixture(scope="session")
def node_programs() -> Path:
    """Where the clients of Node are, installed."""
    require("node", "npm")
    home = jars.CACHE / "node"
    home.mkdir(parents=True, exist_ok=True)
    for name in ("package.json", "package-lock.json", "clients.js", "transactions.js", "registry.js"):
        shutil.copy(HERE / "node" / name, home / name)
    install = ["npm", "ci", "--silent", "--no-audit", "--no-fund"]
    subprocess.run(install, cwd=home, check=True, timeout=SECONDS_MAX)
    return home
