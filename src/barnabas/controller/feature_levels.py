"""The features that this release knows, and their levels. Plain facts: a start asks for them first."""

from __future__ import annotations

from collections.abc import Mapping

from barnabas.controller.record_versions import METADATA_VERSION, METADATA_VERSION_MAX, METADATA_VERSION_MIN

KRAFT_VERSION = "kraft.version"
ELR_VERSION = "eligible.leader.replicas.version"

SUPPORTED: Mapping[str, tuple[int, int]] = {
    METADATA_VERSION: (METADATA_VERSION_MIN, METADATA_VERSION_MAX),
    KRAFT_VERSION: (0, 1),
    "transaction.version": (0, 2),
    "group.version": (0, 1),
    ELR_VERSION: (0, 1),
    "share.version": (0, 1),
    "streams.version": (0, 1),
}
"""(lowest, highest) level of each feature that this node implements or passes on unharmed."""

BOOTSTRAP_LEVELS: Mapping[str, int] = {
    name: highest for name, (_, highest) in SUPPORTED.items() if name != KRAFT_VERSION
}
"""Levels of a fresh cluster. kraft.version is not among them: it lives in the log's control records."""
