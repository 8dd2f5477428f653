"""Tokens of OAUTHBEARER: asked for before a client connects, and again before they end."""

from __future__ import annotations

import base64
import binascii
import json
import logging
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from typing import NamedTuple

from barnabas._core import BearerToken
from barnabas.errors import BarnabasError

log = logging.getLogger(__name__)

RENEWAL_SHARE = 0.8
"""The part of a token's life after which another is asked for."""
RETRY_SECONDS = 10.0
"""Pause after an issuer has failed."""
ISSUER_SECONDS_MAX = 30.0
LOOK_SECONDS = 30.0
"""How long after its last client a thread may still be there."""
LIFE_SECONDS_MIN = 1.0


class Token(NamedTuple):
    """A token, and when it ends: seconds since 1970, None when it does not."""

    value: str
    expires_at: float | None = None


TokenProvider = Callable[[], "str | Token | tuple[str, float | None]"]
"""Gives a token. Without a time, that of its `exp` claim counts, if it is a JWT."""


class Issuer:
    """Gives tokens by OAuth 2.0's client credentials."""

    def __init__(self, url: str, client_id: str, secret: str, scope: str | None) -> None:
        self._url, self._scope = url, scope
        name, password = urllib.parse.quote_plus(client_id), urllib.parse.quote_plus(secret)
        self._authorization = "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()
        if urllib.parse.urlsplit(url).scheme not in ("http", "https"):
            raise BarnabasError(f"sasl.oauthbearer.token.endpoint.url must be http or https: {url}")

    def __call__(self) -> Token:
        fields = {"grant_type": "client_credentials"} | ({"scope": self._scope} if self._scope else {})
        request = urllib.request.Request(
            self._url,
            urllib.parse.urlencode(fields).encode(),
            {"Authorization": self._authorization, "Accept": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=ISSUER_SECONDS_MAX) as response:
                answer = json.load(response)
            token = answer["access_token"]
            life = answer.get("expires_in")
        except urllib.error.HTTPError as error:
            with error:
                raise BarnabasError(f"{self._url} gives no token: {error.code} {error.reason}") from None
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise BarnabasError(f"{self._url} gives no token: {error}") from error
        return Token(str(token), None if life is None else time.time() + float(life))


def kept_fresh(provider: TokenProvider) -> BearerToken:
    """A token that is replaced in time, as long as a client uses it."""
    first = _asked(provider)
    kept = BearerToken(first.value)
    if first.expires_at is not None:
        keeper = threading.Thread(
            target=_keep, args=(provider, kept, first), name="barnabas-token", daemon=True
        )
        keeper.start()
    return kept


def _keep(provider: TokenProvider, kept: BearerToken, token: Token) -> None:
    while token.expires_at is not None:
        renewal = time.time() + max(token.expires_at - time.time(), LIFE_SECONDS_MIN) * RENEWAL_SHARE
        while (left := renewal - time.time()) > 0:
            time.sleep(min(left, LOOK_SECONDS))
            if not kept.in_use:
                return
        try:
            token = _asked(provider)
        except Exception:
            log.exception("there is no new token of OAUTHBEARER; the old one ends at %s", token.expires_at)
            token = Token(token.value, time.time() + RETRY_SECONDS / RENEWAL_SHARE)
        else:
            kept.set(token.value)


def _asked(provider: TokenProvider) -> Token:
    given = provider()
    token = Token(given) if isinstance(given, str) else Token(*given)
    return token if token.expires_at is not None else Token(token.value, _expiry(token.value))


def _expiry(token: str) -> float | None:
    """The `exp` claim of a JWT; None when it is none, or says nothing."""
    try:
        payload = token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        return float(claims["exp"])
    except (IndexError, KeyError, TypeError, ValueError, binascii.Error):
        return None
