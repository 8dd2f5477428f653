"""Modules that are imported ahead of need."""

from __future__ import annotations

import asyncio
import sys

from barnabas.server import warming


async def test_all_that_the_first_member_of_a_group_needs_is_imported() -> None:
    sys.modules.pop("barnabas.server.handlers.offset_fetch", None)
    loop = asyncio.get_running_loop()
    warming.begin(loop)
    async with asyncio.timeout(60):
        while not all(name in sys.modules for name in warming.MODULES):
            await asyncio.sleep(0.01)
