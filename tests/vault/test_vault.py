"""Sealing and opening: known answers, and every way a ciphertext or box can be wrong."""

import secrets
from dataclasses import replace
from pathlib import Path

import pytest
from nacl.bindings import crypto_aead_xchacha20poly1305_ietf_encrypt
from nacl.public import PrivateKey

from zcplatform.errors import CannotRun
from zcplatform.vault import keys, opening
from zcplatform.vault.opening import CannotOpen
from zcplatform.vault.sealing import SecretBinding, seal

PLACE = SecretBinding("ten_a", "provider", "main", "api.example.com:443", "sec_a", 1)
ELSEWHERE = [
    replace(PLACE, tenant_id="ten_b"),
    replace(PLACE, kind="agent"),
    replace(PLACE, name="cheap"),
    replace(PLACE, host="evil.example.com:443"),
    replace(PLACE, row="sec_b"),
    replace(PLACE, version=2),
]


def test_the_library_gives_the_known_answer() -> None:
    """draft-irtf-cfrg-xchacha-03, A.3.1."""
    plain = b"Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, sunscreen would be it."
    sealed = crypto_aead_xchacha20poly1305_ietf_encrypt(
        plain, bytes.fromhex("50515253c0c1c2c3c4c5c6c7"), bytes(range(0x40, 0x58)), bytes(range(0x80, 0xA0))
    )
    assert sealed[:16].hex() == "bd6d179d3e83d43b9576579493c0e939"
    assert sealed[-16:].hex() == "c0875924c1c7987947deafd8780acf49"


def test_hkdf_gives_the_known_answer() -> None:
    """RFC 5869, test case 3 (empty salt and info), first 32 bytes."""
    assert keys.hkdf(b"\x0b" * 22, b"").hex() == "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d"


def test_each_purpose_has_its_own_key() -> None:
    root = bytes(range(32))
    names = ["wrap data keys", "open sealed boxes", "token pepper", "key check"]
    assert len({keys.purpose_key(root, name) for name in names}) == 4
    assert keys.purpose_key(root, "a") != keys.purpose_key(bytes(32), "a")


def test_a_secret_opens_only_in_its_place() -> None:
    key = opening.new_data_key()
    blob = opening.encrypt(key, PLACE, "sk-value")
    assert opening.decrypt(key, PLACE, blob) == "sk-value"
    for place in ELSEWHERE:
        with pytest.raises(CannotOpen):
            opening.decrypt(key, place, blob)


def test_fields_that_run_together_are_told_apart() -> None:
    key = opening.new_data_key()
    blob = opening.encrypt(key, SecretBinding("ab", "c", "", "", "", 1), "x")
    with pytest.raises(CannotOpen):
        opening.decrypt(key, SecretBinding("a", "bc", "", "", "", 1), blob)


def test_any_damage_is_an_error() -> None:
    key = opening.new_data_key()
    blob = opening.encrypt(key, PLACE, "sk-value")
    damaged = [blob[:length] for length in range(len(blob))] + [blob + b"\0"]
    damaged += [blob[:at] + bytes([blob[at] ^ 1]) + blob[at + 1 :] for at in range(len(blob))]
    for one in damaged:
        with pytest.raises(CannotOpen):
            opening.decrypt(key, PLACE, one)


def test_nonces_are_fresh() -> None:
    key = opening.new_data_key()
    assert len({opening.encrypt(key, PLACE, "x")[1:25] for _ in range(10_000)}) == 10_000


def test_a_box_opens_only_for_its_row() -> None:
    private = PrivateKey.generate()
    box = seal(bytes(private.public_key), PLACE, "sk-value")
    assert opening.open_box(private, PLACE, box) == "sk-value"
    for place in ELSEWHERE:
        with pytest.raises(CannotOpen):
            opening.open_box(private, place, box)
    with pytest.raises(CannotOpen):
        opening.open_box(PrivateKey.generate(), PLACE, box)
    with pytest.raises(CannotOpen):
        opening.open_box(private, PLACE, box[:-1])


def test_a_data_key_is_wrapped_for_one_tenant() -> None:
    wrap_key, data_key = secrets.token_bytes(32), opening.new_data_key()
    wrapped = opening.wrap(wrap_key, "ten_a", data_key)
    assert opening.unwrap(wrap_key, "ten_a", wrapped) == data_key
    with pytest.raises(CannotOpen):
        opening.unwrap(wrap_key, "ten_b", wrapped)


def test_a_key_file_is_made_once_and_read_back(tmp_path: Path) -> None:
    path = tmp_path / "etc" / "root.key"
    key = keys.create(path)
    assert keys.load(path) == key
    assert path.stat().st_mode & 0o777 == 0o600
    with pytest.raises(FileExistsError):
        keys.create(path)


@pytest.mark.parametrize("content", ["", "00" * 32, "ab" * 31, "not hexadecimal", "zz" * 32])
def test_a_malformed_key_file_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "root.key"
    path.write_text(content)
    path.chmod(0o600)
    with pytest.raises(CannotRun) as refused:
        keys.load(path)
    assert refused.value.code == "key.malformed"


def test_a_key_file_others_may_read_is_refused(tmp_path: Path) -> None:
    keys.create(tmp_path / "root.key")
    (tmp_path / "root.key").chmod(0o640)
    with pytest.raises(CannotRun):
        keys.load(tmp_path / "root.key")
    (tmp_path / "root.key").chmod(0o600)
    (tmp_path / "link.key").symlink_to(tmp_path / "root.key")
    with pytest.raises(CannotRun):
        keys.load(tmp_path / "link.key")
    with pytest.raises(CannotRun):
        keys.load(tmp_path / "none.key")


def test_keys_do_not_print_themselves() -> None:
    root = secrets.token_bytes(32)
    assert keys.Keys.of(root).wrap.hex() not in repr(keys.Keys.of(root))
