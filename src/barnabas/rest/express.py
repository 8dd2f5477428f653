"""Requests whose records need no decision: who has answered one of a path shows the way, and the next are
answered without Python.

Always true:
  ways are shown only where no request has to be seen here, so that each speaks for the proxy itself
  what is answered without Python is answered, counted and written as it would be here
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from barnabas.rest.asking import answer
from barnabas.rest.errors import told

if TYPE_CHECKING:
    from barnabas._core import HttpServer, RecordTarget
    from barnabas.errors import BarnabasError
    from barnabas.http.errors import HttpError
    from barnabas.http.request import Request
    from barnabas.http.response import Response


class Express:
    """Shows the server where records go."""

    def __init__(self, server: HttpServer) -> None:
        self._server = server

    def show(self, request: Request, target: RecordTarget, *, is_batch: bool) -> None:
        """From now on plain records of such requests go there at once. `is_batch`: they have names."""
        self._server.show_records(request.native, target, _refusal, is_batch)


def _refusal(error: BarnabasError) -> tuple[int, str]:
    """Status and body of the response to a request with one record, which was not written."""
    response = single(refused(told(error)))
    return response.status, response.body.decode()


def refused(error: HttpError) -> dict[str, Any]:
    """What is told of a record that was not written."""
    return {"error_code": error.code, "message": error.message}


def single(reply: dict[str, Any]) -> Response:
    """The response to a request with one record: its status is that of the record."""
    code = int(reply["error_code"])
    return answer(reply, code if code < 1000 else code // 100)
