"""`barnabas up`: a broker in the foreground."""

import errno
import gc
import logging
import os
import signal
import socket
import sys
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from barnabas.cli import exit_codes
from barnabas.cli.errors import address_advice
from barnabas.cli.log_format import configure_logging, logging_options
from barnabas.cli.output import print_error
from barnabas.cli.serving import Entrance, services_options
from barnabas.config.errors import ConfigError, PropertiesError, UnknownConfig
from barnabas.config.listeners import format_address
from barnabas.config.settings import BrokerSettings, parse_override

if TYPE_CHECKING:
    from barnabas.http.beside import Beside
    from barnabas.http.front import Front
    from barnabas.http.listeners import TlsFiles
    from barnabas.server.node import NodeServer

logger = logging.getLogger("barnabas")

GARBAGE_OBJECTS = 20_000
"""Objects that come to be, less those that are gone, after which cycles are looked for. As often as Python
looks by itself, that is a twentieth of the work of a broker under load."""
METRICS_PORT = 9404
"""Where a JMX exporter usually serves Apache Kafka's metrics."""
REGISTRY_PORT = 8081
"""Where a schema registry usually listens."""
REST_PORT = 8082
"""Where a REST proxy usually listens."""
SERVICES = ("registry", "rest")
"""What runs beside the broker unless it is left out."""


class _UpCommand(click.Command):
    """Adds the table of exit codes to the help."""

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Exit codes"):
            formatter.write_dl([(str(code), meaning) for code, meaning in exit_codes.MEANINGS.items()])


class _Directory(click.Path):
    """A directory with a name. Without one, as of a variable that is not set, it would be the current one."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if value == "":
            self.fail("the name is empty", param, ctx)
        return super().convert(value, param, ctx)


@click.command(cls=_UpCommand)
@click.option(
    "--dir",
    "directory",
    type=_Directory(file_okay=False, path_type=Path),
    envvar="BARNABAS_DIR",
    help="Where the data lives; formatted on first use.  [default: ~/.local/share/barnabas]",
)
@click.option("--memory", is_flag=True, help="Keep everything in memory; nothing is left when it stops.")
@click.option(
    "--config",
    "files",
    multiple=True,
    type=click.Path(dir_okay=False),
    metavar="FILE",
    help="A server.properties of Apache Kafka. May be repeated; later files win.",
)
@click.option(
    "--set",
    "overrides",
    multiple=True,
    metavar="KEY=VALUE",
    help="One config; wins over files. May be repeated.",
)
@click.option("--host", metavar="HOST", help="Address to listen on.  [default: 127.0.0.1]")
@click.option(
    "--port", type=click.IntRange(0, 65535), help="Port to listen on; 0 takes a free one.  [default: 9092]"
)
@click.option(
    "--registry-port",
    type=click.IntRange(0, 65535),
    help="Port of the Schema Registry; 0 takes a free one.  [default: 8081, or a free one]",
)
@click.option(
    "--registry-election",
    is_flag=True,
    help="Have the Schema Registry elect the instance that writes: others run for the cluster too.",
)
@click.option(
    "--rest-port",
    type=click.IntRange(0, 65535),
    help="Port of the REST Proxy; 0 takes a free one.  [default: 8082, or a free one]",
)
@click.option(
    "--without",
    "left_out",
    multiple=True,
    type=click.Choice(SERVICES),
    help="Leave a service out that runs beside the broker.",
)
@click.option(
    "--services-host",
    metavar="HOST",
    default="127.0.0.1",
    show_default=True,
    help="Address on which services beside the broker listen.",
)
@services_options
@logging_options
def up(
    directory: Path | None,
    memory: bool,
    files: Sequence[str],
    overrides: Sequence[str],
    host: str | None,
    port: int | None,
    registry_port: int | None,
    registry_election: bool,
    rest_port: int | None,
    left_out: Sequence[str],
    services_host: str,
    entrance: Entrance,
    log_format: str,
    log_level: str,
) -> int:
    """Run a broker (and its controller) until Ctrl-C, with a Schema Registry and a REST Proxy beside it.

    \b
      barnabas up                            data in ~/.local/share/barnabas, clients at 127.0.0.1:9092
      barnabas up --memory --port 0          a throw-away broker on a free port
      barnabas up --config server.properties --set num.partitions=3

    Where it listens and where the data is go to standard output, the log to standard error. Ctrl-C or
    SIGTERM stops it cleanly; a second one stops it at once.
    """
    configure_logging(log_format, log_level)
    if memory and directory is not None:
        raise click.UsageError("--memory keeps no directory: leave out --dir or --memory.")
    if entrance.scheme == "https" and registry_election:
        raise click.UsageError(
            "--registry-election over TLS is for `barnabas registry`, which is told whom to trust."
        )
    tls = entrance.tls
    try:
        settings = _settings(directory, memory, files, overrides, host, port)
    except (UnknownConfig, PropertiesError) as error:
        return _fail(error, exit_codes.USAGE)
    except ConfigError as error:
        return _fail(error, exit_codes.BAD_VALUE)
    if "barnabas.metrics.port" not in settings.given:
        settings.note("barnabas.metrics.port", str(_usual_port(METRICS_PORT, "127.0.0.1")))
    if idle := settings.without_effect:
        names = ", ".join(f"{key.name} ({key.reason})" for key in idle)
        logger.warning("set without effect: %s", names)
    ports = {"registry": (registry_port, REGISTRY_PORT), "rest": (rest_port, REST_PORT)}
    services = {
        name: _usual_port(usual, services_host) if given is None else given
        for name, (given, usual) in ports.items()
        if name not in left_out
    }
    beside = _Wanted(services, services_host, entrance, tls, registry_election)
    return _serve(settings, beside, memory=memory)


def default_directory() -> Path:
    """Where a user's data lives when nobody says otherwise."""
    base = os.environ.get("XDG_DATA_HOME")
    return (Path(base) if base else Path.home() / ".local" / "share") / "barnabas"


def _settings(
    directory: Path | None,
    memory: bool,
    files: Sequence[str],
    overrides: Sequence[str],
    host: str | None,
    port: int | None,
) -> BrokerSettings:
    try:
        texts = dict(parse_override(text) for text in overrides)
    except ConfigError as error:
        raise click.BadParameter(str(error), param_hint="--set") from error
    if host is not None or port is not None:
        if "listeners" in texts:
            raise click.UsageError("--set listeners=… says all that --host and --port do: leave them out.")
        address, number = host or "127.0.0.1", 9092 if port is None else port
        texts["listeners"] = f"PLAINTEXT://{format_address(address, number)}"
        # What a file advertises belongs to the listeners of the file. Without a host clients are told this
        # machine's name.
        told = "" if address in ("0.0.0.0", "::") else address
        texts.setdefault("advertised.listeners", f"PLAINTEXT://{format_address(told, number)}")
    if directory is not None:
        texts["log.dirs"] = str(directory)
    settings = BrokerSettings.load(files, texts)
    if memory or "log.dirs" in settings.given or "log.dir" in settings.given:
        return settings
    return BrokerSettings.load(files, {**texts, "log.dirs": str(default_directory())})


def _usual_port(port: int, host: str) -> int:
    """The usual port of a service; 0, for a free one, when somebody has it."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return 0
    return port


class _Wanted(NamedTuple):
    """What is to run beside the broker."""

    ports: dict[str, int]
    """By the names of services."""
    host: str
    entrance: Entrance
    tls: "TlsFiles | None"
    elects: bool
    """Whether the registry does."""

    def front(self) -> "Front":
        from barnabas.http.front import Front

        return Front(self.host, self.tls, self.entrance.rates, self.entrance.access_log)


def _serve(settings: BrokerSettings, wanted: _Wanted, *, memory: bool) -> int:
    """Runs the node until it is told to stop; the exit code."""
    from barnabas.server.errors import StartError
    from barnabas.server.starting import NativeStart

    try:
        starting = NativeStart(settings, memory=memory)
        stop = _StopSignals()
        starting.begin()
        starting.bring_up()
        from barnabas.server.node import NodeServer  # Clients are let in already.

        server = NodeServer(settings, memory=memory, starting=starting)
        stop.of(server)
        server.start()
    except StartError as error:
        return _fail(_advised(error), _start_code(error))
    front = wanted.front()
    beside = _beside(server, wanted.ports, front, elects=wanted.elects)
    if "registry" in beside and "barnabas.schema.registry.url" not in settings.given:
        settings.note("barnabas.schema.registry.url", front.url_within(beside["registry"].port))
        server.registry_tls = front.trusting
    urls = {name: front.url(service.port) for name, service in beside.items()}
    _print_ready(server, settings, urls, memory=memory)
    # What is there by now stays for good, and what requests make goes by itself.
    gc.freeze()
    gc.set_threshold(GARBAGE_OBJECTS)
    server.run()
    for service in reversed(beside.values()):
        service.stop()
    if server.failure is not None:
        return _fail(f"the broker stopped: {server.failure}", exit_codes.FAILED)
    logger.info("stopped")
    return exit_codes.OK


def _advised(error: Exception) -> str:
    """Why the node can't start, with what to do about what happens most often."""
    if f"(os error {errno.ENOSPC})" in str(error):
        return f"{error}. Free some space there, or name another directory with --dir."
    return address_advice(error) if _start_code(error) == exit_codes.ADDRESS_IN_USE else str(error)


def _start_code(error: Exception) -> int:
    from barnabas.server import errors

    codes = {
        errors.AddressInUse: exit_codes.ADDRESS_IN_USE,
        errors.AddressUnusable: exit_codes.ADDRESS_IN_USE,
        errors.DirectoryInUse: exit_codes.DIRECTORY_IN_USE,
        errors.WrongCluster: exit_codes.WRONG_CLUSTER,
        errors.DirectoryUnusable: exit_codes.DIRECTORY_UNUSABLE,
    }
    return next((code for kind, code in codes.items() if isinstance(error, kind)), exit_codes.FAILED)


def _beside(
    server: "NodeServer", ports: dict[str, int], front: "Front", *, elects: bool
) -> "dict[str, Beside]":
    """Lets clients of services in. A broker without them is better than none."""
    from barnabas.http.listeners import AddressUnusable
    from barnabas.rest.beside import rest_beside
    from barnabas.schema_registry.beside import registry_beside

    services: dict[str, Beside] = {}
    for name, port in ports.items():
        try:
            if name == "registry":
                services[name] = registry_beside(server.bootstrap, front, port, elects=elects)
            else:
                registry = services.get("registry")
                url = None if registry is None else front.url_within(registry.port)
                services[name] = rest_beside(server.bootstrap, url, front, port)
        except AddressUnusable as error:
            logger.warning("%s is not served: %s", name, error)
    return services


class _StopSignals:
    """What asks a node to stop; it may come before the node is there."""

    def __init__(self) -> None:
        self._server: NodeServer | None = None
        self._asked = False
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._stop)

    def of(self, server: "NodeServer") -> None:
        """Says which node is meant."""
        self._server = server
        if self._asked:
            server.request_stop()

    def _stop(self, number: int, _: FrameType | None) -> None:
        logger.info("%s: stopping; once more stops at once", signal.Signals(number).name)
        for which in (signal.SIGINT, signal.SIGTERM):
            signal.signal(which, signal.SIG_DFL)
        self._asked = True
        if self._server is not None:
            self._server.request_stop()


def _print_ready(
    server: "NodeServer", settings: BrokerSettings, urls: dict[str, str], *, memory: bool
) -> None:
    place = "in memory" if memory else ", ".join(settings.log_dirs)
    bootstrap = server.bootstrap
    option = "" if bootstrap == "127.0.0.1:9092" else f" -b {bootstrap}"
    click.echo(f"barnabas is ready at {click.style(bootstrap, bold=True)}")
    click.echo(f"  data     {place}")
    click.echo(f"  cluster  {server.cluster_id}, node {settings.node_id}")
    for name, title in (("registry", "schemas"), ("rest", "rest   ")):
        if name in urls:
            click.echo(f"  {title}  {urls[name]}")
    click.echo(f"  try      echo hello | barnabas produce greetings{option}")
    sys.stdout.flush()


def _fail(error: Exception | str, code: int) -> int:
    print_error(error)
    return code
