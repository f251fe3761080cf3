"""Tables: nothing in them is ever broken or cut, on a terminal of any width, in a pipe, and with any character set."""

import os
import struct
import subprocess
import sys
from fcntl import ioctl
from pathlib import Path
from pty import openpty
from termios import TIOCSWINSZ

import pytest

from tests.cli.running import environment, run_signed_in
from tests.fakes.apis import TENANT, Honest, serving
from tests.forked import LIMIT_S
from zcplatform.cli import output

LONG = "http://a-tenant-with-a-long-name.agents.a-domain-with-a-long-name.example.com/"
REASON = "restarting: " + "the provider did not answer " * 12


class Wordy(Honest):
    """Its tenant has a long address and a long reason."""

    def handle_any(self) -> None:
        tenant = {**TENANT, "url": LONG, "reason": REASON, "name": "食べる"}
        self.answer(200, {"items": [tenant], "next_cursor": None} if self.path.partition("?")[0] == "/api/tenants" else tenant)

    do_GET = do_POST = do_DELETE = do_PATCH = handle_any  # noqa: N815


def _on_terminal(tmp_path: Path, columns: int, **more: str) -> str:
    ours, theirs = openpty()
    ioctl(ours, TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    (tmp_path / "token").write_text("zcp_secret")
    with serving(Wordy) as (api, _):
        command = [sys.executable, "-m", "zcplatform", "tenants", "list", "--api", api, "--token-file", str(tmp_path / "token")]
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=theirs, env=environment(tmp_path, TERM="xterm", **more))
        os.close(theirs)
        drawn = b""
        try:
            while part := os.read(ours, 4096):
                drawn += part
        except OSError:
            pass
        assert process.wait(LIMIT_S) == 0
    os.close(ours)
    return drawn.decode().replace("\r\n", "\n")


@pytest.mark.parametrize("columns", [20, 80, 200])
def test_a_terminal_that_is_too_narrow_gets_blocks_with_whole_values(tmp_path: Path, columns: int) -> None:
    drawn = _on_terminal(tmp_path, columns, NO_COLOR="1")
    lines = drawn.splitlines()
    assert f"URL     {LONG}" in lines
    assert f"REASON  {REASON}".rstrip() in lines


def test_a_wide_terminal_gets_one_line_for_each_row(tmp_path: Path) -> None:
    lines = _on_terminal(tmp_path, 900).splitlines()
    assert len(lines) == 2
    assert LONG in lines[1]
    assert "\x1b[32mrunning\x1b[0m" in lines[1]


def test_a_pipe_gets_whole_lines_without_colours(tmp_path: Path) -> None:
    with serving(Wordy) as (api, _):
        lines = run_signed_in(api, tmp_path, "tenants", "list").stdout.splitlines()
    assert len(lines) == 2
    assert LONG in lines[1]
    assert "\x1b" not in "".join(lines)


def test_columns_line_up_with_wide_characters_and_empty_ones_are_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    output.print_table(("A", "NONE", "B"), [("食べる", "", "1"), ("x", None, "2")], "nothing")
    assert capsys.readouterr().out == "A       B\n食べる  1\nx       2\n"


@pytest.mark.parametrize("encoding", ["latin-1", "ascii"])
def test_a_terminal_with_few_characters_gets_others_and_no_traceback(tmp_path: Path, encoding: str) -> None:
    with serving(Wordy) as (api, _):
        (tmp_path / "token").write_text("zcp_secret")
        for arguments in (("tenants", "list"), ("tenants", "show", "shop"), ("tenants", "list", "--reason", "ü"), ("--help",), ("doctor",)):
            more = ("--api", api, "--token-file", str(tmp_path / "token")) if arguments[0] == "tenants" else ()
            command = [sys.executable, "-m", "zcplatform", *arguments, *more]
            done = subprocess.run(command, env=environment(tmp_path, PYTHONIOENCODING=encoding), capture_output=True, check=False)
            assert b"Traceback" not in done.stderr, arguments
            done.stdout.decode(encoding)
