"""What a test needs of the machine: named when it is missing, never passed over in silence."""

import os
import shutil
from collections.abc import Callable

import pytest


def require(*programs: str) -> None:
    """Skips the test, naming what is missing; in CI (environment variable CI) a missing program fails it."""
    missing = [program for program in programs if shutil.which(program) is None]
    if not missing:
        return
    reason = f"needs {', '.join(missing)} on the PATH"
    give_up: Callable[[str], object] = pytest.fail if os.environ.get("CI") else pytest.skip
    give_up(reason)
