"""A page to browse a service's description with: plain HTML, that asks nobody for anything."""

from __future__ import annotations

import json
from collections.abc import Iterator
from html import escape
from typing import Any

STYLE = (
    "body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#222}"
    "summary{cursor:pointer;padding:.2rem 0}code,pre{font:13px/1.4 ui-monospace,monospace}"
    "pre{background:#f4f4f4;padding:.6rem;overflow:auto}b{display:inline-block;width:4.5rem}"
    "table{border-collapse:collapse}td{padding:.1rem 1rem .1rem 0;vertical-align:top}"
    "details>*:not(summary){margin-left:4.5rem}"
)
HEADERS = {"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'"}
"""The page loads nothing, whatever stands in it."""


def page(document: dict[str, Any]) -> str:
    """The page."""
    return "".join(_page(document))


def _page(document: dict[str, Any]) -> Iterator[str]:
    title = escape(f"{document['info']['title']} {document['info']['version']}")
    yield f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title><style>{STYLE}</style>'
    yield f'<h1>{title}</h1><p><a href="openapi.json">openapi.json</a></p>'
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield from _operation(path, method, operation)
    yield "<h2>Shapes</h2>"
    for name, each in document["components"]["schemas"].items():
        told = escape(name)
        yield f'<details id="{told}"><summary><code>{told}</code></summary>{_shape(each)}</details>'


def _operation(path: str, method: str, operation: dict[str, Any]) -> Iterator[str]:
    yield f"<details><summary><b>{method.upper()}</b> <code>{escape(path)}</code></summary>"
    yield f"<p>{escape(operation['summary'])}</p>"
    if operation["parameters"]:
        yield "<table>"
        for parameter in operation["parameters"]:
            kind = escape(_kind(parameter["schema"]))
            yield f"<tr><td><code>{escape(parameter['name'])}</code><td>{parameter['in']}<td>{kind}"
        yield "</table>"
    if "requestBody" in operation:
        yield f"<p>takes {_content(operation['requestBody'])}</p>"
    for status, response in operation["responses"].items():
        yield f"<p>{status} {escape(response['description'])} {_content(response)}</p>"
    yield "</details>"


def _content(told: dict[str, Any]) -> str:
    for content in told.get("content", {}).values():
        each = content["schema"]
        name = each.get("$ref", "").rpartition("/")[2]
        return f'<a href="#{escape(name)}">{escape(name)}</a>' if name else _shape(each)
    return ""


def _shape(each: Any) -> str:
    return f"<pre>{escape(json.dumps(each, indent=2))}</pre>" if each else ""


def _kind(each: dict[str, Any]) -> str:
    kind = each.get("type", "")
    if kind == "array":
        return f"list of {_kind(each['items'])}"
    return " | ".join(each["enum"]) if "enum" in each else kind
