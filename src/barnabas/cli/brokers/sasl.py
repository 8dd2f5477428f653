"""SASL for the command line's own requests: PLAIN (RFC 4616) and SCRAM (RFC 5802)."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from collections.abc import Mapping
from typing import TYPE_CHECKING

from barnabas.cli.errors import CommandFailed
from barnabas.errors import KafkaError
from barnabas.protocol.generated.sasl_authenticate_request import SaslAuthenticateRequest
from barnabas.protocol.generated.sasl_authenticate_response import SaslAuthenticateResponse
from barnabas.protocol.generated.sasl_handshake_request import SaslHandshakeRequest
from barnabas.protocol.generated.sasl_handshake_response import SaslHandshakeResponse

if TYPE_CHECKING:
    from barnabas.cli.brokers.broker import Broker

_SCRAM = {"SCRAM-SHA-256": "sha256", "SCRAM-SHA-512": "sha512"}
ITERATIONS_MAX = 1_000_000


def authenticate(broker: Broker, config: Mapping[str, str]) -> None:
    """Authenticates the connection as sasl.username, or raises CommandFailed."""
    mechanism = config.get("sasl.mechanisms") or config.get("sasl.mechanism") or ""
    if mechanism != "PLAIN" and mechanism not in _SCRAM:
        raise CommandFailed(
            f"This command authenticates by PLAIN or SCRAM; sasl.mechanism is {mechanism or 'not set'}."
        )
    user, password = config.get("sasl.username"), config.get("sasl.password")
    if user is None or password is None:
        raise CommandFailed("SASL needs a user and a password: sasl.username and sasl.password.")
    greeted = broker.ask(SaslHandshakeRequest(mechanism), SaslHandshakeResponse, lowest=1)
    if greeted.error_code:
        offered = ", ".join(greeted.mechanisms) or "nothing"
        raise CommandFailed(f"The broker at {broker.name} does not take {mechanism}; it takes {offered}.")
    if mechanism == "PLAIN":
        _step(broker, b"\0" + user.encode() + b"\0" + password.encode())
        return
    exchange = ScramClient(_SCRAM[mechanism], user, password, secrets.token_urlsafe(24))
    server_final = _step(broker, exchange.final(_step(broker, exchange.first())))
    exchange.check(server_final)


def _step(broker: Broker, token: bytes) -> bytes:
    answer = broker.ask(SaslAuthenticateRequest(token), SaslAuthenticateResponse)
    if answer.error_code:
        reason = answer.error_message or KafkaError.for_code(answer.error_code).message
        raise CommandFailed(f"The broker at {broker.name} refuses this user: {reason}")
    return answer.auth_bytes


class ScramClient:
    """The client's half of one SCRAM exchange, without channel binding: `first`, `final`, `check`."""

    def __init__(self, digest: str, user: str, password: str, nonce: str) -> None:
        self._digest = digest
        self._password = password.encode()
        self._nonce = nonce
        name = user.replace("=", "=3D").replace(",", "=2C")
        self._first_bare = f"n={name},r={nonce}"
        self._server_signature = b""

    def first(self) -> bytes:
        return f"n,,{self._first_bare}".encode()

    def final(self, server_first: bytes) -> bytes:
        """The proof that the password is known. CommandFailed when the server's message makes no sense."""
        text = server_first.decode(errors="replace")
        try:
            fields = _fields(text)
            nonce, iterations = fields["r"], int(fields["i"])
            salt = base64.b64decode(fields["s"], validate=True)
        except (KeyError, ValueError) as error:
            raise CommandFailed(f"The broker's SCRAM message can't be read: {text}") from error
        if not nonce.startswith(self._nonce) or not 0 < iterations <= ITERATIONS_MAX:
            raise CommandFailed(f"The broker's SCRAM message can't be trusted: {text}")
        without_proof = f"c=biws,r={nonce}"
        signed = f"{self._first_bare},{text},{without_proof}".encode()
        salted = hashlib.pbkdf2_hmac(self._digest, self._password, salt, iterations)
        client_key = self._mac(salted, b"Client Key")
        signature = self._mac(hashlib.new(self._digest, client_key).digest(), signed)
        proof = bytes(a ^ b for a, b in zip(client_key, signature, strict=True))
        self._server_signature = self._mac(self._mac(salted, b"Server Key"), signed)
        return f"{without_proof},p={base64.b64encode(proof).decode()}".encode()

    def check(self, server_final: bytes) -> None:
        """Makes sure that the server knows the password too."""
        try:
            signature = base64.b64decode(_fields(server_final.decode())["v"], validate=True)
        except (KeyError, ValueError):
            signature = b""
        if not hmac.compare_digest(signature, self._server_signature):
            raise CommandFailed("The broker could not prove that it knows this user's password.")

    def _mac(self, key: bytes, message: bytes) -> bytes:
        return hmac.digest(key, message, self._digest)


def _fields(text: str) -> dict[str, str]:
    return dict(part.split("=", 1) for part in text.split(",") if "=" in part)
