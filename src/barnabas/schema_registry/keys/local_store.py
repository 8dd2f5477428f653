"""A key store that is a secret of this process: `local-kms`, as Confluent's clients have it.

The secret is LOCAL_SECRET of the environment; secrets of before, which still open what they have encrypted,
are in LOCAL_OLD_SECRETS, with commas between them. Keys of data have the bytes of Tink.
"""

from __future__ import annotations

import os
from base64 import b64decode, b64encode
from collections.abc import Mapping
from typing import Any

from barnabas.http.errors import HttpError

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


class LocalStore:
    """Encrypts keys with the secret."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        """Raises HttpError when there is no secret, or nothing to encrypt with."""
        secrets = [environment.get("LOCAL_SECRET", ""), *environment.get("LOCAL_OLD_SECRETS", "").split(",")]
        if not secrets[0]:
            raise failed("LOCAL_SECRET is not set in the registry's environment")
        self._ciphers = [_cipher(secret) for secret in secrets if secret]

    def encrypt(self, key: bytes) -> str:
        """A key of data encrypted, in Base64."""
        nonce = os.urandom(NONCE_BYTES)
        sealed: bytes = self._ciphers[0].encrypt(nonce, key, b"")
        return b64encode(nonce + sealed).decode()

    def decrypt(self, text: str) -> str:
        """What `encrypt` has encrypted, in Base64. Raises HttpError."""
        try:
            data = b64decode(text, validate=True)
        except ValueError as error:
            raise failed("the encrypted key is no Base64") from error
        for cipher in self._ciphers:
            try:
                opened: bytes = cipher.decrypt(data[:NONCE_BYTES], data[NONCE_BYTES:], b"")
            except Exception as error:  # The library's own, or a ValueError where the data is too short.
                reason = error
            else:
                return b64encode(opened).decode()
        raise failed(f"no secret opens the key ({type(reason).__name__})")


def failed(reason: str) -> HttpError:
    return HttpError(500, f"The data key could not be made or opened: {reason}", 50070)


def _cipher(secret: str) -> Any:
    try:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM
        from cryptography.hazmat.primitives.hashes import SHA256
        from cryptography.hazmat.primitives.kdf.hkdf import HKDF
    except ImportError as error:
        raise failed("the package cryptography is missing: pip install 'barnabas[encryption]'") from error
    derived = HKDF(SHA256(), STORE_KEY_BYTES, salt=None, info=None).derive(secret.encode())
    return AESGCM(derived)
