"""Commands that talk to a running agent."""

import json
from pathlib import Path

from tests.cli.running import run_signed_in
from tests.fakes.apis import Honest, Refusing, serving


def test_something_is_said_and_the_answer_printed_without_what_a_terminal_would_obey(tmp_path: Path) -> None:
    with serving(Honest) as (api, fake):
        done = run_signed_in(api, tmp_path, "tenants", "say", "shop", "hello")
        piped = run_signed_in(api, tmp_path, "tenants", "say", "shop", "-", stdin="from a pipe\n")
        sent = [json.loads(body) for _, path, _, body in fake.seen if path.endswith("/messages")]
    assert done.stdout == piped.stdout
    assert done.stdout.splitlines()[0] == "echo: hello"
    assert done.stdout.splitlines()[1].startswith("·[31mred ")
    assert sent == [{"text": "hello"}, {"text": "from a pipe\n"}]


def test_a_pairing_code_is_shown_with_its_address_and_drawn_when_asked(tmp_path: Path) -> None:
    with serving(Honest) as (api, _):
        plain = run_signed_in(api, tmp_path, "tenants", "pair", "shop")
        drawn = run_signed_in(api, tmp_path, "tenants", "pair", "shop", "--qr")
        told = run_signed_in(api, tmp_path, "tenants", "pair", "shop", "--json")
    assert "Abc123" in plain.stdout
    assert "http://shop.localhost/" in plain.stdout
    assert len(drawn.stdout.splitlines()) > len(plain.stdout.splitlines()) + 10
    assert json.loads(told.stdout)["code"] == "Abc123"


def test_a_provider_test_ends_with_0_only_when_it_works(tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_text("sk-file\n")
    with serving(Honest) as (api, fake):
        saved = run_signed_in(api, tmp_path, "tenants", "test-provider", "shop")
        tried = run_signed_in(
            api, tmp_path, "tenants", "test-provider", "shop", "--provider", "openai", "--model", "m", "--key-file", str(key)
        )
        bodies = [body for _, path, _, body in fake.seen if path == "/api/tenants/shop/providers/main/test"]
    assert (saved.returncode, tried.returncode) == (0, 1)
    assert saved.stdout == "custom at llm.example:443: works: it took the key and answered\n"
    assert bodies[0] == b""
    assert json.loads(bodies[1]) == {"family": "openai", "model": "m", "api_key": "sk-file"}
    assert "sk-file" not in tried.stdout + tried.stderr


def test_channels_are_listed_with_why(tmp_path: Path) -> None:
    with serving(Honest) as (api, _):
        done = run_signed_in(api, tmp_path, "tenants", "channel-health", "shop")
    assert "Connection refused·" in done.stdout
    assert "not in this image" in done.stdout


def test_devices_are_listed_revoked_and_reset(tmp_path: Path) -> None:
    with serving(Honest) as (api, fake):
        listed = run_signed_in(api, tmp_path, "devices", "list", "shop")
        revoked = run_signed_in(api, tmp_path, "devices", "revoke", "shop", "a-1")
        kept = run_signed_in(api, tmp_path, "devices", "reset", "shop", stdin="n\n")
        reset = run_signed_in(api, tmp_path, "devices", "reset", "shop", "--yes")
        deleted = [path for method, path, _, _ in fake.seen if method == "DELETE"]
    assert "Phone" in listed.stdout
    assert "(the platform itself)" in listed.stdout
    assert (revoked.stdout, reset.stdout) == ("revoked\n", "no device is paired; the agent restarts\n")
    assert kept.returncode == 1
    assert deleted == ["/api/tenants/shop/devices/a-1", "/api/tenants/shop/devices"]


def test_a_refusal_is_told(tmp_path: Path) -> None:
    with serving(Refusing) as (api, _):
        done = run_signed_in(api, tmp_path, "tenants", "say", "shop", "hello")
    assert (done.returncode, done.stdout) == (1, "")
    assert "choose another" in done.stderr
