"""Who the instances of a registry are, and which of them is the primary: what members of the group `sr` tell
one another, in the bytes of Confluent's registry and Karapace.

Always true:
  the choice is a function of what the members say; every instance of every make would come to the same
  what can't be read raises UnreadableIdentity and nothing else
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from barnabas.http.response import json_bytes

VERSION = 1
"""Version of both texts."""
NO_ERROR, DUPLICATE_URLS = 0, 1
"""Errors of an assignment: two members have the same address, so that nobody could tell them apart."""


class UnreadableIdentity(Exception):
    """The bytes are no identity, or no assignment, of a registry; the message says why."""


@dataclass(frozen=True, slots=True)
class Identity:
    """An instance, as others reach it."""

    host: str
    port: int
    scheme: str = "http"
    eligible: bool = True
    """Whether it may be the primary."""
    primary: bool = False
    """Whether it was the primary when it said this."""

    @property
    def url(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}"

    @property
    def instance_id(self) -> str:
        """`group.instance.id`: an instance that comes back at its address takes its own place again."""
        return re.sub(r"[^a-zA-Z0-9._-]", "_", f"{self.scheme}-{self.host}-{self.port}")[:249]

    def told(self) -> dict[str, Any]:
        """Its members, in their order."""
        return {
            "version": VERSION,
            "host": self.host,
            "port": self.port,
            "master_eligibility": self.eligible,
            "scheme": self.scheme,
            "leader": self.primary,
        }

    def encode(self) -> bytes:
        """As it stands in JoinGroup."""
        return json_bytes(self.told())


@dataclass(frozen=True, slots=True)
class Assignment:
    """What a rebalance has come to: every member gets the same."""

    error: int = NO_ERROR
    member_id: str | None = None
    primary: Identity | None = None

    def encode(self) -> bytes:
        """As it stands in SyncGroup. Nobody has no members."""
        members: dict[str, Any] = {"version": VERSION, "error": self.error}
        if self.primary is not None:
            members |= {"master": self.member_id, "master_identity": self.primary.told()}
        return json_bytes(members)


def assign(members: Mapping[str, Identity]) -> Assignment:
    """The primary of these members, by member id: the one that is it already; if none, or several, say so,
    the one with the smallest URL."""
    urls = {identity.url for identity in members.values()}
    eligible = [(identity.url, member_id) for member_id, identity in members.items() if identity.eligible]
    already = [place for place in eligible if members[place[1]].primary]
    error = NO_ERROR if len(urls) == len(members) else DUPLICATE_URLS
    if not eligible:
        return Assignment(error)
    _, member_id = already[0] if len(already) == 1 else min(eligible)
    return Assignment(error, member_id, replace(members[member_id], primary=True))


def identity_of(data: bytes) -> Identity:
    """The identity that a member has told."""
    return _identity(_object(data))


def assignment_of(data: bytes) -> Assignment:
    """The assignment that the group's leader has made."""
    members = _object(data)
    error, member_id = members.get("error") or NO_ERROR, members.get("master")
    if not isinstance(error, int) or not isinstance(member_id, str | None):
        raise UnreadableIdentity("error or master of the assignment is of a wrong type")
    identity = members.get("master_identity")
    if not identity:
        return Assignment(error)
    if not isinstance(identity, dict):
        raise UnreadableIdentity("master_identity of the assignment is no object")
    return Assignment(error, member_id, _identity(identity))


def _identity(members: Mapping[str, Any]) -> Identity:
    host, port, scheme = members.get("host"), members.get("port"), members.get("scheme") or "http"
    eligible, primary = members.get("master_eligibility"), members.get("leader") or False
    if not isinstance(host, str) or not isinstance(scheme, str) or scheme not in ("http", "https"):
        raise UnreadableIdentity("host or scheme of the identity is no text, or no known scheme")
    if not isinstance(port, int) or isinstance(port, bool) or not 0 < port < 2**16:
        raise UnreadableIdentity("port of the identity is no port")
    return Identity(host, port, scheme, eligible is not False, primary is True)


def _object(data: bytes) -> dict[str, Any]:
    try:
        read = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise UnreadableIdentity(f"no JSON: {error}") from error
    if not isinstance(read, dict):
        raise UnreadableIdentity("no JSON object")
    return read
