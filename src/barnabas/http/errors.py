"""What is told to clients as `{"error_code": …, "message": …}`."""

from __future__ import annotations

from collections.abc import Mapping

from barnabas.errors import BarnabasError


class HttpError(BarnabasError):
    """A reply that is an error: its status, the code in its body, and what is said."""

    def __init__(
        self, status: int, message: str, code: int | None = None, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = status if code is None else code
        self.message = message
        self.headers = dict(headers or {})
