"""`barnabas up` as a user runs it: a process of its own."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.support.oracle import free_port

START_SECONDS_MAX = 30
STOP_SECONDS_MAX = 30
BARNABAS_UP = (sys.executable, "-m", "barnabas", "up")


class BarnabasUp:
    """One `barnabas up` on a port of the loopback address.

    Arguments with `--memory` or `log.dirs=…` leave the directory alone; with `listeners=…` they say the port
    themselves.
    """

    def __init__(self, directory: Path, arguments: Sequence[str] = (), port: int | None = None) -> None:
        self.directory = directory
        self.port = port or free_port()
        self.bootstrap = f"127.0.0.1:{self.port}"
        self.arguments = list(arguments)
        self.log = directory.parent / f"{directory.name}.log"
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    def start(self) -> "BarnabasUp":
        elsewhere = any(argument.startswith(("--memory", "log.dirs=")) for argument in self.arguments)
        place = () if elsewhere else ("--dir", str(self.directory))
        listeners = any(argument.startswith("listeners=") for argument in self.arguments)
        address = () if listeners else ("--port", str(self.port))
        command = [*BARNABAS_UP, *place, *address, *self.arguments]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
        deadline = time.monotonic() + START_SECONDS_MAX
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
            except OSError:
                if self.process.poll() is not None or time.monotonic() > deadline:
                    self.kill()
                    raise RuntimeError(f"barnabas did not come up:\n{self.log.read_text()}") from None
                time.sleep(0.01)
            else:
                return self

    def stop(self, number: signal.Signals = signal.SIGINT) -> int:
        """Asks the process to stop, as Ctrl-C does; its exit code."""
        assert self.process is not None
        self.process.send_signal(number)
        code = self.process.wait(STOP_SECONDS_MAX)
        self.process = None
        return code

    def kill(self) -> None:
        """kill -9."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None


@contextlib.contextmanager
def cluster_under_test(*arguments: str) -> Iterator[str]:
    """Bootstrap address of a fresh `barnabas up`; of another cluster when BARNABAS_TEST_BOOTSTRAP names one.

    The latter is for judging the tests themselves: what fails against the real Apache Kafka is wrong.
    """
    if given := os.environ.get("BARNABAS_TEST_BOOTSTRAP"):
        yield given
        return
    with tempfile.TemporaryDirectory(prefix="barnabas-") as parent:
        up = BarnabasUp(Path(parent) / "data", arguments).start()
        try:
            yield up.bootstrap
            code = up.stop()
            assert code == 0, f"exit code {code}:\n{up.log.read_text()}"
        finally:
            up.kill()
