"""The command line as a person and as a script meets it: a subprocess, against APIs that behave and others that do not."""

import json
from pathlib import Path

import pytest

from tests.cli.running import run_signed_in
from tests.fakes.apis import Babbling, BreakingOff, Failing, Forgetting, Honest, Refusing, Restarting, serving


def test_a_table_for_people_and_json_for_programs(tmp_path: Path) -> None:
    with serving(Honest) as (api, _):
        table = run_signed_in(api, tmp_path, "tenants", "list")
        told = run_signed_in(api, tmp_path, "tenants", "list", "--json")
    assert table.returncode == 0
    assert table.stdout.splitlines()[0].split()[:2] == ["SLUG", "STATE"]
    assert "healthy and reachable" in table.stdout
    assert json.loads(told.stdout)[0]["slug"] == "shop"


def test_every_mutation_carries_a_key_of_its_own_and_the_token(tmp_path: Path) -> None:
    with serving(Honest) as (api, fake):
        run_signed_in(api, tmp_path, "tenants", "create", "shop")
        run_signed_in(api, tmp_path, "tenants", "create", "shop")
        sent = [headers for method, _, headers, _ in fake.seen if method == "POST"]
    assert len({headers["Idempotency-Key"] for headers in sent}) == 2
    assert {headers["Authorization"] for headers in sent} == {"Bearer zcp_secret"}


def test_a_provider_key_comes_from_a_file_or_standard_input(tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_text("sk-file\n")
    options = ("tenants", "create", "shop", "--provider", "openai", "--model", "m", "--key-file")
    with serving(Honest) as (api, fake):
        run_signed_in(api, tmp_path, *options, str(key))
        run_signed_in(api, tmp_path, *options, "-", stdin="sk-stdin\n")
        bodies = [json.loads(body) for method, _, _, body in fake.seen if method == "POST"]
    assert [body["provider"]["api_key"] for body in bodies] == ["sk-file", "sk-stdin"]


def test_a_deploy_waits_and_shows_its_steps(tmp_path: Path) -> None:
    with serving(Honest) as (api, _):
        done = run_signed_in(api, tmp_path, "tenants", "deploy", "shop")
    assert done.returncode == 0
    assert "start" in done.stderr
    assert "http://shop.localhost/" in done.stdout
    assert "tenants pair shop" in done.stdout


def test_no_wait_returns_at_once(tmp_path: Path) -> None:
    with serving(Honest) as (api, fake):
        done = run_signed_in(api, tmp_path, "tenants", "deploy", "shop", "--no-wait")
        assert not any(path.startswith("/api/operations") for _, path, _, _ in fake.seen)
    assert "operations watch op_a" in done.stdout


def test_a_broken_event_stream_is_replaced_by_asking(tmp_path: Path) -> None:
    with serving(BreakingOff) as (api, _):
        done = run_signed_in(api, tmp_path, "tenants", "deploy", "shop")
    assert done.returncode == 0, done.stderr


def test_an_api_that_is_started_again_meanwhile_is_waited_for(tmp_path: Path) -> None:
    with serving(Restarting) as (api, _):
        done = run_signed_in(api, tmp_path, "tenants", "deploy", "shop")
    assert done.returncode == 0, done.stderr


def test_a_tenant_that_is_gone_before_its_events_were_asked_for_is_deleted_all_the_same(tmp_path: Path) -> None:
    with serving(Forgetting) as (api, _):
        done = run_signed_in(api, tmp_path, "tenants", "rm", "shop", "--yes")
    assert (done.returncode, done.stdout) == (0, "deleted: the tenant and everything it had are gone\n"), done.stderr


def test_a_failed_operation_is_an_error_with_its_reason_and_what_to_do(tmp_path: Path) -> None:
    with serving(Failing) as (api, _):
        done = run_signed_in(api, tmp_path, "tenants", "deploy", "shop")
    assert done.returncode == 1
    assert "The image of `shop` is not on this host" in done.stderr
    assert "prepare it again" in done.stderr


def test_a_refusal_is_told_without_what_a_terminal_would_obey(tmp_path: Path) -> None:
    with serving(Refusing) as (api, _):
        done = run_signed_in(api, tmp_path, "tenants", "create", "shop")
    assert done.returncode == 1
    assert done.stdout == ""
    assert "There is a tenant `shop`" in done.stderr
    assert "slug: taken" in done.stderr
    assert "\x1b" not in done.stderr


def test_logs_hold_nothing_a_terminal_would_obey(tmp_path: Path) -> None:
    with serving(Honest) as (api, _):
        done = run_signed_in(api, tmp_path, "tenants", "logs", "shop")
    assert done.stdout.splitlines()[0] == "one"
    assert "\x1b" not in done.stdout


def test_an_answer_that_is_none_and_an_api_that_is_none(tmp_path: Path) -> None:
    with serving(Babbling) as (api, _):
        done = run_signed_in(api, tmp_path, "tenants", "list")
    assert (done.returncode, done.stdout) == (1, "")
    assert "500" in done.stderr
    gone = run_signed_in(api, tmp_path, "tenants", "list")
    assert gone.returncode == 1
    assert "zcplatform serve" in gone.stderr
    assert "Traceback" not in done.stderr + gone.stderr


def test_a_delete_wants_the_slug_typed(tmp_path: Path) -> None:
    with serving(Honest) as (api, fake):
        assert run_signed_in(api, tmp_path, "tenants", "rm", "shop", stdin="no\n").returncode == 1
        assert not any(method == "DELETE" for method, _, _, _ in fake.seen)
        assert run_signed_in(api, tmp_path, "tenants", "rm", "shop", "--yes", "--no-wait").returncode == 0


@pytest.mark.parametrize("arguments", [["tenants"], ["nope"], ["tenants", "deploy"], ["tenants", "set", "shop", "--provider", "openai"]])
def test_wrong_usage_is_two(tmp_path: Path, arguments: list[str]) -> None:
    assert run_signed_in("http://127.0.0.1:1", tmp_path, *arguments).returncode == 2


def test_a_name_can_not_lead_to_another_route(tmp_path: Path) -> None:
    with serving(Honest) as (api, fake):
        run_signed_in(api, tmp_path, "tenants", "show", "../images?x#y")
        assert run_signed_in(api, tmp_path, "images", "rm", "../tenants/shop").returncode == 1
        assert run_signed_in(api, tmp_path, "tenants", "rm", "", "--yes").returncode == 1
        asked = [(method, path) for method, path, _, _ in fake.seen]
    assert asked == [("GET", "/api/tenants/..%2Fimages%3Fx%23y")]


def test_json_of_a_log_is_one_object_a_line(tmp_path: Path) -> None:
    with serving(Honest) as (api, _):
        done = run_signed_in(api, tmp_path, "tenants", "logs", "shop", "--json")
    assert [json.loads(line)["line"] for line in done.stdout.splitlines()] == ["one", "\x1b[31mtwo\x1b[0m"]
