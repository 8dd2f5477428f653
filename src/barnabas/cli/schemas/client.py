"""Requests to a Schema Registry, whosever it is."""

from __future__ import annotations

import http.client
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from barnabas.cli.errors import CommandFailed

SECONDS_MAX = 30.0
MEDIA_TYPE = "application/vnd.schemaregistry.v1+json"


class RegistryRefused(CommandFailed):
    """The registry answered with an error."""

    def __init__(self, status: int, code: int, message: str) -> None:
        super().__init__(f"{message} (error {code})")
        self.status = status
        self.code = code
        self.reason = message


class RegistryClient:
    """A registry at a URL."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url if "//" in url else f"http://{url}")
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise CommandFailed(f"'{url}' is no address of a schema registry, such as http://127.0.0.1:8081")
        connect = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        self._url = url
        self._base = parts.path.rstrip("/")
        self._connection = connect(parts.hostname, parts.port, timeout=SECONDS_MAX)

    def get(self, *path: str, **query: Any) -> Any:
        """What is at a path, whose parts are quoted."""
        return self._ask("GET", path, query, None)

    def post(self, *path: str, body: Mapping[str, Any], **query: Any) -> Any:
        """What comes of a request."""
        return self._ask("POST", path, query, body)

    def delete(self, *path: str, **query: Any) -> Any:
        """What was deleted."""
        return self._ask("DELETE", path, query, None)

    def _ask(
        self, method: str, path: tuple[str, ...], query: Mapping[str, Any], body: Mapping[str, Any] | None
    ) -> Any:
        target = self._base + "".join("/" + quote(part, safe="") for part in path)
        given = {name: str(value).lower() for name, value in query.items() if value is not None}
        if given:
            target += "?" + urlencode(given)
        sent = None if body is None else json.dumps(body)
        headers = {"Accept": MEDIA_TYPE} | ({} if sent is None else {"Content-Type": MEDIA_TYPE})
        try:
            self._connection.request(method, target, sent, headers)
            response = self._connection.getresponse()
            status, data = response.status, response.read()
        except (OSError, http.client.HTTPException) as error:
            raise CommandFailed(f"No schema registry at {self._url}: {error}") from error
        return _read(status, data, self._url)


def _read(status: int, data: bytes, url: str) -> Any:
    try:
        answer = json.loads(data) if data else None
    except ValueError as error:
        raise CommandFailed(f"What is at {url} is no schema registry: its answer is no JSON") from error
    if status < 300:
        return answer
    if isinstance(answer, dict) and "message" in answer:
        raise RegistryRefused(status, answer.get("error_code", status), str(answer["message"]))
    raise CommandFailed(f"{url} answered with status {status}")
