"""Streams groups (KIP-1071) with Java's Kafka Streams and admin client."""

from __future__ import annotations

from pathlib import Path

from tests.support import jars
from tests.support.toolchain import run

JAVA = Path(__file__).parent / "java" / "StreamsGroups.java"
STREAMS = ("org.apache.kafka:kafka-streams:4.3.1", "org.slf4j:slf4j-nop:2.0.17")


def test_java(bootstrap: str) -> None:
    libs = jars.fetch("kafka-streams-4.3.1", STREAMS)
    run(["java", "-Xmx256M", "-cp", f"{libs}/*", str(JAVA), bootstrap])
