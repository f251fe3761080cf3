"""What is stored of the credentials of a login: keyed hashes. The key is handed to the web process and never lies in the database.

A code has only 27 bits: its hash covers what the asking browser holds too, so that the database tells nothing even to somebody with the key.
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
