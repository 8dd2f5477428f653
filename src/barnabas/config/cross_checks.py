"""What broker configs must be to one another, and what a node of today refuses to be.

Kafka checks the same relations when a broker starts; the refusals at the end are of barnabas and go when
what they wait for has come.
"""

from collections.abc import Mapping
from typing import cast

from .errors import InvalidValue
from .values import Value

_GROUP_KINDS = ("consumer", "share", "streams")
_GROUP_BOUNDED = ("session.timeout.ms", "heartbeat.interval.ms", "assignment.interval.ms")
_DEDUPE_BYTES_MIN = 1 << 20
_CODECS = range(5)
_ASSIGNORS = {"group.consumer.assignors": ("uniform", "range"), "group.share.assignors": ("simple",)}
"""Assignors that are built in; Kafka loads others as Java classes."""
_SHARE_BOUNDED = ("delivery.count.limit", "record.lock.duration.ms", "partition.max.record.locks")


def check_together(settings: Mapping[str, Value]) -> None:
    """Raises InvalidValue for the first config that doesn't fit the others."""
    _check_node(settings)
    _check_times(settings)
    _check_sizes(settings)
    _check_connections(settings)
    _check_groups(settings)


def _check_node(settings: Mapping[str, Value]) -> None:
    if settings["broker.id"] not in (-1, settings["node.id"]):
        raise InvalidValue("broker.id", settings["broker.id"], f"must equal node.id={settings['node.id']}")
    roles = cast("tuple[str, ...]", settings["process.roles"])
    if set(roles) != {"broker", "controller"}:
        raise InvalidValue(
            "process.roles",
            ",".join(roles),
            "a node is broker and controller at once for now: broker,controller",
        )
    directories = settings["log.dirs"] or settings["log.dir"] or ()
    cordoned = cast("tuple[str, ...]", settings["cordoned.log.dirs"] or ())
    if outside := [one for one in cordoned if one not in cast("tuple[str, ...]", directories) and one != "*"]:
        raise InvalidValue("cordoned.log.dirs", outside[0], "is none of log.dirs")
    voters = cast("tuple[str, ...]", settings["controller.quorum.voters"])
    if voters and [voter.partition("@")[0] for voter in voters] != [str(settings["node.id"])]:
        raise InvalidValue(
            "controller.quorum.voters", ",".join(voters), "the quorum is this node alone for now"
        )


def _check_times(settings: Mapping[str, Value]) -> None:
    names = ("log.retention.ms", "log.retention.minutes", "log.retention.hours")
    name = next(name for name in names if settings[name] is not None)  # The first that is set counts.
    if settings[name] == 0:
        raise InvalidValue(name, 0, "must be at least 1, or negative for no limit")
    _at_least(settings, "log.roll.ms", 1)
    _at_least(settings, "log.roll.jitter.ms", 0)
    _not_above(settings, "replica.fetch.wait.max.ms", "replica.lag.time.max.ms")
    _not_above(settings, "replica.fetch.wait.max.ms", "replica.socket.timeout.ms")


def _check_sizes(settings: Mapping[str, Value]) -> None:
    threads = cast(int, settings["log.cleaner.threads"])
    buffer = cast(int, settings["log.cleaner.dedupe.buffer.size"])
    if threads == 0 or buffer // threads <= _DEDUPE_BYTES_MIN:
        raise InvalidValue(
            "log.cleaner.dedupe.buffer.size",
            buffer,
            f"must give each of log.cleaner.threads={threads} more than {_DEDUPE_BYTES_MIN} bytes",
        )
    if cast(int, settings["queued.max.request.bytes"]) > 0:
        _not_above(settings, "socket.request.max.bytes", "queued.max.request.bytes")
    for name in ("offsets.topic.compression.codec", "share.coordinator.state.topic.compression.codec"):
        if settings[name] not in _CODECS:
            raise InvalidValue(
                name, settings[name], "must be 0 (none), 1 (gzip), 2 (snappy), 3 (lz4) or 4 (zstd)"
            )


def _check_connections(settings: Mapping[str, Value]) -> None:
    if cast(int, settings["connections.max.idle.ms"]) >= 0:
        _below(settings, "connection.failed.authentication.delay.ms", "connections.max.idle.ms")
    if settings["max.connections.per.ip"] == 0 and not settings["max.connections.per.ip.overrides"]:
        raise InvalidValue(
            "max.connections.per.ip", 0, "needs max.connections.per.ip.overrides, or nobody could connect"
        )
    for pair in cast(str, settings["max.connections.per.ip.overrides"]).split(","):
        host, colon, count = pair.strip().rpartition(":")
        if pair.strip() and not (colon and host and count.isascii() and count.isdigit()):
            raise InvalidValue(
                "max.connections.per.ip.overrides", pair, "each override must be written as host:count"
            )


def _check_groups(settings: Mapping[str, Value]) -> None:
    name = "group.coordinator.rebalance.protocols"
    served = cast("tuple[str, ...]", settings[name])
    if "classic" not in served:
        raise InvalidValue(name, ",".join(served), "must name classic, which can't be turned off")
    for kind in _GROUP_KINDS:
        for name in _GROUP_BOUNDED + (_SHARE_BOUNDED if kind == "share" else ()):
            _not_above(settings, f"group.{kind}.min.{name}", f"group.{kind}.max.{name}")
            _not_above(settings, f"group.{kind}.min.{name}", f"group.{kind}.{name}")
            _not_above(settings, f"group.{kind}.{name}", f"group.{kind}.max.{name}")
        _below(settings, f"group.{kind}.heartbeat.interval.ms", f"group.{kind}.session.timeout.ms")
    _not_above(settings, "group.streams.num.standby.replicas", "group.streams.max.standby.replicas")
    _not_above(settings, "group.streams.num.warmup.replicas", "group.streams.max.warmup.replicas")
    _not_above(settings, "group.share.max.size", "group.share.max.share.sessions")
    for name, known in _ASSIGNORS.items():
        for assignor in cast("tuple[str, ...]", settings[name]):
            if assignor not in known:
                raise InvalidValue(name, assignor, f"must be one of: {', '.join(known)}")


def _at_least(settings: Mapping[str, Value], name: str, low: int) -> None:
    value = settings[name]
    if isinstance(value, int) and value < low:
        raise InvalidValue(name, value, f"must be at least {low}")


def _not_above(settings: Mapping[str, Value], name: str, other: str) -> None:
    if cast(int, settings[name]) > cast(int, settings[other]):
        raise InvalidValue(name, settings[name], f"must not be above {other}={settings[other]}")


def _below(settings: Mapping[str, Value], name: str, other: str) -> None:
    if cast(int, settings[name]) >= cast(int, settings[other]):
        raise InvalidValue(name, settings[name], f"must be below {other}={settings[other]}")
