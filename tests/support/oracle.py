"""The real Apache Kafka 4.3.1, to compare with."""

import contextlib
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from tests.support import jars

# Nodes live for seconds: what the second compiler would gain, it takes twice while they come up.
JVM = ("-Xmx512M", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")
START_SECONDS_MAX = 180
"""How long a node may take to come up: it may have a small share of a busy machine."""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def libs() -> Path:
    """Jars of broker and tools, of 4.3.1."""
    return jars.fetch("apache-kafka-4.3.1", jars.BROKER_4_3_1)


def java(*arguments: str, stdin: str | None = None, timeout: float = 120) -> subprocess.CompletedProcess[str]:
    """Runs a main class, or a single source file, on the jars."""
    command = ["java", "-Xmx512M", "-XX:TieredStopAtLevel=1", "-cp", f"{libs()}/*", *arguments]
    return subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=timeout)


class ApacheKafka:
    """One node, broker and controller, on free ports of the loopback address and a directory of its own."""

    def __init__(
        self,
        directory: Path,
        settings: Mapping[str, str] | None = None,
        jvm: Sequence[str] = JVM,
        port: int | None = None,
    ) -> None:
        self.directory, self.jvm = directory, jvm
        self.port, self.controller_port = port or free_port(), free_port()
        self.bootstrap = f"127.0.0.1:{self.port}"
        self.log_directory = directory / "data"
        self.settings = {
            "process.roles": "broker,controller",
            "node.id": "1",
            "controller.quorum.bootstrap.servers": f"127.0.0.1:{self.controller_port}",
            "listeners": f"PLAINTEXT://{self.bootstrap},CONTROLLER://127.0.0.1:{self.controller_port}",
            "advertised.listeners": f"PLAINTEXT://{self.bootstrap}",
            "controller.listener.names": "CONTROLLER",
            "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT",
            "log.dirs": str(self.log_directory),
            "offsets.topic.replication.factor": "1",
            "transaction.state.log.replication.factor": "1",
            "transaction.state.log.min.isr": "1",
            "share.coordinator.state.topic.replication.factor": "1",
            "share.coordinator.state.topic.min.isr": "1",
            "group.initial.rebalance.delay.ms": "0",
            "log.cleaner.dedupe.buffer.size": "20000000",
            **(settings or {}),
        }
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    def format(self, cluster_id: str = "MkU3OEVBNTcwNTJENDM2Qg") -> Path:
        """Writes the configuration, and formats the directory when it is new; the configuration's path."""
        self.directory.mkdir(parents=True, exist_ok=True)
        config = self.directory / "server.properties"
        config.write_text("".join(f"{key}={value}\n" for key, value in self.settings.items()))
        if not (self.log_directory / "meta.properties").exists():
            options = ["format", "--standalone", "-t", cluster_id, "-c", str(config)]
            done = java("kafka.tools.StorageTool", *options)
            assert done.returncode == 0, done.stdout + done.stderr
        return config

    def start(self) -> "ApacheKafka":
        config = self.format()
        output = self.directory / "server.out"
        with output.open("a") as out:
            self.process = subprocess.Popen(
                ["java", *self.jvm, "-cp", f"{libs()}/*", "kafka.Kafka", str(config)],
                stdout=out,
                stderr=subprocess.STDOUT,
            )
        deadline = time.monotonic() + START_SECONDS_MAX
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
            except OSError:
                if self.process.poll() is not None or time.monotonic() > deadline:
                    self.stop()
                    said = output.read_text()[-4000:]
                    raise RuntimeError(f"Apache Kafka did not come up: {said}") from None
                time.sleep(0.05)
            else:
                return self

    def kill(self) -> None:
        """kill -9."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def stop(self) -> None:
        if self.process is not None:
            self.process.terminate()
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
            self.process = None


@contextlib.contextmanager
def apache_kafka(settings: Mapping[str, str] | None = None, port: int | None = None) -> Iterator[ApacheKafka]:
    """A node in a directory that goes with it, and so need not stop cleanly. Settings with listeners say the
    port of one of them."""
    directory = Path(tempfile.mkdtemp(prefix="apache-kafka-"))
    kafka = ApacheKafka(directory, settings, port=port)
    try:
        yield kafka.start()
    finally:
        kafka.kill()
        shutil.rmtree(directory, ignore_errors=True)
