"""Jars of Apache Kafka releases, from Maven Central, kept in the user's cache directory."""

import fcntl
import os
import subprocess
from pathlib import Path

from tests.support.toolchain import require

CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "barnabas"

POM = """<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>barnabas.tests</groupId><artifactId>jars</artifactId><version>1</version><packaging>pom</packaging>
  <dependencies>{dependencies}</dependencies>
</project>
"""

DEPENDENCY = """
    <dependency><groupId>{group}</groupId><artifactId>{artifact}</artifactId><version>{version}</version></dependency>"""

BROKER_4_3_1 = tuple(
    f"org.apache.kafka:{artifact}:4.3.1" for artifact in ("kafka_2.13", "kafka-tools", "kafka-shell")
)
"""What runs a broker and the command line tools."""


def fetch(name: str, coordinates: tuple[str, ...]) -> Path:
    """Directory with the jars of `coordinates` (group:artifact:version) and all they depend on.

    Downloaded at the first call; calls of several processes wait for one another.
    """
    require("mvn", "java")
    directory = CACHE / name
    directory.mkdir(parents=True, exist_ok=True)
    done = directory / "done"
    wanted = "\n".join(sorted(coordinates))
    with (directory / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not done.exists() or done.read_text() != wanted:
            dependencies = "".join(
                DEPENDENCY.format(group=group, artifact=artifact, version=version)
                for group, artifact, version in (coordinate.split(":") for coordinate in coordinates)
            )
            pom = directory / "pom.xml"
            pom.write_text(POM.format(dependencies=dependencies))
            subprocess.run(
                ["mvn", "-q", "-B", "-f", pom, "dependency:copy-dependencies",
                 f"-DoutputDirectory={directory / 'libs'}", "-DincludeScope=runtime"],
                check=True,
            )  # fmt: skip
            done.write_text(wanted)
    return directory / "libs"
