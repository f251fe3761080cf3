"""Which agent the tenants run, the tenants themselves, and a paired device for each."""

import contextlib
import os
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import engine
from installation import Answer, Installation
from place import STATE, Failed, Memory, log, say, wait, write

OFFICIAL = "ghcr.io/zeroclaw-labs/zeroclaw:v0.8.7"
SLUGS = ("alpha", "beta")
KEY_FILE = STATE / "model.key"
RUNNING_S = 60


@dataclass(frozen=True)
class Choice:
    """`made_from` distinguishes different contents under the same name."""

    source: str
    name: str
    made_from: str
    why: str


def given_agent() -> Path | None:
    """The program in AGENT."""
    named = os.environ.get("AGENT")
    if not named:
        return None
    path = Path(named).resolve()
    if not path.is_file() or not os.access(path, os.X_OK):
        raise Failed(f"AGENT={named} is not a program.")
    return path


def choose(platform: Installation, agent: Path | None) -> Choice:
    if agent is not None:
        seen = agent.stat()
        return Choice("build", str(agent), f"{platform.stamp} {seen.st_size} {seen.st_mtime_ns}", "the program in AGENT")
    if _registry_answers():
        return Choice("pull", OFFICIAL, OFFICIAL, "the official image; its registry can be reached")
    return _demo(platform, "the demo agent, because ghcr.io cannot be reached from here")


def _demo(platform: Installation, why: str) -> Choice:
    return Choice("demo", "", platform.stamp, f"{why} (AGENT=path/to/zeroclaw runs the real one)")


def _registry_answers() -> bool:
    command = ["curl", "-s", "-o", os.devnull, "--max-time", "5", "https://ghcr.io/v2/"]
    return subprocess.run(command, check=False).returncode == 0


def prepare(platform: Installation, choice: Choice) -> tuple[Choice, dict[str, Any]]:
    """The image of the last run is taken again when it is made from the same and still there."""
    say(f"agent: {choice.why}")
    known = platform.memory["image"] or {"id": None}
    image = _image(platform, known["id"])
    if image is not None and known["made_from"] == [choice.source, choice.name, choice.made_from] and _is_there(platform, image):
        say(f"image {image['reference']} is there already")
        return choice, image
    arguments = {"build": ["--zeroclaw", choice.name], "pull": [choice.name], "demo": []}[choice.source]
    try:
        platform.cli("images", choice.source, *arguments, "--default")
    except Failed:
        if choice.source != "pull":
            raise
        return prepare(platform, _demo(platform, "the demo agent, because the official image could not be pulled"))
    image = next(item for item in platform.api("/api/images").json()["items"] if item["is_default"])
    return choice, image


def remember(memory: Memory, choice: Choice, image: dict[str, Any]) -> None:
    """Once all run with it: an image that was good for nothing is made again."""
    memory["image"] = {"id": image["id"], "made_from": [choice.source, choice.name, choice.made_from]}


def _image(platform: Installation, image_id: str | None) -> dict[str, Any] | None:
    items: list[dict[str, Any]] = platform.api("/api/images").json()["items"]
    return next((item for item in items if item["id"] == image_id and item["status"] == "ready" and item["is_default"]), None)


def _is_there(platform: Installation, image: dict[str, Any]) -> bool:
    return engine.has_image(Path(platform.settings["docker_socket"]), image["image_id"])


def forget_old_images(platform: Installation, kept: str) -> None:
    used = {tenant["image"]["id"] for tenant in platform.api("/api/tenants?limit=200").json()["items"] if tenant["image"]}
    for item in platform.api("/api/images").json()["items"]:
        if item["id"] not in {kept, *used} and item["status"] not in ("removing", "removed"):
            platform.cli_json("images", "rm", item["id"])


# ---- tenants


def tenant(platform: Installation, slug: str) -> Answer:
    return platform.api(f"/api/tenants/{slug}")


def ensure_tenant(platform: Installation, slug: str, image: dict[str, Any]) -> None:
    """Created, of this image, and running."""
    base_url = f"http://{platform.settings['allowed_hosts'][0]}/v1"
    if not KEY_FILE.exists():
        write(KEY_FILE, "sk-echo-needs-no-key\n")
    provider = ["--provider", "custom", "--model", "echo", "--base-url", base_url, "--key-file", str(KEY_FILE)]
    found = tenant(platform, slug)
    if found.status == 404:
        say(f"creating {slug}")
        try:
            platform.cli("tenants", "create", slug, *provider)
        except Failed as failed:
            raise Failed(f"{failed} (If it was deleted, its name rests: PURGE=1 scripts/demo stop starts afresh.)", failed.log) from None
    elif found.status != 200:
        raise Failed(f"The API answers {found.status} to a request for {slug}.", log("serve"))
    else:
        _change(platform, slug, found.json(), base_url, provider, image)
    _run(platform, slug)


def _change(platform: Installation, slug: str, now: dict[str, Any], base_url: str, provider: list[str], image: dict[str, Any]) -> None:
    wanted: list[str] = []
    if now["image"] is not None and now["image"]["id"] != image["id"]:
        wanted += ["--image", image["id"]]
    if not now["provider"] or now["provider"]["base_url"] != base_url:
        wanted += provider
    if wanted:
        say(f"moving {slug} to {image['reference']}" if "--image" in wanted else f"telling {slug} where the model is now")
        platform.cli("tenants", "set", slug, *wanted)


def _run(platform: Installation, slug: str) -> None:
    now = tenant(platform, slug).json()
    if now["wanted"] == "running" and now["state"] not in ("failed", "crash_loop"):
        if now["state"] != "running":
            say(f"{slug} is {now['state']}; waiting for it")
        if wait(lambda: tenant(platform, slug).json().get("state") == "running", RUNNING_S):
            say(f"{slug} is running")
            return
    say(f"deploying {slug}")
    try:
        platform.cli("tenants", "deploy", slug)
    except Failed as failed:
        _show_agent_log(platform, slug)
        raise Failed(f"{slug} could not be deployed.", failed.log) from None
    now = tenant(platform, slug).json()
    if now["state"] != "running":
        raise Failed(f"{slug} is {now['state']}: {now['reason']}", log("serve"))


def _show_agent_log(platform: Installation, slug: str) -> None:
    say(f"The last lines of the agent of {slug}:")
    with contextlib.suppress(Failed):
        platform.cli("tenants", "logs", slug, "--tail", "15")


# ---- people and their devices


def talk(platform: Installation, slug: str, bearer: str, message: str) -> Answer:
    """Through Caddy to the agent, from there to the model."""
    headers = {"Authorization": f"Bearer {bearer}"}
    return platform.visit(f"{slug}.localhost", "/webhook", "POST", headers, {"message": message}, 60)


def ensure_bearer(platform: Installation, slug: str) -> str:
    """The device of an earlier run when the agent still knows it."""
    bearer = (platform.memory["bearers"] or {}).get(slug)
    if bearer and _is_known(platform, slug, bearer):
        return str(bearer)
    code = platform.cli_json("tenants", "pair", slug)["code"]
    answer = platform.visit(f"{slug}.localhost", "/pair", "POST", {"X-Pairing-Code": code})
    if answer.status != 200:
        raise Failed(f"{slug} does not pair a device: {answer.status} {answer.body[:200]!r}", log("serve"))
    bearer = answer.json()["token"]
    platform.memory.put("bearers", slug, bearer)
    if not _is_known(platform, slug, bearer):
        raise Failed(f"{slug} refuses the device that it just paired.", log("serve"))
    say(f"paired a device with {slug}")
    return str(bearer)


def _is_known(platform: Installation, slug: str, bearer: str) -> bool:
    """Retries while the route or the agent is not up yet."""
    end = time.monotonic() + 20
    while True:
        answer = talk(platform, slug, bearer, "hello")
        if answer.status == 200:
            return True
        if answer.status in (401, 403):
            return False
        if time.monotonic() > end:
            raise Failed(f"{slug} does not answer: {answer.status} {answer.body[:200]!r}", log("serve"))
        time.sleep(0.3)
