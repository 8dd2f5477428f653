"""Which names a topic may have."""

from __future__ import annotations

import re

TOPIC_NAME_MAX = 249
"""Characters: `<name>-<partition>` is the name of a directory."""

CLUSTER_METADATA_TOPIC = "__cluster_metadata"
INTERNAL_TOPICS = frozenset({"__consumer_offsets", "__transaction_state", "__share_group_state"})

_LEGAL = re.compile(r"[a-zA-Z0-9._-]+")


def name_problem(name: str) -> str | None:
    """What is wrong with a topic's name; None when it is legal."""
    if not name:
        problem = "the empty string is not allowed"
    elif name in (".", ".."):
        problem = f"'{name}' is not allowed"
    elif len(name) > TOPIC_NAME_MAX:
        problem = f"the length of '{name}' is longer than the max allowed length {TOPIC_NAME_MAX}"
    elif not _LEGAL.fullmatch(name):
        problem = f"'{name}' contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'"
    else:
        return None
    return f"Topic name is invalid: {problem}"


def collision_key(name: str) -> str:
    """Equal for names that differ only in '.' and '_', which metrics cannot tell apart."""
    return name.replace(".", "_")


def may_collide(name: str) -> bool:
    """Whether the name holds a character that metrics confuse with another."""
    return "." in name or "_" in name
