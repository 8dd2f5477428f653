"""`barnabas rest` as a user runs it."""

from __future__ import annotations

from typing import Any

from tests.support.registry import RegistryProcess, Reply


class RestProcess(RegistryProcess):
    """One REST Proxy for a cluster, on a port of the loopback address."""

    command = ("rest",)

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> Reply:
        """One request on a connection of its own, whose body is JSON unless a header says otherwise."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return super().ask(method, path, body, **{"Content-Type": "application/json", **named})
