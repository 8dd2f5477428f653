"""OpenAPI descriptions in a few words, to be compared with published ones."""

from __future__ import annotations

import json
from typing import Any


def facts(shape: dict[str, Any]) -> Any:
    """A shape in a few words."""
    if "$ref" in shape:
        return "#" + shape["$ref"].rpartition("/")[2]
    if "allOf" in shape:
        return {"all": [facts(each) for each in shape["allOf"]]}
    kind = shape.get("type", "any")
    if kind == "array":
        return [facts(shape["items"])]
    if kind == "object" and "properties" in shape:
        return {name: facts(each) for name, each in sorted(shape["properties"].items())}
    if kind == "object":
        return {"*": facts(shape["additionalProperties"])}
    if "enum" in shape:
        return "|".join(sorted(shape["enum"]))
    return f"{kind}:{shape['format']}" if "format" in shape else kind


def content(told: dict[str, Any] | None) -> Any:
    """The shape of a body, which is the same in all of its types; None without one."""
    if not told or "content" not in told:
        return None
    (each,) = {json.dumps(facts(each["schema"])) for each in told["content"].values()}
    return json.loads(each)


def operation_facts(operation: dict[str, Any]) -> dict[str, Any]:
    """An operation in a few words."""
    status, response = next(
        (status, each) for status, each in operation["responses"].items() if status[0] == "2"
    )
    places: dict[str, dict[str, Any]] = {"path": {}, "query": {}}
    for parameter in operation["parameters"]:
        places[parameter["in"]][parameter["name"]] = facts(parameter["schema"])
    body = content(operation.get("requestBody"))
    return {
        "id": operation["operationId"],
        **places,
        "body": body,
        "status": status,
        "response": content(response),
    }
