"""Options that every command takes, wherever they are written; and the variables for CI."""

from pathlib import Path

import pytest

from tests.cli.running import run
from tests.fakes.apis import Honest, serving
from zcplatform.cli.global_options import ON_HOST, PANEL
from zcplatform.cli.main import command
from zcplatform.cli.reference import commands


@pytest.mark.parametrize("place", ["before", "between", "after", "spread"])
def test_they_work_before_between_and_after(tmp_path: Path, place: str) -> None:
    token = tmp_path / "token"
    token.write_text("zcp_secret")
    with serving(Honest) as (api, fake):
        where, who, why = ("--api", api), ("--token-file", str(token)), ("--reason", "ticket 7")
        arguments = {
            "before": (*where, *who, *why, "tenants", "list", "--json"),
            "between": ("tenants", *where, *who, *why, "list", "--json"),
            "after": ("tenants", "list", *where, "--json", *who, *why),
            "spread": (*where, "tenants", *who, "list", *why, "--json"),
        }[place]
        done = run(tmp_path, *arguments)
        assert done.returncode == 0, done.stderr
        headers = fake.seen[0][2]
    assert (headers["Authorization"], headers["X-Reason"]) == ("Bearer zcp_secret", "ticket 7")


def test_the_one_further_right_wins(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("zcp_secret")
    with serving(Honest) as (api, _):
        done = run(tmp_path, "--api", "http://127.0.0.1:1", "tenants", "list", "--api", api, "--token-file", str(token))
    assert done.returncode == 0, done.stderr


def test_a_program_needs_only_two_variables(tmp_path: Path) -> None:
    with serving(Honest) as (api, fake):
        done = run(tmp_path, "tenants", "list", ZCPLATFORM_API=api, ZCPLATFORM_TOKEN="zcp_from_ci")
        assert done.returncode == 0, done.stderr
        assert fake.seen[0][2]["Authorization"] == "Bearer zcp_from_ci"
    assert not (tmp_path / ".config").exists()


def test_every_command_has_them_once() -> None:
    for words, found in commands(command()):
        names = [parameter.name for parameter in found.params if parameter.rich_help_panel == PANEL]
        expected = ["settings"] if words[0] in ON_HOST else ["api", "token_file", "reason", "settings"]
        if words[0] not in ("login", "logout"):  # the address is their argument
            assert names == expected, words


def test_slugs_are_completed_with_the_options_that_were_typed(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("zcp_secret")
    with serving(Honest) as (api, _):
        words = f"zcplatform --api {api} tenants --token-file {token} show s"
        more = {"_ZCPLATFORM_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": "7"}
        done = run(tmp_path, **more)
        away = run(tmp_path, **{**more, "COMP_WORDS": words.replace(api, "http://127.0.0.1:1")})
    assert (done.stdout.split(), away.stdout.split()) == (["shop"], [])
    assert "Traceback" not in done.stderr + away.stderr
