"""Keyed hashes, the stored form of sign-in credentials. The key is passed to the web process and is never in the database.

A code has only 27 bits: its hash also covers what the requesting browser holds, so that the database reveals nothing even to someone with the key.
"""

import hashlib
import hmac

CHALLENGE = b"challenge"
LINK = b"link"
BROWSER = b"browser"


def keyed_hash(key: bytes, kind: bytes, value: str) -> bytes:
    return hashlib.blake2b(value.encode(), key=key, person=kind, digest_size=32).digest()


def code_mac(key: bytes, challenge: str, code: str) -> bytes:
    return hashlib.blake2b(f"{challenge}\0{code}".encode(), key=key, person=b"code", digest_size=32).digest()


def same(first: bytes, second: bytes) -> bool:
    return hmac.compare_digest(first, second)
