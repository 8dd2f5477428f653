"""Access control lists."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote, urlencode

from barnabas.clients.admin.acl_operation import AclOperation
from barnabas.clients.admin.acls import (
    AclBinding,
    AclFilter,
    AclPermission,
    AclResourceType,
    PatternType,
)
from barnabas.http.errors import HttpError
from barnabas.http.request import Request
from barnabas.http.response import Response
from barnabas.http.routes import Routes
from barnabas.http.serving import Handler
from barnabas.rest import fields
from barnabas.rest.asking import Part, answer, created, telling
from barnabas.rest.places import Place, collection

PATH = "/v3/clusters/{cluster_id}/acls"
NEEDED_TO_DELETE = ("resource_type", "pattern_type", "operation", "permission")


class Acls(Part):
    """The operations on access control lists."""

    def add_to(self, routes: Routes[Handler]) -> None:
        routes.add("GET", PATH, telling(self.search))
        routes.add("POST", PATH, telling(self.create))
        routes.add("DELETE", PATH, telling(self.delete))
        routes.add("POST", f"{PATH}:batch", telling(self.create_batch))

    async def search(self, request: Request) -> Response:
        """The bindings that match."""
        cluster, place = await self.at(request)
        found = await cluster.admin.describe_acls(_filter(request))
        query = f"?{request.native.query}" if request.native.query else ""
        data = [_data(place, binding) for binding in found]
        return answer(collection("KafkaAclList", f"{place.url}/acls{query}", data))

    async def create(self, request: Request) -> Response:
        """Adds a binding."""
        cluster, place = await self.at(request)
        binding = _binding(request.json_object())
        await cluster.admin.create_acls(binding)
        return created(_url(place, binding))

    async def create_batch(self, request: Request) -> Response:
        """Adds bindings."""
        cluster, place = await self.at(request)
        bindings = [_binding(one) for one in fields.objects_of(request.json_object(), "data")]
        if not bindings:
            raise HttpError(400, "data must have an entry")
        await cluster.admin.create_acls(bindings)
        return created(f"{place.url}/acls")

    async def delete(self, request: Request) -> Response:
        """Removes the bindings that match, and tells which those were."""
        cluster, place = await self.at(request)
        for name in NEEDED_TO_DELETE:
            if not request.text(name):
                raise HttpError(400, f"{name} must be given")
        wanted = _filter(request)
        found = await cluster.admin.delete_acls(wanted)
        return answer({"data": [_data(place, binding) for binding in found[wanted]]})


def _filter(request: Request) -> AclFilter:
    return AclFilter(
        fields.member(AclResourceType, "resource_type", request.text("resource_type", "ANY") or "ANY"),
        request.text("resource_name") or None,
        request.text("principal") or None,
        fields.member(AclOperation, "operation", request.text("operation", "ANY") or "ANY"),
        fields.member(AclPermission, "permission", request.text("permission", "ANY") or "ANY"),
        request.text("host") or None,
        fields.member(PatternType, "pattern_type", request.text("pattern_type", "ANY") or "ANY"),
    )


def _binding(body: dict[str, Any]) -> AclBinding:
    return AclBinding(
        fields.member(AclResourceType, "resource_type", fields.needed_text(body, "resource_type")),
        fields.needed_text(body, "resource_name"),
        fields.needed_text(body, "principal"),
        fields.member(AclOperation, "operation", fields.needed_text(body, "operation")),
        fields.member(AclPermission, "permission", fields.needed_text(body, "permission")),
        fields.needed_text(body, "host"),
        fields.member(PatternType, "pattern_type", fields.needed_text(body, "pattern_type")),
    )


def _fields(binding: AclBinding) -> dict[str, str]:
    return {
        "resource_type": binding.resource_type.name,
        "resource_name": binding.resource_name,
        "pattern_type": binding.pattern_type.name,
        "principal": binding.principal,
        "host": binding.host,
        "operation": binding.operation.name,
        "permission": binding.permission.name,
    }


def _url(place: Place, binding: AclBinding) -> str:
    return f"{place.url}/acls?{urlencode(_fields(binding), safe='*', quote_via=quote)}"


def _data(place: Place, binding: AclBinding) -> dict[str, Any]:
    return {
        "kind": "KafkaAcl",
        "metadata": {"self": _url(place, binding)},
        "cluster_id": place.url.rpartition("/")[2],
        **_fields(binding),
    }
