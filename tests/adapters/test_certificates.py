"""When a certificate ends, read from its file."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fakes.mail_servers import CERTIFICATE
from zcplatform.adapters.certificates import _not_after, expires_at


def test_the_first_certificate_of_a_file_counts(tmp_path: Path) -> None:
    found = expires_at(CERTIFICATE)
    assert found is not None
    assert found > datetime(2026, 1, 1, tzinfo=UTC)
    chain = tmp_path / "chain.pem"
    chain.write_text("a note\n" + CERTIFICATE.read_text() + "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
    assert expires_at(chain) == found


@pytest.mark.parametrize(
    "text",
    [
        "",
        "nonsense",
        "-----BEGIN CERTIFICATE-----\n%%%\n-----END CERTIFICATE-----\n",
        "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n",
    ],
)
def test_what_is_no_certificate_has_no_end(tmp_path: Path, text: str) -> None:
    path = tmp_path / "c.pem"
    path.write_text(text)
    assert expires_at(path) is None
    assert expires_at(tmp_path / "missing") is None
    assert expires_at(None) is None


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    try:
        _not_after(data)
    except (ValueError, IndexError):
        return
