"""Producer ids of this node: taken from blocks that the controller allocates, none given twice.

Always true:
  an id is given at most once, also across restarts: what is left of a block is lost with the node
  a block is asked for before the one in use is empty, so that nobody waits for one in the steady state
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from barnabas.controller import producer_ids
from barnabas.errors import CoordinatorLoadInProgress

if TYPE_CHECKING:
    from barnabas.server.handlers.context import NodeContext

logger = logging.getLogger(__name__)

LEFT_MIN = producer_ids.BLOCK_SIZE // 10
"""Ids left at which the next block is asked for."""


class ProducerIds:
    """The node's current block and the next one."""

    def __init__(self, node: NodeContext) -> None:
        self._node = node
        self._blocks: list[range] = []
        self._allocation: asyncio.Task[None] | None = None

    async def take(self) -> int:
        """An id that nobody has; waits for the controller where none is at hand."""
        await self.ready()
        return self.take_now()

    async def ready(self) -> None:
        """Returns when `take_now` has an id to give."""
        while not self._blocks:
            await asyncio.shield(self._allocate())

    def take_now(self) -> int:
        """An id that nobody has; raises CoordinatorLoadInProgress where none is at hand, as Kafka does."""
        if not self._blocks:
            self._allocate()
            raise CoordinatorLoadInProgress()
        block = self._blocks[0]
        if len(block) == 1:
            del self._blocks[0]
        else:
            self._blocks[0] = block[1:]
        if sum(map(len, self._blocks)) <= LEFT_MIN:
            self._allocate()
        return block[0]

    def _allocate(self) -> asyncio.Task[None]:
        if self._allocation is None or self._allocation.done():
            self._allocation = asyncio.get_running_loop().create_task(self._add_block())
            self._allocation.add_done_callback(_note_failure)
        return self._allocation

    async def _add_block(self) -> None:
        state = self._node.state()
        epoch = state.brokers[state.node_id].epoch
        block = await self._node.commit(producer_ids.allocate(state, state.node_id, epoch))
        first = block.producer_id_start
        self._blocks.append(range(first, first + block.producer_id_len))


def _note_failure(allocation: asyncio.Task[None]) -> None:
    if not allocation.cancelled() and (error := allocation.exception()) is not None:
        logger.warning("no producer ids were allocated: %s", error)
