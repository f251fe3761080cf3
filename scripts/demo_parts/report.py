"""What a run ends with: facts for programs in .demo/facts.json, and the same for people."""

import json
import os
import shlex
import subprocess
import time
from typing import Any

from agents import SLUGS, Choice, ensure_bearer, tenant
from installation import SETTINGS, TOKEN, Installation
from place import FACTS, Failed, log, say, write


def facts(platform: Installation) -> dict[str, Any]:
    """With a fresh pairing code for each tenant, which ends the one before."""
    tenants = []
    for slug in SLUGS:
        bearer = ensure_bearer(platform, slug)
        code = platform.cli_json("tenants", "pair", slug)
        now = tenant(platform, slug).json()
        tenants.append(
            {
                "slug": slug,
                "url": now["url"],
                "state": now["state"],
                "bearer": bearer,
                "pairing_code": code["code"],
                "pairing_expires_at": code["expires_at"],
            }
        )
    return {"api_url": platform.api_url, "token": platform.token(), "tenants": tenants}


def keep(found: dict[str, Any]) -> None:
    FACTS.mkdir(mode=0o700, exist_ok=True)
    FACTS.chmod(0o700)
    write(FACTS / "facts.json", json.dumps(found, indent=2) + "\n")
    for each in found["tenants"]:
        write(FACTS / f"{each['slug']}.headers", f"Authorization: Bearer {each['bearer']}\nContent-Type: application/json\n")


def curl(url: str, slug: str) -> list[str]:
    """The bearer is read from a file: an argument could be seen by everybody on this host."""
    return ["curl", "-sS", "-H", f"@{FACTS / f'{slug}.headers'}", "-d", '{"message": "hello"}', f"{url.rstrip('/')}/webhook"]


def command_line(platform: Installation) -> list[str]:
    """The command line, signed in to this platform; the settings are for what it does on the host, such as doctor."""
    program = str(platform.venv / "bin" / "zcplatform")
    return [program, "--api", platform.api_url, "--token-file", str(TOKEN), "--settings", str(SETTINGS)]


def show(platform: Installation, found: dict[str, Any], choice: Choice, image: dict[str, Any], begun: int) -> None:
    first = found["tenants"][0]
    command = curl(first["url"], first["slug"])
    done = subprocess.run([*command, "-w", "\n%{http_code}"], capture_output=True, text=True, check=False)
    answer, _, status = done.stdout.rpartition("\n")
    if status != "200":
        raise Failed(f"`{shlex.join(command)}` gets no answer: {status} {answer} {done.stderr.strip()}", log("serve"))
    say()
    say(f"API       {found['api_url']}   (token in {FACTS / 'facts.json'})")
    for each in found["tenants"]:
        say(f"{each['slug']:<9} {each['url']}   pairing code {each['pairing_code']}, good until {each['pairing_expires_at']}")
    version = f", version {image['agent_version']}" if image["agent_version"] else ""
    say(f"agent     {image['reference']}{version}: {choice.why}")
    say()
    sudo = "sudo " if os.environ.get("SUDO_USER") else ""
    say("Send a message to an agent, through Caddy:")
    say(f"  {sudo}{shlex.join(command)}")
    say(f"  {answer.strip()}")
    say()
    say("Use the command line:")
    say(f"  alias zc={shlex.quote(sudo + shlex.join(command_line(platform)))}")
    say(f"  zc tenants list; zc tenants say {first['slug']} hello")
    say()
    say(f"Everything runs, after {time.time() - begun:.0f} s. Stop it with: scripts/demo stop")
