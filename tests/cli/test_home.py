"""Users without a home directory, and files of earlier versions (F15)."""

import json
from pathlib import Path

import pytest

from tests.cli.running import environment, run, run_forked
from tests.fakes.apis import Honest, serving
from zcplatform.cli import credentials
from zcplatform.cli.errors import CommandError

NOBODY_UID = 3_999_999_999


def test_home_is_the_variable_or_the_user_databases_or_an_error() -> None:
    assert credentials.home("/somewhere", NOBODY_UID) == Path("/somewhere")
    assert credentials.home(None, 0) == credentials.home("", 0) == Path("/root")
    with pytest.raises(CommandError, match="has no home directory"):
        credentials.home(None, NOBODY_UID)


def test_without_home_a_token_is_enough(tmp_path: Path) -> None:
    with serving(Honest) as (api, _):
        without = {name: value for name, value in environment(tmp_path).items() if name != "HOME"}
        done = run_forked(("tenants", "list"), {**without, "ZCPLATFORM_API": api, "ZCPLATFORM_TOKEN": "zcp_x"})
    assert done.returncode == 0, done.stderr


def test_the_file_of_an_earlier_version_is_read(tmp_path: Path) -> None:
    path = tmp_path / ".config" / "zcplatform" / "login.json"
    path.parent.mkdir(parents=True)
    with serving(Honest) as (api, fake):
        path.write_text(json.dumps({"api": api, "token": "zcp_old", "socket": None}))
        assert run(tmp_path, "tenants", "list").returncode == 0
        assert fake.seen[0][2]["Authorization"] == "Bearer zcp_old"


@pytest.mark.parametrize("text", ["", "[]", "{", '{"logins": 1}', '{"current": "x", "logins": {"x": 1}}'])
def test_a_broken_file_is_named(tmp_path: Path, text: str) -> None:
    path = tmp_path / ".config" / "zcplatform" / "login.json"
    path.parent.mkdir(parents=True)
    path.write_text(text)
    done = run(tmp_path, "tenants", "list")
    assert done.returncode == 1
    assert f"{path} cannot be read" in done.stderr
