"""Configs and modes."""

from __future__ import annotations

from typing import Any

from barnabas.http.request import Request
from barnabas.http.response import Response
from barnabas.http.routes import Routes
from barnabas.http.serving import Handler
from barnabas.schema_registry import configs, contexts, errors, modes
from barnabas.schema_registry.handlers.reading import answer
from barnabas.schema_registry.registry import Registry
from barnabas.schema_registry.state import DEFAULT_COMPATIBILITY, DEFAULT_MODE


class Settings:
    """The operations under `/config` and `/mode`."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    def add_to(self, routes: Routes[Handler]) -> None:
        """Adds the operations."""
        for path in ("", "/{subject}"):
            routes.add("GET", f"/config{path}", self.config)
            routes.add("PUT", f"/config{path}", self.set_config)
            routes.add("DELETE", f"/config{path}", self.delete_config)
            routes.add("GET", f"/mode{path}", self.mode)
            routes.add("PUT", f"/mode{path}", self.set_mode)
            routes.add("DELETE", f"/mode{path}", self.delete_mode)

    def config(self, request: Request) -> Response:
        """The config of a subject, of a context, or of all."""
        state, scope = self._registry.state, _scope(request)
        if scope is None:
            return answer({"compatibilityLevel": DEFAULT_COMPATIBILITY, **state.configs.get(None, {})})
        if request.flag("defaultToGlobal"):
            return answer(state.config_in_scope(scope))
        if scope not in state.configs:
            raise errors.no_compatibility(scope)
        return answer(state.configs[scope])

    async def set_config(self, request: Request) -> Response:
        """Sets fields of a config."""
        scope, body = _scope(request), request.json_object()
        return answer(await self._registry.write(lambda state: configs.update(state, scope, body)))

    async def delete_config(self, request: Request) -> Response:
        """Takes a config back."""
        scope = _scope(request)
        return answer(await self._registry.write(lambda state: configs.delete(state, scope)))

    def mode(self, request: Request) -> Response:
        """The mode of a subject, of a context, or of all."""
        state, scope = self._registry.state, _scope(request)
        if scope is None:
            return answer({"mode": state.modes.get(None, DEFAULT_MODE)})
        if request.flag("defaultToGlobal"):
            return answer({"mode": state.mode_in_scope(scope)})
        if scope not in state.modes:
            raise errors.no_mode(scope)
        return answer({"mode": state.modes[scope]})

    async def set_mode(self, request: Request) -> Response:
        """Sets a mode."""
        scope, force = _scope(request), request.flag("force")
        wanted: Any = request.json_object().get("mode")
        if not isinstance(wanted, str):
            raise errors.invalid_mode(", ".join(modes.MODES))
        mode = await self._registry.write(
            lambda state: modes.set_mode(state, scope, wanted.upper(), force=force)
        )
        return answer({"mode": mode})

    async def delete_mode(self, request: Request) -> Response:
        """Takes a mode back."""
        scope, recursive = _scope(request), request.flag("recursive")
        mode = await self._registry.write(lambda state: modes.delete_mode(state, scope, recursive=recursive))
        return answer({"mode": mode})


def _scope(request: Request) -> str | None:
    """The subject or context in the path; None for all, which the default context stands for too."""
    subject = request.path.get("subject")
    if subject is None:
        return None
    context, name = contexts.split(subject)
    return None if context == contexts.DEFAULT and not name else contexts.join(context, name)
