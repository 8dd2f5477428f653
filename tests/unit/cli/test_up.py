"""`barnabas up`: settings, output, exit codes. The node is a stand-in that starts or fails."""

import json
import logging
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any, ClassVar

import pytest

from barnabas.cli import exit_codes
from barnabas.cli.root import outcome
from barnabas.config import BrokerSettings
from barnabas.server import errors


class StartStandIn:
    """Looks like the native half, which has nothing to start."""

    def __init__(self, settings: BrokerSettings, *, memory: bool) -> None:
        self.begun = False

    def begin(self) -> None:
        self.begun = True

    def bring_up(self) -> None:
        assert self.begun
        if StandIn.signal_meanwhile is not None:
            os.kill(os.getpid(), StandIn.signal_meanwhile)


class StandIn:
    """Looks like a node that stops as soon as it runs."""

    started: ClassVar["list[StandIn]"] = []
    start_error: Exception | None = None
    failure_to_be: str | None = None
    signal_meanwhile: signal.Signals | None = None
    stop_requests: ClassVar[int] = 0

    def __init__(self, settings: BrokerSettings, *, memory: bool, starting: StartStandIn) -> None:
        assert starting.begun
        self.settings, self.memory = settings, memory
        self.failure: str | None = None
        self.cluster_id = "PvSaRS9mQJqXSlzF6kY3Kg"
        listener = settings.broker_listeners[0]
        self.bootstrap = f"{listener.host}:{listener.port}"

    def start(self) -> None:
        if StandIn.start_error is not None:
            raise StandIn.start_error
        StandIn.started.append(self)

    def run(self) -> None:
        self.failure = StandIn.failure_to_be

    def request_stop(self) -> None:
        StandIn.stop_requests += 1


@pytest.fixture(autouse=True)
def node(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[type[StandIn]]:
    module: Any = ModuleType("barnabas.server.node")
    module.NodeServer = StandIn
    monkeypatch.setitem(sys.modules, "barnabas.server.node", module)
    start: Any = ModuleType("barnabas.server.starting")
    start.NativeStart = StartStandIn
    monkeypatch.setitem(sys.modules, "barnabas.server.starting", start)
    ports = {"registry": 8081, "rest": 8082}
    monkeypatch.setattr(
        "barnabas.cli.up._beside",
        lambda server, wanted, front, **_: {
            name: SimpleNamespace(port=ports[name], stop=lambda: None) for name in wanted
        },
    )
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "share"))
    monkeypatch.delenv("BARNABAS_DIR", raising=False)
    StandIn.started, StandIn.start_error, StandIn.failure_to_be = [], None, None
    StandIn.signal_meanwhile, StandIn.stop_requests = None, 0
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    yield StandIn
    root.handlers[:], root.level = before, level
    for number, handler in handlers.items():
        signal.signal(number, handler)


def started() -> StandIn:
    assert len(StandIn.started) == 1
    return StandIn.started[0]


def test_up_says_where_it_is_and_what_to_try(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert outcome(["up"]) == exit_codes.OK
    assert capsys.readouterr().out == (
        "barnabas is ready at 127.0.0.1:9092\n"
        f"  data     {tmp_path}/share/barnabas\n"
        "  cluster  PvSaRS9mQJqXSlzF6kY3Kg, node 1\n"
        "  schemas  http://127.0.0.1:8081\n"
        "  rest     http://127.0.0.1:8082\n"
        "  try      echo hello | barnabas produce greetings\n"
    )
    assert started().settings.log_dirs == (f"{tmp_path}/share/barnabas",)
    assert not started().memory


def test_a_signal_that_comes_before_the_node_is_there_stops_it() -> None:
    StandIn.signal_meanwhile = signal.SIGTERM
    assert outcome(["up", "--memory"]) == exit_codes.OK
    assert StandIn.stop_requests == 1


def test_services_are_left_out_when_nobody_wants_them(capsys: pytest.CaptureFixture[str]) -> None:
    assert outcome(["up", "--memory", "--without", "registry"]) == exit_codes.OK
    out = capsys.readouterr().out
    assert "schemas" not in out
    assert "rest" in out
    assert outcome(["up", "--memory", "--without", "registry", "--without", "rest"]) == exit_codes.OK
    assert "http:" not in capsys.readouterr().out


def test_services_listen_where_they_are_told_to(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    server = tmp_path / "server.pem"
    server.write_text("what it says is looked at by the service")
    tls = ["--services-certificate", str(server), "--services-key", str(server)]
    assert outcome(["up", "--memory", "--services-host", "0.0.0.0"]) == exit_codes.OK
    assert outcome(["up", "--memory", "--services-host", "::1", *tls]) == exit_codes.OK
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert [url for name, url, *_ in lines if name in ("schemas", "rest")] == [
        "http://0.0.0.0:8081",
        "http://0.0.0.0:8082",
        "https://[::1]:8081",
        "https://[::1]:8082",
    ]


def test_command_to_try_names_another_address(capsys: pytest.CaptureFixture[str]) -> None:
    assert outcome(["up", "--memory", "--port", "9093"]) == exit_codes.OK
    out = capsys.readouterr().out
    assert "  data     in memory\n" in out
    assert "barnabas produce greetings -b 127.0.0.1:9093\n" in out
    assert started().memory


def test_directory_of_the_option_wins_over_the_file(tmp_path: Path) -> None:
    path = tmp_path / "server.properties"
    path.write_text("log.dirs=/from/file\nnum.partitions=4\n")
    assert outcome(["up", "--config", str(path)]) == exit_codes.OK
    assert StandIn.started.pop().settings.log_dirs == ("/from/file",)
    assert outcome(["up", "--config", str(path), "--dir", "/from/option"]) == exit_codes.OK
    assert started().settings.log_dirs == ("/from/option",)
    assert started().settings["num.partitions"] == 4


def test_directory_may_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BARNABAS_DIR", "/from/environment")
    assert outcome(["up"]) == exit_codes.OK
    assert started().settings.log_dirs == ("/from/environment",)


def test_host_and_port_make_the_listener() -> None:
    assert outcome(["up", "--host", "::1", "--port", "0"]) == exit_codes.OK
    assert str(started().settings.listeners[0]) == "PLAINTEXT://[::1]:0"


def test_port_wins_over_what_a_file_listens_on_and_advertises(tmp_path: Path) -> None:
    path = tmp_path / "server.properties"
    listeners = "PLAINTEXT://localhost:9092,CONTROLLER://localhost:9093"
    path.write_text(f"listeners={listeners}\nadvertised.listeners={listeners}\n")
    assert outcome(["up", "--config", str(path), "--port", "9095"]) == exit_codes.OK
    assert [str(one) for one in started().settings.advertised_listeners] == ["PLAINTEXT://127.0.0.1:9095"]


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])
def test_a_node_on_all_addresses_does_not_advertise_them(host: str) -> None:
    assert outcome(["up", "--host", host]) == exit_codes.OK
    assert started().settings.listeners[0].host == host
    assert [str(one) for one in started().settings.advertised_listeners] == ["PLAINTEXT://:9092"]


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--set", "nope=1"], exit_codes.USAGE, "There is no config named nope."),
        (["--set", "num.partitons=1"], exit_codes.USAGE, "Did you mean num.partitions?"),
        (["--set", "num.partitions=0"], exit_codes.BAD_VALUE, "num.partitions: must be at least 1"),
        (["--set", "num.partitions"], exit_codes.USAGE, "must be written as key=value"),
        (
            ["--config", "/nowhere/server.properties"],
            exit_codes.USAGE,
            "/nowhere/server.properties: can't be read",
        ),
        (["--dir", ""], exit_codes.USAGE, "the name is empty"),
        (["--memory", "--dir", "/x"], exit_codes.USAGE, "leave out --dir or --memory"),
        (["--port", "1", "--set", "listeners=PLAINTEXT://a:1"], exit_codes.USAGE, "--host and --port"),
        (["--port", "70000"], exit_codes.USAGE, "70000"),
        (
            ["--services-certificate", "server.pem"],
            exit_codes.USAGE,
            "TLS needs both a certificate and its key",
        ),
        (
            ["--services-certificate", "s.pem", "--services-key", "s.pem", "--registry-election"],
            exit_codes.USAGE,
            "for `barnabas registry`",
        ),
        (
            ["--services-certificate", "s.pem", "--services-key", "s.pem"],
            exit_codes.USAGE,
            "TLS: [Errno 2] No such file or directory: 's.pem'",
        ),
        (["--set", "listeners=SSL://a:1"], exit_codes.BAD_VALUE, "SSL is not served yet"),
    ],
)
def test_wrong_configuration_is_told_and_nothing_starts(
    arguments: list[str], code: int, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert outcome(["up", *arguments]) == code
    assert message in capsys.readouterr().err
    assert StandIn.started == []


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.AddressInUse("busy"), exit_codes.ADDRESS_IN_USE),
        (errors.AddressUnusable("no such address"), exit_codes.ADDRESS_IN_USE),
        (errors.DirectoryInUse("locked"), exit_codes.DIRECTORY_IN_USE),
        (errors.WrongCluster("another"), exit_codes.WRONG_CLUSTER),
        (errors.DirectoryUnusable("denied"), exit_codes.DIRECTORY_UNUSABLE),
        (errors.StartError("else"), exit_codes.FAILED),
    ],
)
def test_each_cause_of_a_failed_start_has_an_exit_code(
    error: Exception, code: int, node: type[StandIn], capsys: pytest.CaptureFixture[str]
) -> None:
    node.start_error = error
    assert outcome(["up"]) == code
    captured = capsys.readouterr()
    assert captured.err.endswith(f"error: {error}\n")
    assert captured.out == ""


def test_help_documents_every_exit_code(capsys: pytest.CaptureFixture[str]) -> None:
    assert outcome(["up", "--help"]) == exit_codes.OK
    out = capsys.readouterr().out
    for code, meaning in exit_codes.MEANINGS.items():
        assert f"  {code}  {meaning}\n" in out


def test_reference_documents_every_exit_code() -> None:
    page = (Path(__file__).parents[3] / "docs" / "reference" / "command-line.md").read_text()
    assert [line for line in page.splitlines() if line[:3].strip("| ").isdigit()] == [
        f"| {code} | {meaning} |" for code, meaning in exit_codes.MEANINGS.items()
    ]


def test_node_that_stops_by_itself_is_a_failure(
    node: type[StandIn], capsys: pytest.CaptureFixture[str]
) -> None:
    node.failure_to_be = "disk full"
    assert outcome(["up"]) == exit_codes.FAILED
    assert "the broker stopped: disk full" in capsys.readouterr().err


def test_configs_without_effect_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert outcome(["up", "--log-format", "json", "--set", "num.io.threads=4"]) == exit_codes.OK
    first = json.loads(capsys.readouterr().err.splitlines()[0])
    assert first["level"] == "warning"
    assert first["message"] == "set without effect: num.io.threads (barnabas chooses its threads itself)"
