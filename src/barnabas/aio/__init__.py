"""The clients for asyncio: the same operations, as coroutines."""

from barnabas.aio.admin import Admin
from barnabas.aio.consumer import Consumer
from barnabas.aio.producer import Producer
from barnabas.aio.share_consumer import ShareConsumer

__all__ = ["Admin", "Consumer", "Producer", "ShareConsumer"]
