"""Our format against a second implementation of XChaCha20-Poly1305 and HKDF, written here from their specifications, and against fixed bytes."""

import hashlib
import hmac
import struct

from zcplatform.vault import keys, opening
from zcplatform.vault.sealing import SecretBinding

PLACE = SecretBinding("ten_a", "provider", "main", "api.example.com:443", "sec_a", 1)
KEY = bytes(range(32))
NONCE = bytes(range(100, 124))


def _rounds(state: list[int]) -> list[int]:
    """The twenty rounds of ChaCha (RFC 8439, 2.3) without the addition at the end."""
    x = list(state)
    quarters = [(0, 4, 8, 12), (1, 5, 9, 13), (2, 6, 10, 14), (3, 7, 11, 15), (0, 5, 10, 15), (1, 6, 11, 12), (2, 7, 8, 13), (3, 4, 9, 14)]
    for _ in range(10):
        for a, b, c, d in quarters:
            for first, second, third, turn in ((a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)):
                x[first] = (x[first] + x[second]) & 0xFFFFFFFF
                mixed = x[third] ^ x[first]
                x[third] = ((mixed << turn) | (mixed >> (32 - turn))) & 0xFFFFFFFF
    return x


def _state(key: bytes, rest: bytes) -> list[int]:
    return list(struct.unpack("<16I", b"expand 32-byte k" + key + rest))


def _subkey(key: bytes, nonce: bytes) -> bytes:
    """HChaCha20 (draft-irtf-cfrg-xchacha, 2.2)."""
    x = _rounds(_state(key, nonce))
    return struct.pack("<8I", *x[:4], *x[12:])


def _stream(key: bytes, counter: int, nonce: bytes) -> bytes:
    state = _state(key, struct.pack("<I", counter) + nonce)
    return struct.pack("<16I", *((one + other) & 0xFFFFFFFF for one, other in zip(state, _rounds(state), strict=True)))


def _tag(key: bytes, data: bytes) -> bytes:
    """Poly1305 (RFC 8439, 2.5)."""
    r = int.from_bytes(key[:16], "little") & 0x0FFFFFFC0FFFFFFC0FFFFFFC0FFFFFFF
    total = 0
    for at in range(0, len(data), 16):
        total = (total + int.from_bytes(data[at : at + 16] + b"\x01", "little")) * r % ((1 << 130) - 5)
    return ((total + int.from_bytes(key[16:], "little")) % (1 << 128)).to_bytes(16, "little")


def _encrypt(key: bytes, nonce: bytes, plain: bytes, associated: bytes) -> bytes:
    key, nonce = _subkey(key, nonce[:16]), bytes(4) + nonce[16:]
    stream = b"".join(_stream(key, 1 + number, nonce) for number in range(len(plain) // 64 + 1))
    sealed = bytes(one ^ other for one, other in zip(plain, stream, strict=False))

    def padded(data: bytes) -> bytes:
        return data + bytes(-len(data) % 16)

    lengths = struct.pack("<QQ", len(associated), len(sealed))
    return sealed + _tag(_stream(key, 0, nonce)[:32], padded(associated) + padded(sealed) + lengths)


def _associated(*parts: str) -> bytes:
    """What docs/explanation/secrets.md says: each part with its length before it, after the byte of the format."""
    return b"\x01" + b"".join(struct.pack(">I", len(part.encode())) + part.encode() for part in ("zcplatform", "1", *parts))


def test_the_second_implementation_gives_the_drafts_answer() -> None:
    """draft-irtf-cfrg-xchacha-03, A.3.1."""
    plain = b"Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, sunscreen would be it."
    sealed = _encrypt(bytes(range(0x80, 0xA0)), bytes(range(0x40, 0x58)), plain, bytes.fromhex("50515253c0c1c2c3c4c5c6c7"))
    assert (sealed[:16].hex(), sealed[-16:].hex()) == ("bd6d179d3e83d43b9576579493c0e939", "c0875924c1c7987947deafd8780acf49")


def test_each_opens_what_the_other_sealed() -> None:
    associated = _associated("ten_a", "provider", "main", "api.example.com:443", "sec_a", "1")
    for value in ("", "sk-value", "ä" * 200):
        theirs = b"\x01" + NONCE + _encrypt(KEY, NONCE, value.encode(), associated)
        assert opening.decrypt(KEY, PLACE, theirs) == value
        ours = opening.encrypt(KEY, PLACE, value)
        assert ours[25:] == _encrypt(KEY, ours[1:25], value.encode(), associated)


def test_a_data_key_is_wrapped_in_the_same_form() -> None:
    wrapped = b"\x01" + NONCE + _encrypt(KEY, NONCE, bytes(range(32, 64)), _associated("data key", "ten_a"))
    assert opening.unwrap(KEY, "ten_a", wrapped) == bytes(range(32, 64))


def test_the_format_does_not_change_by_accident() -> None:
    """Stored secrets must open in every later version."""
    kept = "016465666768696a6b6c6d6e6f707172737475767778797a7b0f18d4c69e42fce7c843ceb956e2b701b49441205b876bee"
    assert opening.decrypt(KEY, PLACE, bytes.fromhex(kept)) == "sk-value"


def test_purpose_keys_are_hkdf_with_their_labels() -> None:
    extracted = hmac.new(bytes(32), KEY, hashlib.sha256).digest()
    for label in ("wrap data keys", "open sealed boxes", "token pepper", "key check", "sign audit anchors"):
        expanded = hmac.new(extracted, b"zcplatform/1/" + label.encode() + b"\x01", hashlib.sha256).digest()
        assert keys.purpose_key(KEY, label) == expanded
