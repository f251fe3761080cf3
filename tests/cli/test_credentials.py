"""Where the API is and who is calling; a token is sent only to the API it was saved for."""

import json
import socket
import threading
from collections.abc import Iterator
from http.server import ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.cli.running import run, run_signed_in
from tests.fakes.apis import Honest, Moved, Refusing, Website, serving
from zcplatform.cli.main import command
from zcplatform.cli.reference import commands


def _saved(home: Path) -> Path:
    return home / ".config" / "zcplatform" / "login.json"


def test_a_login_is_saved_for_its_user_alone(tmp_path: Path) -> None:
    with serving(Honest) as (api, fake):
        assert "not signed in" in run(tmp_path, "tenants", "list").stderr
        assert run(tmp_path, "login", api, stdin="zcp_typed\n").returncode == 0
        assert run(tmp_path, "tenants", "list").returncode == 0
        assert fake.seen[-1][2]["Authorization"] == "Bearer zcp_typed"
    assert _saved(tmp_path).stat().st_mode & 0o777 == 0o600


def test_a_token_that_is_refused_is_not_saved(tmp_path: Path) -> None:
    with serving(Refusing) as (api, _):
        assert run(tmp_path, "login", api, stdin="zcp_typed\n").returncode == 1
    assert not _saved(tmp_path).exists()


def test_an_empty_token_is_not_even_sent(tmp_path: Path) -> None:
    with serving(Honest) as (api, fake):
        assert run(tmp_path, "login", api, stdin="\n").returncode == 1
    assert fake.seen == []


def test_the_address_may_stand_in_the_environment(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("zcp_secret")
    with serving(Honest) as (api, _):
        done = run(tmp_path, "--token-file", str(token), "tenants", "list", ZCPLATFORM_API=api)
    assert done.returncode == 0, done.stderr


def test_a_saved_token_is_not_sent_to_another_address(tmp_path: Path) -> None:
    with serving(Honest) as (api, _), serving(Honest) as (other, stranger):
        run(tmp_path, "login", api, stdin="zcp_typed\n")
        assert run(tmp_path, "--api", other, "tenants", "list").returncode == 1
        assert run(tmp_path, "tenants", "list", ZCPLATFORM_API=other).returncode == 1
        assert run(tmp_path, "--api", f"{api}/", "tenants", "list").returncode == 0
    assert stranger.seen == []


def test_a_redirect_is_reported_and_not_followed(tmp_path: Path) -> None:
    with serving(Moved) as (api, fake):
        done = run_signed_in(api, tmp_path, "tenants", "list")
    assert done.returncode == 1
    assert "/elsewhere" in done.stderr
    assert len(fake.seen) == 1


@pytest.mark.parametrize("arguments", [("tenants", "list"), ("tenants", "deploy", "shop")])
def test_another_server_is_recognized(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    with serving(Website) as (api, _):
        done = run_signed_in(api, tmp_path, *arguments)
    assert (done.returncode, done.stdout) == (1, "")
    assert "is not a zcplatform API" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("address", ["nonsense", "ftp://example.invalid", "http://", "http://[::"])
def test_an_address_that_is_none_is_a_sentence(tmp_path: Path, address: str) -> None:
    done = run_signed_in(address, tmp_path, "tenants", "list")
    assert done.returncode == 1
    assert "is not the address of an API" in done.stderr


def test_names_below_localhost_need_no_resolver(tmp_path: Path) -> None:
    with serving(Honest) as (api, fake):
        done = run_signed_in(api.replace("127.0.0.1", "panel.zcp-test.localhost"), tmp_path, "tenants", "list")
    assert done.returncode == 0, done.stderr
    assert fake.seen[-1][2]["Host"].startswith("panel.zcp-test.localhost:")


@pytest.fixture
def local(tmp_path: Path) -> Iterator[Path]:
    """An API on a unix socket, and the settings file that says where."""

    class Server(ThreadingHTTPServer):
        address_family = socket.AF_UNIX

        def server_bind(self) -> None:
            self.socket.bind(self.server_address)  # type: ignore[arg-type]

    class Local(Honest):
        def address_string(self) -> str:
            return "local"

    path = tmp_path / "run" / "edge" / "web.sock"
    path.parent.mkdir(parents=True)
    settings = tmp_path / "settings.toml"
    settings.write_text(f'run_dir = "{tmp_path}/run"\n')
    server = Server(str(path), Local)  # type: ignore[arg-type]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield settings
    server.shutdown()
    thread.join()
    server.server_close()


def test_root_with_a_token_finds_the_local_socket(tmp_path: Path, local: Path) -> None:
    token = tmp_path / "token"
    token.write_text("zcp_secret")
    done = run(tmp_path, "--settings", str(local), "--token-file", str(token), "tenants", "list", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)[0]["slug"] == "shop"


def test_no_option_takes_a_secret() -> None:
    """Arguments show in the process table and in the shell's history: a secret comes from a file or a prompt."""

    named = {
        option
        for _, found in commands(command())
        for parameter in found.params
        for option in parameter.opts
        if option.startswith("-") and any(word in option for word in ("key", "token", "secret", "password"))
    }
    assert named - {"--public-key"} == {"--key-file", "--token-file"}
