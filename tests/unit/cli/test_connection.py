"""How client commands find and reach a cluster."""

import socket
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from barnabas.cli.connection import Connection, connection_options, librdkafka_config, split_address
from barnabas.cli.errors import CommandFailed
from barnabas.cli.root import outcome


@click.command()
@connection_options
def show(connection: Connection) -> None:
    click.echo(connection.bootstrap)
    for name, value in sorted(connection.config.items()):
        click.echo(f"{name}={value}")


def shown(*arguments: str, env: dict[str, str] | None = None) -> list[str]:
    result = CliRunner(env=env).invoke(show, list(arguments))
    assert result.exit_code == 0, result.output
    return result.stdout.splitlines()


def test_cluster_is_named_by_option_environment_or_file(tmp_path: Path) -> None:
    file = tmp_path / "client.properties"
    file.write_text("bootstrap.servers=from.file:1\n")
    config = ["--command-config", str(file)]
    env = {"BARNABAS_BOOTSTRAP": "from.env:1"}
    assert shown() == ["127.0.0.1:9092"]
    assert shown(*config) == ["from.file:1"]
    assert shown(*config, env=env) == ["from.env:1"]
    assert shown(*config, "-b", "from.option:1", env=env) == ["from.option:1"]
    assert shown("--bootstrap-server", "from.option:1") == ["from.option:1"]


def test_properties_of_javas_clients_are_translated() -> None:
    jaas = 'org.apache.kafka.common.security.scram.ScramLoginModule required username="me" password="a\\"b";'
    assert librdkafka_config(
        {
            "security.protocol": "SASL_SSL",
            "sasl.mechanism": "SCRAM-SHA-512",
            "sasl.jaas.config": jaas,
            "ssl.truststore.location": "/ca.pem",
            "ssl.truststore.type": "PEM",
            "ssl.endpoint.identification.algorithm": "",
            "key.serializer": "org.apache.kafka.common.serialization.StringSerializer",
        }
    ) == {
        "security.protocol": "SASL_SSL",
        "sasl.mechanisms": "SCRAM-SHA-512",
        "sasl.username": "me",
        "sasl.password": 'a"b',
        "ssl.ca.location": "/ca.pem",
        "ssl.endpoint.identification.algorithm": "none",
    }


def test_single_properties_win_over_the_file(tmp_path: Path) -> None:
    file = tmp_path / "client.properties"
    file.write_text("socket.timeout.ms=1\n")
    assert shown("--command-config", str(file), "-X", "socket.timeout.ms=2")[1:] == ["socket.timeout.ms=2"]


def test_a_property_that_no_client_has_is_told() -> None:
    for name, told in (
        ("security.protocl", "has no effect here: did you mean security.protocol?"),
        ("socket.nagle", "has no effect here"),
    ):
        result = CliRunner().invoke(show, ["-X", f"{name}=x"])
        assert result.stderr == f"warning: -X {name} {told}\n"
    assert CliRunner().invoke(show, ["-X", "ssl.ca.location=x", "-X", "linger.ms=1"]).stderr == ""


@pytest.mark.parametrize(
    ("text", "address"),
    [("a:1", ("a", 1)), ("a", ("a", 9092)), ("[::1]:5", ("::1", 5)), ("[::1]", ("::1", 9092))],
)
def test_address_is_host_and_port(text: str, address: tuple[str, int]) -> None:
    assert split_address(text) == address


def test_cluster_that_is_not_there_is_told_at_once(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # Bound but not listening: a connection is refused.
        where = f"127.0.0.1:{taken.getsockname()[1]}"
        for command in (["cluster"], ["topics", "list"], ["consume", "t"], ["produce", "t"]):
            assert outcome([*command, "-b", where]) == 1
            assert capsys.readouterr().err == (
                f"error: No broker at {where}. "
                "Start one with `barnabas up`, or name another with --bootstrap.\n"
            )
        with pytest.raises(CommandFailed, match=f"No broker at any of {where}, {where}"):
            Connection(f"{where},{where}", {}).check_reachable()


def test_one_reachable_server_is_enough() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        ports = taken.getsockname()[1], server.getsockname()[1]
        Connection(",".join(f"127.0.0.1:{port}" for port in ports), {}).check_reachable()
