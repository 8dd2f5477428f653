"""The clients for asyncio: the same operations, as coroutines."""

from barnabas.aio.admin import Admin
from barnabas.aio.consumer import Consumer
from barnabas.aio.producer import Producer

__all__ = ["Admin", "Consumer", "Producer"]
