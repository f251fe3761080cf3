import json
import os
import stat
from pathlib import Path

import pytest

from zcplatform.adapters.caddy import certificate_stamp, save_document


def test_a_document_is_saved_whole_for_its_group(tmp_path: Path) -> None:
    path = tmp_path / "document.json"
    for number in range(2):
        save_document(path, {"number": number}, os.getgid())
        assert json.loads(path.read_text()) == {"number": number}
        assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert list(tmp_path.iterdir()) == [path]


def test_a_document_that_can_not_be_written_leaves_the_old_one_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "document.json"
    save_document(path, {"number": 1}, os.getgid())
    with pytest.raises(TypeError):
        save_document(path, {"number": object()}, os.getgid())
    assert json.loads(path.read_text()) == {"number": 1}
    assert list(tmp_path.iterdir()) == [path]


def test_the_stamp_changes_with_either_file(tmp_path: Path) -> None:
    certificate, key = tmp_path / "c", tmp_path / "k"
    stamps = [certificate_stamp(None, None), certificate_stamp(certificate, key)]
    assert stamps == ["", ""]
    for path in (certificate, key):
        path.write_text("x")
        stamps.append(certificate_stamp(certificate, key))
    key.write_text("xy")
    stamps.append(certificate_stamp(certificate, key))
    assert len(set(stamps)) == 4
    assert certificate_stamp(certificate, key) == stamps[-1]
