"""The local key store in the registry: keys in Base64, failures as answers."""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Mapping

from barnabas.http.errors import HttpError
from barnabas.serde.base import SerializationError
from barnabas.serde.rules.local_keys import TYPE, LocalKeys, generated

__all__ = ["TYPE", "LocalStore", "failed", "generated"]


class LocalStore:
    """Encrypts keys with the secret of the registry's environment."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        """Raises HttpError when there is no secret, or nothing to encrypt with."""
        try:
            self._keys = LocalKeys(environment)
        except SerializationError as error:
            raise failed(str(error)) from error

    def encrypt(self, key: bytes) -> str:
        """A key of data encrypted, in Base64."""
        return b64encode(self._keys.encrypt(key)).decode()

    def decrypt(self, text: str) -> str:
        """What `encrypt` has encrypted, in Base64. Raises HttpError."""
        try:
            return b64encode(self._keys.decrypt(b64decode(text, validate=True))).decode()
        except ValueError as error:
            raise failed("the encrypted key is no Base64") from error
        except SerializationError as error:
            raise failed(str(error)) from error


def failed(reason: str) -> HttpError:
    return HttpError(500, f"The data key could not be made or opened: {reason}", 50070)
