"""The brokers that are compared: how each is formatted, started and stopped, always with its
defaults."""

import compileall
import os
import re
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path

from confluent_kafka.admin import AdminClient, NewTopic

import barnabas
from bench.load import Load, LoadFailed, finish
from bench.process import cpu_seconds, memory_mib
from tests.support.oracle import ApacheKafka
from tests.support.server import BarnabasUp

KAFKA = "kafka"
BARNABAS = "barnabas"
MEMORY = "barnabas --memory"

ADMIN_SECONDS_MAX = 300
START_SECONDS_MAX = 120
LEADER_SECONDS = 0.5
FIRST_TOPIC = "first"
"""Holds one record from the start on."""

# As Apache's kafka-server-start.sh has them: a heap of 1 GiB and its collector's options.
_JVM = (
    "-Xmx1G", "-Xms1G", "-server", "-XX:+UseG1GC", "-XX:MaxGCPauseMillis=20",
    "-XX:InitiatingHeapOccupancyPercent=35", "-XX:+ExplicitGCInvokesConcurrent", "-Djava.awt.headless=true",
)  # fmt: skip
# The oracle of the tests makes it smaller; here Kafka has its own default.
_KAFKA_SETTINGS = {"log.cleaner.dedupe.buffer.size": "134217728"}


class Broker:
    """One broker and its directory."""

    def __init__(self, name: str, parent: Path, load: Load) -> None:
        self.name, self.load = name, load
        self.directory = parent / name.replace(" ", "")
        self._server = _SERVERS[name](self.directory)
        self._topics = 0

    @property
    def bootstrap(self) -> str:
        return self._server.bootstrap

    def format(self) -> float:
        """Makes an empty directory ready; the seconds it took. barnabas formats when it starts."""
        _set_aside(self.directory)
        begun = time.monotonic()
        if isinstance(self._server, ApacheKafka):
            self._server.format()
        return time.monotonic() - begun

    def start(self, *, create: bool = True) -> float:
        """Starts the process; seconds until a first record was acknowledged."""
        asking = self.load.begin(
            "first-record",
            bootstrap=self.bootstrap,
            topic=FIRST_TOPIC,
            create=int(create),
            seconds=START_SECONDS_MAX,
        )
        ended: list[float] = []

        def note_end() -> None:
            asking.wait()
            ended.append(time.monotonic())

        watch = threading.Thread(target=note_end)
        watch.start()
        begun = time.monotonic()
        try:
            self._server.start()
        except BaseException:
            asking.kill()
            raise
        finally:
            watch.join()
            if asking.returncode < 0:
                asking.communicate()
        finish(asking)
        return ended[0] - begun

    def stop(self) -> float:
        """Asks the process to stop, as an operator does; the seconds it took."""
        begun = time.monotonic()
        self._server.stop()
        return time.monotonic() - begun

    def kill(self) -> None:
        """kill -9, if it runs."""
        process = self._server.process
        if process is not None:
            process.send_signal(signal.SIGKILL)
            process.wait()
            self._server.process = None

    @property
    def pid(self) -> int:
        return self._server.pid

    def service(self, title: str) -> str:
        """Where a service beside the broker listens, as HOST:PORT; `title` is what `barnabas up` calls it."""
        assert isinstance(self._server, BarnabasUp)
        found = re.findall(rf"^ +{title} +http://(\S+)$", self._server.log.read_text(), re.MULTILINE)
        if not found:
            raise LoadFailed(f"{self.name} has no {title}")
        return str(found[-1])

    def cpu_seconds(self) -> float:
        return cpu_seconds(self.pid)

    def memory_mib(self) -> float:
        return memory_mib(self.pid)

    def idle_percent(self, seconds: float) -> float:
        """Share of one processor that it takes when nobody asks anything."""
        cpu, begun = self.cpu_seconds(), time.monotonic()
        time.sleep(seconds)
        return 100 * (self.cpu_seconds() - cpu) / (time.monotonic() - begun)

    # ---- topics

    def topic(self, partitions: int = 1, **configs: str) -> str:
        """A new topic; its name."""
        self._topics += 1
        name = f"bench-{time.time_ns()}-{self._topics}"
        self.create([name], partitions, {"file.delete.delay.ms": "1000", **configs})
        # Apache Kafka names a leader before it leads.
        time.sleep(LEADER_SECONDS)
        return name

    def create(self, names: list[str], partitions: int, configs: dict[str, str] | None = None) -> None:
        """Creates topics in one request."""
        wanted = [NewTopic(name, partitions, 1, config=configs or {}) for name in names]
        admin = self.admin()
        asked = admin.create_topics(
            wanted, operation_timeout=ADMIN_SECONDS_MAX, request_timeout=ADMIN_SECONDS_MAX
        )
        for future in asked.values():
            future.result(ADMIN_SECONDS_MAX)

    def delete(self, name: str) -> None:
        admin = self.admin()
        admin.delete_topics([name])[name].result(ADMIN_SECONDS_MAX)

    def admin(self) -> AdminClient:
        """A client, to be held until its answers are there."""
        return AdminClient(
            {"bootstrap.servers": self.bootstrap, "log_level": 3, "enable.metrics.push": False}
        )


def _set_aside(directory: Path) -> None:
    """Empties files of a broker that is gone and keeps them until the run ends.

    ext4 passes over the inodes of files deleted in the last minutes, one by one, whenever a file is made:
    after a broker with 10,000 partitions was deleted, the next took ten times as long to make its own.
    """
    directory.parent.mkdir(parents=True, exist_ok=True)
    if directory.exists():
        for file in directory.rglob("*.log"):
            os.truncate(file, 0)
        directory.rename(directory.with_name(f"{directory.name}-until-{time.time_ns()}"))


def _kafka(directory: Path) -> ApacheKafka:
    return ApacheKafka(directory, _KAFKA_SETTINGS, jvm=_JVM)


@cache
def _compile_package() -> None:
    """Byte code, as an installation has it: a checkout may never write any (PYTHONDONTWRITEBYTECODE)."""
    compileall.compile_dir(Path(barnabas.__file__).parent, quiet=1)


def _barnabas(directory: Path) -> BarnabasUp:
    _compile_package()
    return BarnabasUp(directory)


def _in_memory(directory: Path) -> BarnabasUp:
    return BarnabasUp(directory, ["--memory"])


_SERVERS: dict[str, Callable[[Path], ApacheKafka | BarnabasUp]] = {
    KAFKA: _kafka,
    BARNABAS: _barnabas,
    MEMORY: _in_memory,
}


def java_version() -> str:
    """What runs Apache Kafka."""
    said = subprocess.run(["java", "-version"], capture_output=True, text=True, check=True).stderr
    return said.splitlines()[0]
