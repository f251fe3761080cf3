"""Several tenants at once: every one is reported, the exit code says whether all succeeded, and --all asks first."""

import json
from pathlib import Path

import pytest

from tests.cli.running import run_signed_in
from tests.fakes.apis import TENANT, Honest, serving


class Choosy(Honest):
    """Refuses to do anything with `bad`; its list has three tenants that nothing holds, of which one is stopped, and a suspended one."""

    names = ("a", "b", "c", "d")

    def handle_any(self) -> None:
        path = self.path.split("?")[0]
        if "/bad" in path:
            type(self).seen.append((self.command, self.path, dict(self.headers), b""))
            problem = {"code": "tenant.stopped", "detail": "Tenant `bad` is stopped", "hint": "POST /x", "fields": {}}
            self.answer(409, problem, "application/problem+json")
        elif path == "/api/tenants" and self.command == "GET":
            wanted = ("running", "stopped", "running", "running")
            items = [{**TENANT, "slug": slug, "wanted": state} for slug, state in zip(self.names, wanted, strict=True)]
            items[3]["holds"] = [{"kind": "suspended", "reason": "the bill", "since": TENANT["created_at"], "by": ""}]
            self.answer(200, {"items": items, "next_cursor": None})
        else:
            super().handle_any()

    do_GET = do_POST = do_DELETE = do_PATCH = handle_any  # noqa: N815


def _changed(fake: type[Honest]) -> list[str]:
    return [path.removeprefix("/api/tenants/") for method, path, _, _ in fake.seen if method != "GET"]


def test_each_is_requested_once_and_reported(tmp_path: Path) -> None:
    with serving(Choosy) as (api, fake):
        done = run_signed_in(api, tmp_path, "tenants", "stop", "a", "c", "a")
    assert done.returncode == 0, done.stderr
    assert _changed(fake) == ["a/stop", "c/stop"]
    assert done.stdout.count("shop is running") == 2


def test_one_that_fails_is_named_and_the_others_are_done_all_the_same(tmp_path: Path) -> None:
    with serving(Choosy) as (api, fake):
        done = run_signed_in(api, tmp_path, "tenants", "stop", "a", "bad", "c")
    assert done.returncode == 1
    assert _changed(fake) == ["a/stop", "bad/stop", "c/stop"]
    assert "bad:\nTenant `bad` is stopped\n" in done.stderr
    assert "zcplatform tenants start bad" in done.stderr
    assert done.stdout.count("shop is running") == 2


def test_json_has_a_result_or_an_error_for_each(tmp_path: Path) -> None:
    with serving(Choosy) as (api, _):
        done = run_signed_in(api, tmp_path, "tenants", "stop", "a", "bad", "--json")
    first, second = json.loads(done.stdout)
    assert (done.returncode, first["tenant"], first["result"]["status"]) == (1, "a", "succeeded")
    assert (second["tenant"], second["error"]["code"]) == ("bad", "tenant.stopped")


@pytest.mark.parametrize(("verb", "expected"), [("stop", ["a/stop", "c/stop"]), ("restart", ["a/restart", "c/restart"])])
def test_all_means_those_it_can_be_done_to(tmp_path: Path, verb: str, expected: list[str]) -> None:
    with serving(Choosy) as (api, fake):
        refused = run_signed_in(api, tmp_path, "tenants", verb, "--all", stdin="n\n")
        assert (refused.returncode, _changed(fake)) == (1, [])
        assert "2 tenants: a, c" in refused.stderr
        done = run_signed_in(api, tmp_path, "tenants", verb, "--all", "--no-wait", stdin="y\n")
        assert (done.returncode, _changed(fake)) == (0, expected), done.stderr


def test_deleting_several_wants_the_number_typed(tmp_path: Path) -> None:
    with serving(Choosy) as (api, fake):
        assert run_signed_in(api, tmp_path, "tenants", "rm", "a", "c", stdin="y\n").returncode == 1
        assert _changed(fake) == []
        assert run_signed_in(api, tmp_path, "tenants", "rm", "a", "c", "--no-wait", stdin="delete 2\n").returncode == 0
    assert _changed(fake) == ["a", "c"]


class Hostile(Choosy):
    names = ("a\x1b]0;owned\x07", "b", "c", "d\x1b[2J")


@pytest.mark.parametrize("verb", ["stop", "rm"])
def test_no_name_in_a_question_commands_the_terminal(tmp_path: Path, verb: str) -> None:
    with serving(Hostile) as (api, fake):
        done = run_signed_in(api, tmp_path, "tenants", verb, "--all", stdin="n\n")
    assert (_changed(fake), "a·]0;owned·" in done.stderr) == ([], True)
    assert not set("\x1b\x07") & {*done.stderr, *done.stdout}


@pytest.mark.parametrize("arguments", [("stop",), ("stop", "a", "--all"), ("rm", "--yes")])
def test_neither_or_both_is_wrong_usage(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    with serving(Choosy) as (api, fake):
        assert run_signed_in(api, tmp_path, "tenants", *arguments).returncode == 2
    assert fake.seen == []
