"""How those who ask a service log in at the cluster behind it, which alone judges them.

Always true:
  a request that brings no credentials, where they are needed, is refused before the cluster is asked
  passwords and tokens are handed on, and neither logged nor kept as keys of tables
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from typing import Any

from barnabas.http.credentials import Credentials, credentials, unauthenticated
from barnabas.http.principals import PrincipalRules
from barnabas.http.request import Request


class CertificateLogins:
    """Names and passwords for those who show a certificate and nothing else."""

    def __init__(self, rules: PrincipalRules, passwords: Mapping[str, str]) -> None:
        """`passwords` by principal, which is the name to log in with."""
        self._rules = rules
        self._passwords = passwords

    def of(self, subject: str) -> Credentials:
        """Those of the certificate of `subject`. Raises HttpError (401)."""
        principal = self._rules.principal(subject)
        password = None if principal is None else self._passwords.get(principal)
        if principal is None or password is None:
            raise unauthenticated("basic", f"The certificate of {subject} stands for nobody here")
        return Credentials(principal, password)


class Logins:
    """What a service takes of requests, and what clients that speak for their principals are made of."""

    def __init__(self, mechanism: str, certificates: CertificateLogins | None = None) -> None:
        """`mechanism`: SASL's: PLAIN, one of SCRAM's, or OAUTHBEARER. Without `certificates` these say
        nothing of who asks."""
        self.mechanism = mechanism
        self._certificates = certificates

    @property
    def scheme(self) -> str:
        """The scheme of `Authorization` that requests must have."""
        return "bearer" if self.mechanism == "OAUTHBEARER" else "basic"

    def of(self, request: Request) -> Credentials:
        """What a request brings; a certificate counts where nothing else is said. Raises HttpError (401)."""
        subject = request.native.subject
        said = request.native.header("authorization") is not None
        if self._certificates is None or subject is None or said:
            return credentials(request, self.scheme)
        return self._certificates.of(subject)

    def configs(self, configs: Mapping[str, Any], given: Credentials) -> dict[str, Any]:
        """Configs of a client that logs in with these credentials, instead of what `configs` log in with."""
        secure = str(configs.get("security.protocol", "PLAINTEXT")).endswith("SSL")
        own = {
            **configs,
            "security.protocol": "SASL_SSL" if secure else "SASL_PLAINTEXT",
            "sasl.mechanism": self.mechanism,
        }
        if given.name is None:
            return {**own, "sasl.oauthbearer.token": given.secret}
        return {**own, "sasl.username": given.name, "sasl.password": given.secret}


def fingerprint(given: Credentials) -> bytes:
    """Tells credentials apart. Passwords are not kept as keys, where a dump of memory would show them all
    together."""
    return hashlib.sha256(repr(tuple(given)).encode()).digest()


def authorization(given: Credentials) -> str:
    """The header `Authorization` that brings these credentials."""
    if given.name is None:
        return f"Bearer {given.secret}"
    return "Basic " + base64.b64encode(f"{given.name}:{given.secret}".encode()).decode()
