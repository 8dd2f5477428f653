"""Which handler gets which path."""

from __future__ import annotations

import pytest

from barnabas.http.errors import HttpError
from barnabas.http.routes import Routes


def handler(name: str):  # type: ignore[no-untyped-def]
    return lambda: name


@pytest.fixture
def routes() -> Routes:  # type: ignore[type-arg]
    table: Routes = Routes()  # type: ignore[type-arg]
    table.add("GET", "/", handler("root"))
    table.add("GET", "/subjects/{subject}/versions/{version}", handler("version"))
    table.add("DELETE", "/subjects/{subject}/versions/{version}", handler("delete"))
    table.add("GET", "/schemas/ids/{id}", handler("id"))
    table.add("GET", "/schemas/types", handler("types"))
    table.add("GET", "/schemas/{any}/last", handler("last"))
    return table


def found(routes: Routes, method: str, path: str) -> tuple[str, dict[str, str]]:  # type: ignore[type-arg]
    handler, values, _ = routes.find(method, path)
    return handler(), values


def test_parts_of_a_path_are_decoded_one_by_one(routes: Routes) -> None:  # type: ignore[type-arg]
    assert found(routes, "GET", "/") == ("root", {})
    path = "/subjects/a%2Fb%20c/versions/latest"
    assert found(routes, "GET", path) == ("version", {"subject": "a/b c", "version": "latest"})
    assert found(routes, "GET", "/subjects/%3A.ctx%3As/versions/1/")[1]["subject"] == ":.ctx:s"


def test_a_part_that_is_spelled_out_wins_but_hides_nothing(routes: Routes) -> None:  # type: ignore[type-arg]
    assert found(routes, "GET", "/schemas/types") == ("types", {})
    assert found(routes, "GET", "/schemas/types/last") == ("last", {"any": "types"})


def test_head_is_get(routes: Routes) -> None:  # type: ignore[type-arg]
    assert found(routes, "HEAD", "/schemas/ids/7") == ("id", {"id": "7"})


def test_what_is_not_there_is_404_and_what_is_not_allowed_405(routes: Routes) -> None:  # type: ignore[type-arg]
    for path in ("/nothing", "/schemas", "/subjects/a/versions/1/more", "/subjects//x"):
        with pytest.raises(HttpError) as error:
            routes.find("GET", path)
        assert error.value.status == 404, path
    with pytest.raises(HttpError) as error:
        routes.find("POST", "/subjects/a/versions/1")
    assert error.value.status == 405
    assert error.value.headers == {"Allow": "DELETE, GET, HEAD, OPTIONS"}
    assert routes.allowed("/schemas/types") == "GET, HEAD, OPTIONS"


def test_a_path_that_is_no_utf_8_is_400(routes: Routes) -> None:  # type: ignore[type-arg]
    with pytest.raises(HttpError) as error:
        routes.find("GET", "/schemas/ids/%ff")
    assert error.value.status == 400
