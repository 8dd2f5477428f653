"""The load generator in `bench/load`, run as a process of its own."""

import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

Figures = dict[str, float]

ROOT = Path(__file__).resolve().parents[1]
SECONDS_MAX = 600


class LoadFailed(Exception):
    """A run of the load generator gave no figures."""


@dataclass(frozen=True)
class Load:
    """The generator's binary."""

    binary: Path

    def run(self, command: str, bootstrap: str, topic: str, **arguments: object) -> Figures:
        """Runs a command to its end; what it found."""
        with self.begin(command, bootstrap=bootstrap, topic=topic, **arguments) as process:
            return finish(process)

    def begin(self, command: str, **arguments: object) -> "subprocess.Popen[str]":
        """Starts a command. Arguments are those of `barnabas-load`, with '_' for '-'."""
        options = [
            text for name, value in arguments.items() for text in (f"--{name.replace('_', '-')}", str(value))
        ]
        return subprocess.Popen(
            [self.binary, command, *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )


def finish(process: "subprocess.Popen[str]") -> Figures:
    """Waits for a command that was started; what it found."""
    try:
        said, complaint = process.communicate(timeout=SECONDS_MAX)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        raise LoadFailed(f"no end after {SECONDS_MAX} s") from None
    if process.returncode:
        raise LoadFailed(complaint.strip().splitlines()[0] if complaint.strip() else "no figures")
    figures: Figures = json.loads(said)
    return figures


def build() -> Load:
    """The generator: as BARNABAS_LOAD names it, or built from the sources."""
    if given := os.environ.get("BARNABAS_LOAD"):
        return Load(Path(given))
    subprocess.run(
        ["cargo", "build", "--release", "--quiet", "--package", "barnabas-load"], cwd=ROOT, check=True
    )
    target = Path(os.environ.get("CARGO_TARGET_DIR") or ROOT / "target")
    return Load(ROOT / target / "release" / "barnabas-load")
