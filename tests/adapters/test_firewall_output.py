"""The programs of the firewall print the rules of others too, whose comments may be in any encoding."""

from pathlib import Path

from zcplatform.adapters import firewall


async def test_a_comment_that_is_no_utf_8_prevents_nothing(tmp_path: Path) -> None:
    program = tmp_path / "iptables"
    program.write_text("#!/bin/sh\nprintf -- '-A INPUT -m comment --comment K\\374che -j ACCEPT\\n-N ZCPA1B-IN\\n'\n")
    program.chmod(0o755)
    assert (await firewall._run(str(program), "-S")).splitlines()[1:] == ["-N ZCPA1B-IN"]
