"""The listeners of a node: `NAME://host:port`, and the security protocol behind each name."""

from collections.abc import Iterable
from typing import NamedTuple

from .errors import InvalidValue

_PORT_MAX = 65535
_PROTOCOLS = ("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL")
_SERVED = ("PLAINTEXT",)
_ANY_ADDRESS = ("0.0.0.0", "::", "0:0:0:0:0:0:0:0")


class Listener(NamedTuple):
    """One address. An empty host means every interface; port 0 lets the system choose."""

    name: str
    host: str
    port: int
    security_protocol: str

    def __str__(self) -> str:
        return f"{self.name}://{format_address(self.host, self.port)}"


def format_address(host: str, port: int) -> str:
    """host:port, with the brackets that an IPv6 address needs."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def parse_protocol_map(config: str, text: str) -> dict[str, str]:
    """`NAME:PROTOCOL` pairs of listener.security.protocol.map; names in upper case."""
    protocols: dict[str, str] = {}
    for pair in text.split(","):
        if not pair.strip():
            continue
        name, colon, protocol = (part.strip() for part in pair.strip().rpartition(":"))
        if not colon or not name:
            raise InvalidValue(config, text, f"'{pair.strip()}' must be written as NAME:PROTOCOL")
        if protocol.upper() not in _PROTOCOLS:
            raise InvalidValue(config, text, f"{protocol} is none of {', '.join(_PROTOCOLS)}")
        if name.upper() in protocols:
            raise InvalidValue(config, text, f"listener {name.upper()} is mapped twice")
        protocols[name.upper()] = protocol.upper()
    return protocols


def parse_listeners(config: str, texts: Iterable[str], protocols: dict[str, str]) -> list[Listener]:
    """The listeners in the value of `listeners` or `advertised.listeners`. Raises InvalidValue."""
    listeners: list[Listener] = []
    for text in texts:
        listener = _parse_listener(config, text, protocols)
        for other in listeners:
            if other.name == listener.name:
                raise InvalidValue(config, text, f"listener {listener.name} is there twice")
        listeners.append(listener)
    return listeners


def check_bound(config: str, listeners: list[Listener]) -> None:
    """Refuses two listeners on one port, unless one is IPv4 and the other IPv6."""
    for index, one in enumerate(listeners):
        for other in listeners[:index]:
            both_families = one.host and other.host and (":" in one.host) != (":" in other.host)
            if one.port == other.port != 0 and not both_families:
                raise InvalidValue(config, str(one), f"port {one.port} is that of {other} too")


def check_advertised(config: str, advertised: list[Listener], bound: list[Listener]) -> None:
    """Refuses addresses that no client can reach, and names that nothing listens on."""
    names = {listener.name for listener in bound}
    for listener in advertised:
        if listener.host in _ANY_ADDRESS:
            raise InvalidValue(
                config, str(listener), f"{listener.host} is no address that a client can connect to"
            )
        if listener.name not in names:
            raise InvalidValue(config, str(listener), f"there is no {listener.name} among listeners")


def _parse_listener(config: str, text: str, protocols: dict[str, str]) -> Listener:
    name, separator, address = text.partition("://")
    host, colon, port = address.rpartition(":")
    name = name.upper()
    if not separator or not name or not colon or not (port.isascii() and port.isdigit()):
        raise InvalidValue(config, text, "a listener must be written as NAME://host:port")
    if int(port) > _PORT_MAX:
        raise InvalidValue(config, text, f"port {port} is above {_PORT_MAX}")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        raise InvalidValue(config, text, "an IPv6 address must stand in brackets")
    protocol = protocols.get(name)
    if protocol is None:
        raise InvalidValue(config, text, f"listener.security.protocol.map has no protocol for {name}")
    if protocol not in _SERVED:
        raise InvalidValue(
            config, text, f"{protocol} is not served yet: listeners are {', '.join(_SERVED)} for now"
        )
    return Listener(name, host, int(port), protocol)
