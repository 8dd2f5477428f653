"""One config: its name, type, default, bounds, how it may change, and what it does here.

Configs are defined in tables, one module for each area, so that a start of the broker costs a few hundred
microseconds of splitting text and no more. A row of a table is one line of columns and one line of
documentation:

    name | type | default | bounds | update mode | effect [| internal]
        What it is for.

A line that ends in `|` goes on in the next. Tables of topics, groups and client metrics have no update
mode: all of theirs change at once.

  default   the text of the value; `null`; '' for empty; `required` for none
  bounds    `-` for any; `a..b`, `a..`; `one of x y`; `any case of X Y`;
            `list [non-empty] [nullable] [of x y]`; and the names in `bounds.SPECIAL`
  effect    `effective`, or a key of REASONS
"""

from enum import Enum, IntEnum
from typing import NamedTuple


class ConfigType(IntEnum):
    """Types of configs, with their codes in DescribeConfigs."""

    BOOLEAN = 1
    STRING = 2
    INT = 3
    SHORT = 4
    LONG = 5
    DOUBLE = 6
    LIST = 7
    CLASS = 8
    PASSWORD = 9


class UpdateMode(Enum):
    """How a config changes while the node runs."""

    READ_ONLY = "read-only"
    """Only in the properties file, with a restart."""
    PER_BROKER = "per-broker"
    """Dynamically, for one broker at a time."""
    CLUSTER_WIDE = "cluster-wide"
    """Dynamically, for one broker or as the default of all."""
    DYNAMIC_ONLY = "dynamic-only"
    """Dynamically; the properties file doesn't have it."""


REASONS = {
    "internals": "tunes an internal of Apache Kafka that barnabas does not have",
    "java": "names a Java class or tunes the Java runtime",
    "kerberos": "waits for Kerberos",
    "oauth": "waits for SASL/OAUTHBEARER",
    "quorum": "has a meaning in a cluster of several nodes only",
    "quotas": "waits for quotas",
    "rack": "streams groups spread standbys over processes only, as Apache Kafka 4.3",
    "sasl": "waits for SASL",
    "security": "waits for authorization",
    "threads": "barnabas chooses its threads itself",
    "tiered": "waits for tiered storage",
    "tls": "waits for TLS",
    "tokens": "waits for delegation tokens",
    "unread": "nothing reads it yet",
    "warm-up": "streams groups have no warm-up tasks, as in Apache Kafka 4.3",
}
"""Why a config is accepted without effect, by the key that its table uses."""


class ConfigKey(NamedTuple):
    """One config, as its table defines it."""

    name: str
    type: ConfigType
    default_text: str | None
    """The default as it would stand in a properties file; None for null and for `required`."""
    bounds: str
    update_mode: UpdateMode
    reason: str
    """Why it has no effect; empty when it is effective."""
    internal: bool
    required: bool
    doc: str

    @property
    def effective(self) -> bool:
        """Whether anything reads it."""
        return not self.reason

    @property
    def own(self) -> bool:
        """Whether Kafka has no such config."""
        return self.doc.startswith("Own to barnabas.")

    @property
    def sensitive(self) -> bool:
        """Whether its value is never shown."""
        return self.type is ConfigType.PASSWORD


_TYPES = {kind.name.lower(): kind for kind in ConfigType}
_MODES = {mode.value: mode for mode in UpdateMode}


def parse_table(table: str, *, with_mode: bool) -> dict[str, ConfigKey]:
    """The configs of one table, by name, in its order."""
    keys = {}
    lines = iter(table.replace("|\n", "|").strip().split("\n"))
    for row, doc in zip(lines, lines, strict=True):
        columns = [column.strip() for column in row.split("|")]
        mode = _MODES[columns.pop(4)] if with_mode else UpdateMode.CLUSTER_WIDE
        name, kind, default, bounds, effect, *internal = columns
        keys[name] = ConfigKey(
            name=name,
            type=_TYPES[kind],
            default_text=None if default in ("null", "required") else "" if default == "''" else default,
            bounds=bounds,
            update_mode=mode,
            reason="" if effect == "effective" else REASONS[effect],
            internal=bool(internal),
            required=default == "required",
            doc=doc.strip(),
        )
    return keys
