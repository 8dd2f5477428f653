"""What a test needs of the machine: named when it is missing, never passed over in silence."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import pytest

SECONDS_MAX = 300
"""For one program, its build or its installation."""


def require(*programs: str) -> None:
    """Skips the test, naming what is missing; in CI (environment variable CI) a missing program fails it."""
    if missing := [program for program in programs if shutil.which(program) is None]:
        _give_up(f"needs {', '.join(missing)} on the PATH")


def require_modules(*modules: str) -> None:
    """The same for modules; those that have no wheels for later versions of Python are passed over there."""
    missing = [module for module in modules if find_spec(module) is None]
    if missing and sys.version_info >= (3, 14):
        pytest.skip(f"there is no {', '.join(missing)} for this Python")
    if missing:
        _give_up(f"needs {', '.join(missing)}")


def _give_up(reason: str) -> None:
    give_up: Callable[[str], object] = pytest.fail if os.environ.get("CI") else pytest.skip
    give_up(reason)


def run(command: list[str], cwd: Path | None = None) -> None:
    """Runs a client of another language, which says so where all that it wants to see has held."""
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=SECONDS_MAX)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "all held" in done.stdout
