"""Imports ahead of need: a node that has come up and has nothing to do brings in the modules of coordinators,
so that the first member of the first group need not wait for them, longer than for all the rest of its join.

One module at a time (with what it imports itself), so that the loop is never held up for long; a request that
needs one earlier imports it, as ever.
"""

from __future__ import annotations

import asyncio
from importlib import import_module

IDLE_SECONDS = 0.5
"""How long a node is left alone first: whoever waits for its start has got what they wanted then."""
MODULES = (
    "concurrent.futures.thread",
    "encodings.utf_16_be",
    "barnabas.server.handlers.find_coordinator",
    "barnabas.server.handlers.telemetry",
    "barnabas.server.handlers.classic_groups",
    "barnabas.server.handlers.consumer_groups",
    "barnabas.server.handlers.offset_fetch",
    "barnabas.server.handlers.offset_commit",
    "barnabas.coordinator.group.offsets",
    "barnabas.coordinator.group.offset_part",
    "barnabas.coordinator.group.classic.part",
    "barnabas.coordinator.group.consumer.group",
    "barnabas.coordinator.group.consumer.part",
    "barnabas.coordinator.group.share.part",
    "barnabas.coordinator.group.streams.group",
    "barnabas.coordinator.group.streams.part",
    "barnabas.coordinator.group.machine",
    "barnabas.coordinator.group.settings",
    "barnabas.server.lent_groups",
    "barnabas.server.share_states",
    "barnabas.server.transactions",
)
"""In an order in which each brings in little that is new."""


def begin(loop: asyncio.AbstractEventLoop) -> None:
    """Plans the imports."""
    loop.call_later(IDLE_SECONDS, _go_on, loop, 0)


def _go_on(loop: asyncio.AbstractEventLoop, place: int) -> None:
    import_module(MODULES[place])
    if place + 1 < len(MODULES):
        loop.call_soon(_go_on, loop, place + 1)
