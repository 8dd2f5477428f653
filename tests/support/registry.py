"""`barnabas registry` as a user runs it, and requests to it."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple, Self
from urllib.parse import urlsplit

from tests.support.oracle import free_port

START_SECONDS_MAX = 60
MEDIA_TYPE = "application/vnd.schemaregistry.v1+json"


class Reply(NamedTuple):
    """What a registry answers."""

    status: int
    body: Any
    """Read as JSON; the text where it is none."""
    headers: dict[str, str]


class RegistryProcess:
    """One registry for a cluster, on a port of the loopback address."""

    command: tuple[str, ...] = ("registry",)

    def __init__(self, bootstrap: str, log: Path, *options: str) -> None:
        """`bootstrap`: empty where the options say which cluster it is."""
        self.command = (*self.command, *options)
        self.bootstrap = bootstrap
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = log
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> Self:
        command = [
            sys.executable,
            "-m",
            "barnabas",
            *self.command,
            *(("-b", self.bootstrap) if self.bootstrap else ()),
            "--port",
            str(self.port),
        ]
        said = self.log.stat().st_size if self.log.exists() else 0
        with self.log.open("ab") as log:
            environment = {**os.environ, "LOCAL_SECRET": "the secret of the tests"}
            self.process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, env=environment)
        deadline = time.monotonic() + START_SECONDS_MAX
        while b"is ready at" not in self.log.read_bytes()[said:]:
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.kill()
                raise RuntimeError(f"{self.command} did not come up:\n{self.log.read_text()}")
            time.sleep(0.01)
        return self

    def stop(self) -> int:
        """Asks it to stop, as Ctrl-C does; its exit code."""
        assert self.process is not None
        self.process.send_signal(signal.SIGINT)
        code = self.process.wait(START_SECONDS_MAX)
        self.process = None
        return code

    def kill(self) -> None:
        """kill -9."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> Reply:
        """One request on a connection of its own."""
        return ask(self.url, method, path, body, **headers)


def ask(url: str, method: str, path: str, body: Any = None, **headers: str) -> Reply:
    """One request. A body that is no text or bytes is sent as JSON."""
    sent = body if isinstance(body, str | bytes | None) else json.dumps(body)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    if sent is not None:
        named.setdefault("Content-Type", MEDIA_TYPE)
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=60)
    try:
        connection.request(method, path, sent, named)
        response = connection.getresponse()
        data = response.read()
    finally:
        connection.close()
    got = {name.lower(): value for name, value in response.getheaders()}
    try:
        return Reply(response.status, json.loads(data), got)
    except ValueError:
        return Reply(response.status, data.decode(), got)
