"""Who a request says that it comes from."""

from __future__ import annotations

import base64
import binascii
from typing import NamedTuple

from barnabas.http.errors import HttpError
from barnabas.http.request import Request

UNAUTHENTICATED = 40101


class Credentials(NamedTuple):
    """A name with its password, or a token, which has no name that could be read here."""

    name: str | None
    secret: str


def credentials(request: Request, scheme: str) -> Credentials:
    """What stands in `Authorization` under a scheme, `basic` or `bearer`. Raises HttpError (401) when that is
    missing, or can't be read."""
    given = request.native.header("authorization") or ""
    named, _, text = given.partition(" ")
    text = text.strip()
    if named.lower() != scheme or not text:
        raise unauthenticated(scheme, f"The request needs an Authorization of scheme {scheme}")
    if scheme == "bearer":
        return Credentials(None, text)
    try:
        name, colon, password = base64.b64decode(text, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError) as error:
        raise unauthenticated(scheme, f"The Authorization can't be read: {error}") from error
    if not colon or not name:
        raise unauthenticated(scheme, "The Authorization has no name and password")
    return Credentials(name, password)


def unauthenticated(scheme: str, message: str) -> HttpError:
    """The error of one who must say who it is."""
    challenge = {"basic": 'Basic realm="barnabas", charset="UTF-8"', "bearer": 'Bearer realm="barnabas"'}
    return HttpError(401, message, UNAUTHENTICATED, {"WWW-Authenticate": challenge[scheme]})
