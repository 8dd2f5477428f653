"""Clients of Java, Go and Node, each a small program of its own toolchain; pinned, fetched on first use."""

from pathlib import Path

import pytest

from tests.support import jars
from tests.support.toolchain import run

HERE = Path(__file__).parent
JAVA_CLIENT = ("org.apache.kafka:kafka-clients:4.4.0", "org.slf4j:slf4j-nop:2.0.17")


@pytest.mark.parametrize("program", ["Clients", "Transactions"])
def test_java(bootstrap: str, program: str) -> None:
    libs = jars.fetch("kafka-clients-4.4.0", JAVA_CLIENT)
    run(["java", "-Xmx256M", "-cp", f"{libs}/*", str(HERE / "java" / f"{program}.java"), bootstrap])


@pytest.mark.parametrize("client", ["franz-go", "sarama", "franz-go-transactions", "sarama-transactions"])
def test_go(bootstrap: str, go_program: Path, client: str) -> None:
    run([str(go_program), client, bootstrap])


@pytest.mark.parametrize("program", ["clients", "transactions"])
def test_node(bootstrap: str, node_programs: Path, program: str) -> None:
    run(["node", f"{program}.js", bootstrap], cwd=node_programs)
