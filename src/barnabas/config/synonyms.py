"""Which broker configs stand behind a topic's or a group's config, and how their units differ.

A topic that doesn't set `retention.ms` has the broker's `log.retention.ms`, else its `log.retention.minutes`,
else its `log.retention.hours`: the first that is not null.
"""

from .values import Value

_MINUTES = 60_000
_HOURS = 3_600_000

TOPIC_SYNONYMS: dict[str, tuple[tuple[str, int], ...]] = {
    "barnabas.durability": (("barnabas.durability", 1),),
    "cleanup.policy": (("log.cleanup.policy", 1),),
    "compression.gzip.level": (("compression.gzip.level", 1),),
    "compression.lz4.level": (("compression.lz4.level", 1),),
    "compression.type": (("compression.type", 1),),
    "compression.zstd.level": (("compression.zstd.level", 1),),
    "delete.retention.ms": (("log.cleaner.delete.retention.ms", 1),),
    "file.delete.delay.ms": (("log.segment.delete.delay.ms", 1),),
    "flush.messages": (("log.flush.interval.messages", 1),),
    "flush.ms": (("log.flush.interval.ms", 1), ("log.flush.scheduler.interval.ms", 1)),
    "index.interval.bytes": (("log.index.interval.bytes", 1),),
    "local.retention.bytes": (("log.local.retention.bytes", 1),),
    "local.retention.ms": (("log.local.retention.ms", 1),),
    "max.compaction.lag.ms": (("log.cleaner.max.compaction.lag.ms", 1),),
    "max.decompressed.message.bytes": (("max.decompressed.message.bytes", 1),),
    "max.message.bytes": (("message.max.bytes", 1),),
    "message.timestamp.after.max.ms": (("log.message.timestamp.after.max.ms", 1),),
    "message.timestamp.before.max.ms": (("log.message.timestamp.before.max.ms", 1),),
    "message.timestamp.type": (("log.message.timestamp.type", 1),),
    "min.cleanable.dirty.ratio": (("log.cleaner.min.cleanable.ratio", 1),),
    "min.compaction.lag.ms": (("log.cleaner.min.compaction.lag.ms", 1),),
    "min.insync.replicas": (("min.insync.replicas", 1),),
    "preallocate": (("log.preallocate", 1),),
    "remote.copy.lag.bytes": (("log.remote.copy.lag.bytes", 1),),
    "remote.copy.lag.ms": (("log.remote.copy.lag.ms", 1),),
    "retention.bytes": (("log.retention.bytes", 1),),
    "retention.ms": (
        ("log.retention.ms", 1),
        ("log.retention.minutes", _MINUTES),
        ("log.retention.hours", _HOURS),
    ),
    "segment.bytes": (("log.segment.bytes", 1),),
    "segment.index.bytes": (("log.index.size.max.bytes", 1),),
    "segment.jitter.ms": (("log.roll.jitter.ms", 1), ("log.roll.jitter.hours", _HOURS)),
    "segment.ms": (("log.roll.ms", 1), ("log.roll.hours", _HOURS)),
    "unclean.leader.election.enable": (("unclean.leader.election.enable", 1),),
}
"""For each topic config: broker configs in order of precedence, with the factor to the topic's unit."""

_GROUP_EXCEPTIONS = {"streams.assignor.name": "group.streams.assignors"}
_GROUP_WITHOUT = frozenset(
    {
        "errors.deadletterqueue.copy.record.enable",
        "errors.deadletterqueue.topic.name",
        "share.auto.offset.reset",
        "share.delivery.headers",
        "share.isolation.level",
        "share.ordering",
        "share.partition.max.waiting.records",
        "share.renew.acknowledge.enable",
        "share.retry.backoff.max.ms",
        "share.retry.backoff.ms",
    }
)


def group_synonym(name: str) -> str | None:
    """The broker config behind a group's config; None where a group stands alone."""
    return None if name in _GROUP_WITHOUT else _GROUP_EXCEPTIONS.get(name, f"group.{name}")


def broker_synonyms(name: str) -> tuple[str, ...]:
    """A broker config's names for the same thing, itself included, highest precedence first."""
    return _BROKER_FAMILIES.get(name, (name,))


def scaled(value: Value, factor: int) -> Value:
    """A broker's value in the topic's unit; a negative duration means no limit in every unit."""
    if factor == 1 or not isinstance(value, int):
        return value
    return -1 if value < 0 else value * factor


def _families() -> dict[str, tuple[str, ...]]:
    families: dict[str, tuple[str, ...]] = {}
    for synonyms in TOPIC_SYNONYMS.values():
        if len(synonyms) > 1:
            names = tuple(name for name, _ in synonyms)
            families.update(dict.fromkeys(names, names))
    # log.flush.scheduler.interval.ms has other uses too: it gives its value but takes none.
    families.pop("log.flush.scheduler.interval.ms", None)
    return families


_BROKER_FAMILIES = _families()
