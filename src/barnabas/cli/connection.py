"""Where the cluster is and how to reach it: the options that all client commands share."""

import re
import socket
from collections.abc import Callable, Container, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import click

from barnabas.cli.errors import CommandFailed, sentence
from barnabas.cli.output import print_warning
from barnabas.config.properties import read_properties
from barnabas.errors import ClientTimeout, KafkaError

if TYPE_CHECKING:
    from barnabas.clients.admin.client import Admin
    from barnabas.clients.calls import Calls
    from barnabas.clients.consumer import Consumer
    from barnabas.clients.producer import Producer
    from barnabas.clients.share_consumer import ShareConsumer

CLIENT_ID = "barnabas-cli"
DEFAULT_BOOTSTRAP = "127.0.0.1:9092"
CONNECT_SECONDS_MAX = 5.0
REQUEST_SECONDS_MAX = 30.0

_RENAMED = {
    "sasl.mechanism": "sasl.mechanisms",
    "ssl.truststore.location": "ssl.ca.location",
    "ssl.truststore.certificates": "ssl.ca.pem",
    "ssl.keystore.certificate.chain": "ssl.certificate.pem",
    "ssl.keystore.key": "ssl.key.pem",
}
"""Names of Java's clients for which librdkafka has others. Stores must be PEM files."""

_DROPPED = frozenset({"ssl.truststore.type", "ssl.keystore.type", "group.id", "client.dns.lookup"})
_JAAS = re.compile(r"""(username|password)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|'((?:[^'\\]|\\.)*)'|([^\s;]+))""")

Command = TypeVar("Command", bound=Callable[..., Any])


class Connection(NamedTuple):
    """A cluster and the configuration of clients for it, in librdkafka's names."""

    bootstrap: str
    config: dict[str, str]

    def admin(self) -> "Admin":
        """An admin client of a cluster that can be reached. Raises CommandFailed when none of it can."""
        from barnabas.clients.admin.client import Admin

        self.check_reachable()
        return Admin(self._properties())

    def calls(self) -> "Calls":
        """For requests that are no operation of Admin's, of a cluster that can be reached."""
        from barnabas.clients.calls import Calls
        from barnabas.clients.configs import admin_values

        self.check_reachable()
        return Calls(admin_values(self._properties(), {}))

    def consumer(self, configs: Mapping[str, Any]) -> "Consumer":
        """A consumer of a cluster that can be reached, with these configs where nobody has said others."""
        from barnabas.clients.configs import consumer_keys
        from barnabas.clients.consumer import Consumer

        self.check_reachable()
        return Consumer({**configs, **self._properties(consumer_keys())})

    def producer(self, configs: Mapping[str, Any]) -> "Producer":
        """A producer for a cluster that can be reached, with these configs where nobody has said others."""
        from barnabas.clients.configs import producer_keys
        from barnabas.clients.producer import Producer

        self.check_reachable()
        return Producer({**configs, **self._properties(producer_keys())})

    def share_consumer(self, configs: Mapping[str, Any]) -> "ShareConsumer":
        """A share consumer of a cluster that can be reached, as `consumer`."""
        from barnabas.clients.configs import share_consumer_keys
        from barnabas.clients.share_consumer import ShareConsumer

        self.check_reachable()
        return ShareConsumer({**configs, **self._properties(share_consumer_keys())})

    def _properties(self, keys: Container[str] | None = None) -> dict[str, Any]:
        from barnabas.cli.properties import kafka_properties

        values: dict[str, Any] = {"client.id": CLIENT_ID}
        if keys is None or "default.api.timeout.ms" in keys:
            values["default.api.timeout.ms"] = int(REQUEST_SECONDS_MAX * 1000)
        return values | kafka_properties(self.config, keys) | {"bootstrap.servers": self.bootstrap}

    def check_reachable(self) -> None:
        """Tries the bootstrap servers until one takes a connection.

        Clients go on trying for long; a person at a terminal wants to be told at once.
        """
        servers = [server.strip() for server in self.bootstrap.split(",") if server.strip()]
        problem: OSError | None = None
        for server in servers:
            host, port = split_address(server)
            try:
                socket.create_connection((host, port), CONNECT_SECONDS_MAX).close()
                return
            except OSError as error:
                problem = error
        where = servers[0] if len(servers) == 1 else f"any of {', '.join(servers)}"
        if isinstance(problem, socket.gaierror):
            raise CommandFailed(f"No broker at {where}: the host name isn't known.")
        if isinstance(problem, TimeoutError):
            raise CommandFailed(f"No broker at {where}: nothing answers.")
        raise CommandFailed(
            f"No broker at {where}. Start one with `barnabas up`, or name another with --bootstrap."
        )


@contextmanager
def answering(connection: Connection) -> Iterator[None]:
    """What the cluster refuses in here, or does not answer, is CommandFailed."""
    try:
        yield
    except (KafkaError, ClientTimeout, ConnectionError) as error:
        where = connection.bootstrap
        raise CommandFailed(f"The cluster at {where} does not answer: {sentence(error)}") from error


def split_address(address: str) -> tuple[str, int]:
    """Host and port of `host:port`, `[v6]:port`, or a host alone (port 9092)."""
    host, colon, port = address.rpartition(":")
    if not colon or address.endswith("]"):
        return address.strip("[]"), 9092
    if not port.isdecimal() or int(port) > 65535:
        raise click.BadParameter(f"'{address}' must be written as host:port", param_hint="--bootstrap")
    return host.strip("[]"), int(port)


def connection_options(command: Command) -> Command:
    """Adds --bootstrap, --command-config and -X; the command gets them as `connection`."""
    from functools import wraps

    @wraps(command)
    def with_connection(
        *args: Any, bootstrap: str, command_config: str | None, properties: tuple[str, ...], **kwargs: Any
    ) -> Any:
        return command(*args, connection=connection_of(bootstrap, command_config, properties), **kwargs)

    decorated: Any = with_connection
    for option in (
        click.option(
            "-X",
            "properties",
            multiple=True,
            metavar="KEY=VALUE",
            help="A client property, by Kafka's name or librdkafka's.",
        ),
        click.option(
            "--command-config",
            type=click.Path(dir_okay=False),
            metavar="FILE",
            help="Client properties, as Kafka's tools take them.",
        ),
        click.option(
            "-b",
            "--bootstrap",
            "--bootstrap-server",
            envvar="BARNABAS_BOOTSTRAP",
            default=DEFAULT_BOOTSTRAP,
            show_default=True,
            metavar="HOST:PORT,…",
            help="Brokers of the cluster.",
        ),
    ):
        decorated = option(decorated)
    result: Command = decorated
    return result


def connection_of(bootstrap: str, command_config: str | None, properties: tuple[str, ...]) -> Connection:
    """The cluster that the options name. BadParameter or ConfigError when they can't be read."""
    texts = read_properties(command_config) if command_config else {}
    source = click.get_current_context().get_parameter_source("bootstrap")
    named = texts.pop("bootstrap.servers", None)
    if named and source is click.core.ParameterSource.DEFAULT:
        bootstrap = named
    config = librdkafka_config(texts)
    for text in properties:
        name, equals, value = text.partition("=")
        if not equals:
            raise click.BadParameter(f"'{text}' must be written as key=value", param_hint="-X")
        config[name] = value
        _warn_of_unknown(name)
    return Connection(bootstrap, config)


def _warn_of_unknown(name: str) -> None:
    """Tells of a property that none of our clients has: it is librdkafka's own, or mistyped."""
    from barnabas.cli.properties import known_properties

    known = known_properties() | _RENAMED.keys() | _DROPPED
    if name not in known:
        from difflib import get_close_matches

        nearest = get_close_matches(name, known, n=1, cutoff=0.75)
        advice = f": did you mean {nearest[0]}?" if nearest else ""
        print_warning(f"-X {name} has no effect here{advice}")


def librdkafka_config(properties: Mapping[str, str]) -> dict[str, str]:
    """Properties of Java's clients in the names of librdkafka."""
    config = {}
    for name, value in properties.items():
        if name == "sasl.jaas.config":
            config.update(_credentials(value))
        elif name == "ssl.endpoint.identification.algorithm":
            config[name] = value or "none"
        elif name not in _DROPPED and not name.endswith((".class", ".serializer", ".deserializer")):
            config[_RENAMED.get(name, name)] = value
    return config


def _credentials(jaas: str) -> dict[str, str]:
    """User name and password in a JAAS login line of PLAIN or SCRAM."""
    found = {}
    for match in _JAAS.finditer(jaas):
        text = next(group for group in match.groups()[1:] if group is not None)
        found[f"sasl.{match[1]}"] = re.sub(r"\\(.)", r"\1", text)
    return found
