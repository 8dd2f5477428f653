"""A Schema Registry in memory behind a real port: as much of the REST API as serdes ask for, no rules."""

from __future__ import annotations

import json
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit


@dataclass
class FakeRegistry:
    """What is registered, and every request that came."""

    url: str = ""
    schemas: list[str] = field(default_factory=list)
    subjects: dict[str, list[int]] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)
    keys: dict[str, Any] = field(default_factory=dict)
    """Of the DEK registry, by their paths."""
    clock_ms: int = 0

    def answer(self, method: str, path: str, body: Any) -> Any:
        """What a request is answered with; None for what there is not."""
        parts = [unquote(part) for part in urlsplit(path).path.strip("/").split("/")]
        if parts[:2] == ["schemas", "ids"]:
            return self.described(int(parts[2])) if int(parts[2]) <= len(self.schemas) else None
        if parts[:2] == ["schemas", "guids"]:
            found = [id for id in range(1, len(self.schemas) + 1) if self.guid(id) == parts[2]]
            return self.described(found[0]) if found else None
        if parts[0] == "dek-registry":
            return self.key("/".join(parts), body)
        if parts[0] != "subjects":
            return None
        versions = self.subjects.get(parts[1], [])
        if method == "POST":
            return self.posted(parts[1], json.dumps(body, sort_keys=True), register=len(parts) == 3)
        if len(parts) == 3:
            return list(range(1, len(versions) + 1)) or None
        version = len(versions) if parts[3] == "latest" else int(parts[3])
        if not 1 <= version <= len(versions):
            return None
        return {"subject": parts[1], "version": version, **self.described(versions[version - 1])}

    def posted(self, subject: str, text: str, register: bool) -> Any:
        """Registers a schema or looks it up."""
        versions = self.subjects.setdefault(subject, [])
        if not register and (text not in self.schemas or self.schemas.index(text) + 1 not in versions):
            return None
        if text not in self.schemas:
            self.schemas.append(text)
        id = self.schemas.index(text) + 1
        if id not in versions:
            versions.append(id)
        return {"subject": subject, "version": versions.index(id) + 1, **self.described(id)}

    def key(self, path: str, body: Any) -> Any:
        """Keeps a key, or finds it; the latest version of one is -1."""
        if body is None:
            return self.keys.get(path)
        if "version" not in body:
            return self.keys.setdefault(f"{path}/{body['name']}", body)
        for version in (body["version"], -1):
            self.keys[f"{path}/{body['subject']}/versions/{version}"] = {"ts": self.clock_ms, **body}
        return self.keys[f"{path}/{body['subject']}/versions/-1"]

    def guid(self, id: int) -> str:
        """The GUID of an id."""
        return str(uuid.uuid5(uuid.NAMESPACE_OID, self.schemas[id - 1]))

    def described(self, id: int) -> dict[str, Any]:
        """A schema as answers have it."""
        return {"id": id, "guid": self.guid(id), **json.loads(self.schemas[id - 1])}


@contextmanager
def fake_registry() -> Iterator[FakeRegistry]:
    """Runs one while the block does."""
    registry = FakeRegistry()
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            size = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(size)) if size else None
            with lock:
                registry.requests.append(f"{self.command} {self.path}")
                answer = registry.answer(self.command, self.path, body)
            status = 404 if answer is None else 200
            data = json.dumps(answer or {"error_code": 40403, "message": "Schema not found"}).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_POST = do_GET

        def log_message(self, format: str, *args: Any) -> None:
            """Says nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(
        target=server.serve_forever, args=(0.01,)
    )  # it looks this often whether to stop
    thread.start()
    try:
        registry.url = f"http://127.0.0.1:{server.server_address[1]}"
        yield registry
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
