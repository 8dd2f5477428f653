"""A key store that is a secret of this process: `local-kms`, as Confluent's clients have it. And the ciphers
that keys of data are for. All bytes are Tink's, without its prefix.

The secret is LOCAL_SECRET of the environment; secrets of before, which still open what they have encrypted,
are in LOCAL_OLD_SECRETS, with commas between them.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from barnabas.serde.base import SerializationError
from barnabas.serde.rules.running import RuleError

TYPE = "local-kms"
"""`kmsType` of KEKs that are in this store."""
KEY_BYTES = {"AES128_GCM": 16, "AES256_GCM": 32, "AES256_SIV": 64}
VALUE_TAGS = {"AES128_GCM": 0x1A, "AES256_GCM": 0x1A, "AES256_SIV": 0x12}
"""In front of the key in Tink's message: the field that it is in."""
NONCE_BYTES = 12
STORE_KEY_BYTES = 16


def generated(algorithm: str) -> bytes:
    """A new key of data."""
    length = KEY_BYTES[algorithm]
    return bytes([VALUE_TAGS[algorithm], length]) + os.urandom(length)


class LocalKeys:
    """Encrypts keys with the secret."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        """Raises RuleError when there is no secret, or nothing to encrypt with."""
        secrets = [environment.get("LOCAL_SECRET", ""), *environment.get("LOCAL_OLD_SECRETS", "").split(",")]
        if not secrets[0]:
            raise RuleError("LOCAL_SECRET is not set in the environment")
        self._ciphers = [_of_secret(secret) for secret in secrets if secret]

    def encrypt(self, key: bytes) -> bytes:
        """A key of data, encrypted."""
        return _sealed(self._ciphers[0], key)

    def decrypt(self, data: bytes) -> bytes:
        """What `encrypt` has encrypted. Raises RuleError."""
        reason = ""
        for cipher in self._ciphers:
            try:
                return _opened(cipher, data)
            except Exception as error:  # the library's own, or a ValueError where the data is too short
                reason = type(error).__name__
        raise RuleError(f"no secret opens the key ({reason})")


class DataCipher:
    """Encrypts values with a key of data."""

    def __init__(self, algorithm: str, key: bytes) -> None:
        """`key` in Tink's bytes. Raises RuleError for what is none."""
        tag = bytes([VALUE_TAGS[algorithm], KEY_BYTES[algorithm]])
        at = key.find(tag)  # a version of 0, which may stand before it, has two bytes
        if at not in (0, 2) or len(key) - at - 2 != KEY_BYTES[algorithm]:
            raise RuleError(f"the key of data is no key of {algorithm}")
        self._siv = algorithm == "AES256_SIV"
        self._cipher = (_ciphers().AESSIV if self._siv else _ciphers().AESGCM)(key[at + 2 :])

    def encrypt(self, data: bytes) -> bytes:
        """The data, encrypted; AES256_SIV gives the same each time."""
        if not self._siv:
            return _sealed(self._cipher, data)
        sealed: bytes = self._cipher.encrypt(data, [b""])
        return sealed

    def decrypt(self, data: bytes) -> bytes:
        """What was encrypted. Raises RuleError for what was not, or with another key."""
        try:
            if not self._siv:
                return _opened(self._cipher, data)
            opened: bytes = self._cipher.decrypt(data, [b""])
        except Exception as error:  # the library's own, or a ValueError where the data is too short
            raise RuleError(f"the data can't be decrypted ({type(error).__name__})") from error
        return opened


def _sealed(cipher: Any, data: bytes) -> bytes:
    nonce = os.urandom(NONCE_BYTES)
    sealed: bytes = cipher.encrypt(nonce, data, b"")
    return nonce + sealed


def _opened(cipher: Any, data: bytes) -> bytes:
    opened: bytes = cipher.decrypt(data[:NONCE_BYTES], data[NONCE_BYTES:], b"")
    return opened


def _of_secret(secret: str) -> Any:
    ciphers = _ciphers()
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF

    return ciphers.AESGCM(HKDF(SHA256(), STORE_KEY_BYTES, salt=None, info=None).derive(secret.encode()))


def _ciphers() -> Any:
    try:
        from cryptography.hazmat.primitives.ciphers import aead
    except ImportError:
        raise SerializationError(
            "cryptography is not installed: pip install 'barnabas[encryption]'"
        ) from None
    return aead
