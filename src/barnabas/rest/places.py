"""Where resources are: their addresses, as the client reaches the proxy, and their resource names."""

from __future__ import annotations

from typing import Any, NamedTuple
from urllib.parse import quote

from barnabas.http.request import Request


class Place(NamedTuple):
    """A resource's address and name."""

    url: str
    name: str

    def of(self, collection: str, key: str | int, kind: str) -> Place:
        """The place of something in a collection of this resource."""
        return Place(
            f"{self.url}/{collection}/{quote(str(key), safe='')}",
            f"{self.name}/{kind}={quote(str(key), safe='')}",
        )

    def under(self, part: str) -> Place:
        """The place of something that there is once."""
        return Place(f"{self.url}/{part}", f"{self.name}/{part}")


def base_url(request: Request) -> str:
    """Where the client has found the proxy."""
    native = request.native
    forwarded = native.header("x-forwarded-proto")
    scheme = "https" if native.is_secured or forwarded == "https" else "http"
    return f"{scheme}://{native.header('host') or 'localhost'}"


def cluster_place(request: Request, cluster_id: str) -> Place:
    """The place of the cluster."""
    name = quote(cluster_id, safe="")
    return Place(f"{base_url(request)}/v3/clusters/{name}", f"crn:///kafka={name}")


def related(url: str) -> dict[str, str]:
    """A link."""
    return {"related": url}


def resource(kind: str, place: Place, fields: dict[str, Any]) -> dict[str, Any]:
    """A resource as the API tells of it."""
    return {"kind": kind, "metadata": {"self": place.url, "resource_name": place.name}, **fields}


def collection(kind: str, url: str, data: list[dict[str, Any]]) -> dict[str, Any]:
    """Resources as the API lists them; all of them, on one page."""
    return {"kind": kind, "metadata": {"self": url, "next": None}, "data": data}
