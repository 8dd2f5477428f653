"""The clients for asyncio: the same operations, as coroutines."""

from barnabas.aio.admin import Admin

__all__ = ["Admin"]
