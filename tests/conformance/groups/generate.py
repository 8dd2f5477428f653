"""Random steps for a player: members that come, go, change their minds, lose answers and lie."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

Step = tuple[Any, ...]

TOPICS = {"t0": 1, "t1": 4, "t2": 6}
GROUPS = ("g0", "g1")
WHO = tuple(f"m{index}" for index in range(5))
STATIC = tuple(f"s{index}" for index in range(3))
CLASSIC = tuple(f"c{index}" for index in range(3))


def steps(seed: int, count: int) -> Iterator[Step]:
    """A history. The range assignor, for its choices don't depend on the order of members in memory."""
    chance = random.Random(seed)
    sizes = dict(TOPICS)
    for name, partitions in TOPICS.items():
        yield ("topic", name, partitions)
    for group in GROUPS:
        yield ("coordinator", group)
    for _ in range(count):
        if chance.random() < 0.01:
            grown = chance.choice(sorted(sizes))
            sizes[grown] += chance.randint(1, 3)
            yield ("grow", grown, sizes[grown])
        yield _step(chance)


def migrations(seed: int, count: int) -> Iterator[Step]:
    """Members of both protocols in one group, which somebody who speaks the new one keeps a consumer group;
    when that one goes, it is a classic one until that one is back."""
    chance = random.Random(seed)
    for name, partitions in TOPICS.items():
        yield ("topic", name, partitions)
    yield ("coordinator", "g0")
    anchored = False
    for _ in range(count):
        if not anchored:
            yield ("join", "anchor", "g0", _subscription(chance), None)
            anchored = True
        elif chance.random() < 0.03:
            yield ("leave", "anchor", -1)
            yield ("describe_classic", "g0")
            yield ("describe", "g0")
            yield ("list",)
            for who in CLASSIC:
                yield ("classic_beat", who)
            anchored = False
        else:
            yield _classic_step(chance)


def _classic_step(chance: random.Random) -> Step:
    who = chance.choice(CLASSIC)
    topics = tuple(sorted(chance.sample(sorted(TOPICS), 2)))
    match chance.choices(
        ("beat", "join", "sync", "leave", "anchor", "commit", "look", "static", "switch", "odd"),
        (24, 22, 18, 4, 20, 6, 8, 6, 3, 6),
    )[0]:
        case "join":
            return ("classic_join", who, "g0", topics)
        case "sync":
            return ("classic_sync", who)
        case "leave":
            return ("classic_leave", who)
        case "anchor":
            return chance.choice((("beat", "anchor"), ("beat", "anchor"), ("beat", "anchor", 0)))
        case "commit":
            return (
                "commit",
                who,
                "t1",
                chance.randrange(4),
                chance.choice((0, -1, 1)),
                chance.choice((8, 9)),
            )
        case "look":
            return ("describe", "g0")
        case "static":
            static = chance.choice(("c-static-0", "c-static-1"))
            return chance.choice(
                (
                    ("classic_join", static, "g0", topics, "instance"),
                    ("classic_sync", static),
                    ("classic_beat", static),
                    ("join", "s-new", "g0", (topics, None, "range"), "instance"),
                    ("beat", "s-new"),
                )
            )
        case "switch":
            # A member goes over to the other protocol under its id.
            return ("join", who, "g0", (topics, None, "range"), None)
        case "odd":
            return chance.choice(
                (
                    ("classic_beat", who, 1),
                    ("classic_beat", who, -1),
                    ("classic_beat", "anchor"),
                    ("beat", who),
                )
            )
    return ("classic_beat", who)


def _subscription(chance: random.Random) -> Step:
    # Kafka 4.3.1 may assign nobody anything when somebody joins without topics; nobody does so here.
    names = chance.sample(sorted(TOPICS), chance.randint(1, len(TOPICS)))
    if chance.random() < 0.1:
        names.append("missing")
    return (tuple(sorted(names)), None, "range")


def _step(chance: random.Random) -> Step:
    who = chance.choice(WHO + STATIC)
    static = who in STATIC
    group = GROUPS[sum(map(ord, who)) % len(GROUPS)]
    match chance.choices(
        ("beat", "join", "subscribe", "leave", "odd", "commit", "fetch", "look", "delete"),
        (46, 10, 6, 6, 8, 8, 4, 10, 2),
    )[0]:
        case "join":
            # Several members have the same instance id: they take over from each other, or are refused.
            return ("join", who, group, _subscription(chance), "instance" if static else None)
        case "subscribe":
            return ("subscribe", who, _subscription(chance))
        case "leave":
            return ("leave", who, chance.choice((-1, -2)) if static else -1)
        case "odd":
            return chance.choice(
                (
                    ("beat", who, -1),
                    ("beat", who, 1),
                    ("beat", who, 0),
                    ("leave", who, -3),
                    ("join", who, group, (None, None, None)),
                    ("join", who, group, ((), None, "nobody")),
                )
            )
        case "commit":
            topic = chance.choice(sorted(TOPICS))
            epoch = chance.choice((0, 0, 0, -1, 1, -2))
            return ("commit", who, topic, chance.randrange(TOPICS[topic]), epoch, chance.choice((9, 9, 8)))
        case "fetch":
            return ("fetch", who, chance.choice((0, 0, -1, 1)))
        case "look":
            return chance.choice(
                (
                    ("describe", group),
                    ("describe", group),
                    ("describe_classic", group),
                    ("list",),
                    ("list", ("Stable",), ()),
                    ("list", (), ("consumer",)),
                )
            )
        case "delete":
            return ("delete", group)
    return ("beat", who, 0, chance.random() < 0.9)
