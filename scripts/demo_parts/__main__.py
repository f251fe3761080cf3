"""usage: demo_parts up|stop SECONDS-OF-THE-START VENV. The order of things; each is in its own file."""

import contextlib
import fcntl
import os
import pwd
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import agents
import engine
import host
import installation
import processes
import report
from place import FACTS, RUN, STATE, Failed, Memory, give_up, say


def up(begun: int, venv: Path) -> None:
    agent = agents.given_agent()
    memory = Memory()
    memory["venv"], memory["venv_is_ours"] = str(venv), "VENV" not in os.environ
    if missing := installation.missing_users():
        # The platform makes them; remembered before, so that a purge takes away what was not there.
        memory["users_made"] = sorted({*(memory["users_made"] or []), *missing})
    RUN.mkdir(mode=0o711, exist_ok=True)
    socket = engine.find(memory)
    platform = installation.configure(memory, venv, socket, agent)
    platform.start()
    platform.ensure_token()
    choice, image = agents.prepare(platform, agents.choose(platform, agent))
    for slug in agents.SLUGS:
        agents.ensure_tenant(platform, slug, image)
    agents.remember(memory, choice, image)
    agents.forget_old_images(platform, image["id"])
    found = report.facts(platform)
    report.keep(found)
    report.show(platform, found, choice, image, begun)


def stop(begun: int, purge: bool) -> None:
    memory = Memory()
    platform = installation.load(memory, Path())
    if platform is not None:
        processes.stop(memory, installation.PROCESSES, 12)
        platform.venv = installation.find_venv(memory)
        if memory["host_before"] is not None and not engine.answers(engine.SOCKET):
            _revive(memory)
        say(platform.admin("teardown"))
        if purge:
            engine.remove_images(Path(platform.settings["docker_socket"]), installation.INSTANCE)
    host.remove_address(memory)
    engine.stop(memory, platform.settings["subnets"] if platform else None)
    host.remove_folder(RUN)
    Path(f"/run/zcplatform-{installation.INSTANCE}.lock").unlink(missing_ok=True)
    if purge:
        _purge(memory)
        say(f"stopped after {time.time() - begun:.0f} s; nothing is left")
    else:
        say(
            f"stopped after {time.time() - begun:.0f} s. Data stays in {STATE}: scripts/demo continues with it, PURGE=1 scripts/demo stop removes it"
        )


def _revive(memory: Memory) -> None:
    """An engine that died cannot remove its containers and networks. If it does not restart, what it left is removed without it."""
    try:
        engine.start(memory)
    except Failed as failed:
        say(f"{failed} Going on without it.")


def _purge(memory: Memory) -> None:
    for name in memory["users_made"] or []:
        with contextlib.suppress(KeyError):
            pwd.getpwnam(name)
            done = subprocess.run(["userdel", name], capture_output=True, text=True, check=False)
            if done.returncode != 0:
                say(f"user {name} stays: {done.stderr.strip()}")
    if memory["venv_is_ours"]:
        for link in Path(memory["venv"]).parent.glob("current-*"):
            if link.readlink() == Path(memory["venv"]):
                link.unlink()
        shutil.rmtree(memory["venv"], ignore_errors=True)
    shutil.rmtree(FACTS, ignore_errors=True)
    host.remove_folder(STATE)


@contextlib.contextmanager
def alone() -> Iterator[None]:
    """Two runs for one checkout would undo each other's work."""
    STATE.mkdir(mode=0o711, parents=True, exist_ok=True)
    STATE.chmod(0o711)
    with (STATE / "demo.lock").open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Failed("Another scripts/demo of this checkout is at work; wait for it.") from None
        yield


def main(verb: str, begun: int, venv: str) -> None:
    if verb == "stop" and not STATE.exists():
        say("nothing to stop: the demo of this checkout has not run")
        return
    with alone():
        if verb == "up":
            up(begun, Path(venv))
        else:
            stop(begun, os.environ.get("PURGE", "") not in ("", "0"))


if __name__ == "__main__":
    try:
        main(sys.argv[1], int(sys.argv[2]), sys.argv[3])
    except Failed as failed:
        give_up(failed)
    except KeyboardInterrupt:
        sys.stderr.write("\nscripts/demo: interrupted; run it again to go on, or scripts/demo stop\n")
        sys.exit(130)
