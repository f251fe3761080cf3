"""The agent's form of secrets: the published vectors, and every way a value can be wrong."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zcplatform.agent.sealed import KEY_BYTES, NotSealed, new_key, new_token, seal, token_hash, unseal

KEY = bytes(range(32))
VECTOR = "enc2:000102030405060708090a0bfa9025744c64d16d86b10c6cb49ec75771dbe748854fa7cd4a31b6"


def test_the_agent_s_own_vector_opens() -> None:
    assert unseal(KEY, VECTOR) == "sk-test-123"


def test_a_whitespace_free_hexadecimal_form_is_written() -> None:
    value = seal(KEY, "sk-test-123")
    assert len(value) == len(VECTOR)
    assert set(value.removeprefix("enc2:")) <= set("0123456789abcdef")


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=200))
def test_what_was_sealed_opens_again(text: str) -> None:
    assert unseal(KEY, seal(KEY, text)) == text


def test_the_same_text_never_looks_the_same() -> None:
    assert seal(KEY, "x") != seal(KEY, "x")


def test_the_empty_text_stays_empty() -> None:
    assert seal(KEY, "") == ""
    assert unseal(KEY, "") == ""


@pytest.mark.parametrize(
    "value",
    [
        "sk-plain",
        "enc:00",
        "ENC2:00",
        "enc2:",
        "enc2:zz",
        "enc2:0",
        "enc2:" + "00" * 27,
        VECTOR[:-2],
        VECTOR + "00",
        VECTOR[:-1] + ("7" if VECTOR[-1] != "7" else "8"),
        VECTOR.replace("enc2:00", "enc2:01"),
    ],
)
def test_a_changed_value_does_not_open(value: str) -> None:
    with pytest.raises(NotSealed):
        unseal(KEY, value)


def test_another_key_does_not_open_it() -> None:
    with pytest.raises(NotSealed, match="another key"):
        unseal(bytes(32), VECTOR)


@pytest.mark.parametrize("length", [0, 16, 31, 33])
def test_a_key_of_another_length_is_refused(length: int) -> None:
    with pytest.raises(NotSealed, match=f"{length} bytes"):
        seal(bytes(length), "x")
    with pytest.raises(NotSealed, match=f"{length} bytes"):
        unseal(bytes(length), VECTOR)


def test_bytes_that_are_no_text_do_not_open() -> None:
    from nacl.bindings import crypto_aead_chacha20poly1305_ietf_encrypt as encrypt

    nonce = bytes(12)
    with pytest.raises(NotSealed):
        unseal(KEY, "enc2:" + (nonce + encrypt(b"\xff\xfe", None, nonce, KEY)).hex())


def test_the_agent_s_own_token_hash() -> None:
    assert token_hash("zc_" + "ab" * 32) == "e273e23a448b237050898a9e6b878255af0fa25b6d044f2f5b95faf600083c28"


def test_tokens_and_keys_are_new_each_time() -> None:
    assert len({new_token() for _ in range(10)}) == 10
    assert all(len(token) == 67 and token.startswith("zc_") for token in (new_token(), new_token()))
    assert len(new_key()) == KEY_BYTES
    assert new_key() != new_key()
