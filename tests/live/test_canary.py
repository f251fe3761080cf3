"""A secret over a tenant's whole life: it is nowhere that outlives it, in no form. All state is on a disk of the test's own, read raw at the end."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from secrets import token_hex

import pytest
from nacl.exceptions import CryptoError
from nacl.public import PrivateKey, SealedBox

from tests.live import canaries, invariants
from tests.live.engine import Engine
from tests.live.platform import Platform
from tests.live.waiting import wait_until
from zcplatform.store import secrets
from zcplatform.store.db import Tx
from zcplatform.vault import keys, opening
from zcplatform.vault.keys import Keys
from zcplatform.vault.opening import CannotOpen
from zcplatform.vault.sealing import SecretBinding, seal
from zcplatform.worker.secrets import binding_of

pytestmark = pytest.mark.live
DISK_BYTES = 3 << 30


class Disk:
    """An ext4 file system in a file, mounted by a loop device in our own mount namespace."""

    def __init__(self, image: Path) -> None:
        """The mount's path is short: sockets are below it."""
        self.image, self.mount = image, Path(tempfile.mkdtemp(prefix="d", dir=os.environ.get("ZCP_TEST_DIR", "/var/tmp")))
        with self.image.open("wb") as file:
            file.truncate(DISK_BYTES)
        subprocess.run(["mkfs.ext4", "-q", "-E", "lazy_itable_init=1,lazy_journal_init=1,nodiscard", str(self.image)], check=True)
        subprocess.run(["mount", "-o", "loop,nodiscard", str(self.image), str(self.mount)], check=True)
        self.mount.chmod(0o711)

    def found(self, values: dict[str, str]) -> set[str]:
        """In the image itself, journal and freed blocks too, with everything written and nothing moving."""
        subprocess.run(["fsfreeze", "--freeze", str(self.mount)], check=True)
        try:
            return canaries.found_in_file(self.image, values)
        finally:
            subprocess.run(["fsfreeze", "--unfreeze", str(self.mount)], check=True)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    made = Disk(tmp_path / "disk.img")
    try:
        yield made
    finally:
        subprocess.run(["umount", "-l", str(made.mount)], check=False, capture_output=True)


def _provider(platform: Platform, value: str) -> dict[str, str]:
    return {**platform.provider(), "api_key": value}


def _answers(platform: Platform, slug: str) -> bytes:
    """Everything the API reports about a tenant."""
    told = [f"/api/tenants/{slug}{path}" for path in ("", "/operations", "/revisions", "/audit", "/logs?tail=200", "/members")]
    told += ["/api/tenants", "/api/audit?limit=200", "/api/audit?format=ndjson", "/api/images", "/api/openapi.json"]
    with platform.client() as client:
        return b"\n".join(client.get(path).content for path in told)


def _refused(platform: Platform, value: str) -> bytes:
    """The secret where it does not belong: wrong types, too long, no JSON, unknown fields, paths, headers."""
    good = _provider(platform, value)
    bodies = [
        {"slug": "wrong", "provider": {**good, "api_key": [value]}},
        {"slug": "wrong", "provider": {**good, "api_key": value * 300}},
        {"slug": "wrong", "provider": {**good, "extra": value}},
        {"slug": value, "provider": good},
        {"slug": "wrong", "provider": {**good, "base_url": value}},
        {"slug": "wrong", "provider": value},
    ]
    with platform.client() as client:
        answers = [client.post("/api/tenants", json=body) for body in bodies]
        answers.append(
            client.post("/api/tenants", content=b'{"provider": "' + value.encode(), headers={"Content-Type": "application/json"})
        )
        answers.append(client.post("/api/tenants", content=value, headers={"Content-Type": "text/plain"}))
    assert all(400 <= answer.status_code < 500 for answer in answers)
    return b"\n".join(answer.content for answer in answers)


def _rotate(platform: Platform) -> None:
    platform.stop_serve()
    command = [
        sys.executable,
        "-I",
        "-m",
        "zcplatform",
        "--settings",
        str(platform.settings_path),
        "admin",
        "rotate-key",
        "--deep",
        "--json",
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout)["secrets"] >= 1
    platform.start_serve()


def test_no_secret_is_left_anywhere_over_a_whole_life(disk: Disk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZCP_TEST_DIR", str(disk.mount))
    control = {"control": canaries.canary(), "erased control": canaries.canary()}
    values = {"first key": canaries.canary(), "second key": canaries.canary()}
    engine = Engine("--live-restore", "--userland-proxy=false")
    engine.start()
    platform = Platform(engine, "canary", log_level="DEBUG")
    trees = [platform.root, engine.root]
    try:
        platform.start()
        platform.make_image()
        platform.create("bird", provider=_provider(platform, values["first key"]))
        platform.do("bird", "deploy")
        bearer = platform.pair("bird")
        assert "hello" in platform.talk("bird", bearer)
        changed = platform.api("PATCH", "/api/tenants/bird", {"provider": _provider(platform, values["second key"])})
        assert changed.status in (200, 202), changed
        platform.wait_state("bird", "running")
        assert "again" in platform.talk("bird", bearer, "again")

        answers = _refused(platform, values["first key"]) + _answers(platform, "bird")
        assert canaries.found_in(answers, values) == set()
        inspected = "".join(platform.docker(*words) for words in (("inspect", platform.names.container("bird")), ("system", "info")))
        images = platform.docker("images", "-q").split()
        inspected += "".join(platform.docker("history", "--no-trunc", image) + platform.docker("inspect", image) for image in images)
        inspected += platform.docker("logs", platform.names.container("bird"))
        assert canaries.found_in(inspected.encode(), values) == set()
        assert canaries.found_in_processes(values) == set()
        assert canaries.found_in_trees(trees, values) == set()

        platform.kill_serve()
        assert canaries.found_in_trees([platform.settings.data_dir], values) == set()
        platform.start_serve()
        _rotate(platform)
        assert "still" in platform.talk("bird", bearer, "still")
        assert canaries.found_in_trees(trees, values) == set()
        platform.do("bird", "delete")
        invariants.check(platform)
        assert canaries.found_in_trees(trees, values) == set()
        assert (platform.root / "serve.log").read_bytes().count(b"the platform runs") == 3, "the log that was searched is the whole log"
    finally:
        platform.close()
        engine.close()
    for name, value in control.items():
        (disk.mount / name.replace(" ", "-")).write_bytes(b"\n".join(canaries.forms(value).values()))
    os.sync()
    (disk.mount / "erased-control").unlink()
    os.sync()
    assert disk.found({**values, **control}) == {f"{name} as {form}" for name in control for form in canaries.forms("x")}, (
        "the controls, and nothing else"
    )


def test_the_web_process_can_not_recover_a_secret(platform: Platform) -> None:
    """After a restart, with all it can open: its memory, the database, the keys it was handed, the worker's socket."""
    value = canaries.canary()
    tenant_id = platform.create("sealed", provider=_provider(platform, value))
    with platform.database() as database:

        def is_kept() -> bool:
            return all(row.box is None for row in database.read(lambda tx: secrets.of_tenant(tx, tenant_id)))  # type: ignore[arg-type]

        wait_until(is_kept, 15, "the worker has moved the key into the vault")
    before = platform.web_pid()
    os.kill(before, 9)

    def is_back() -> bool:
        try:
            return platform.web_pid() != before and platform.is_ready()
        except AssertionError:
            return False

    wait_until(is_back, 15, "the web process is back")
    for path in ("", "/operations", "/revisions", "/audit"):
        assert platform.api("GET", f"/api/tenants/sealed{path}").status == 200
    root = keys.load(platform.settings.key_file)
    made = Keys.of(root)
    with platform.database() as database:
        held = database.read(lambda tx: _held(tx, tenant_id, made))
    data_key, rows = held
    memory = b"\0".join(canaries.memory(platform.web_pid()))
    assert made.token_pepper in memory, "the scan sees what the process holds"
    assert canaries.found_in(memory, {"key": value}) == set()
    for name, key in {"root": root, "wrap": made.wrap, "seal": bytes(made.seal_private), "data": data_key}.items():
        assert key not in memory, name
        assert key.hex().encode() not in memory, name
    handed = [made.token_pepper, made.code_mac, made.seal_public, made.signing_key(1), bytes(32)]
    for key in handed:
        for wrapped, ciphertext, place, old_box in rows:
            with pytest.raises(CannotOpen):
                opening.unwrap(key, tenant_id, wrapped)
            with pytest.raises(CannotOpen):
                opening.decrypt(key, place, ciphertext)
            with pytest.raises(CryptoError):
                SealedBox(PrivateKey(key)).decrypt(old_box)
    platform.do("sealed", "delete")


def _held(tx: Tx, tenant_id: str, made: Keys) -> tuple[bytes, list[tuple[bytes, bytes, SecretBinding, bytes]]]:
    """The data key in clear, and all that the database has of the secrets, with a box as it was stored then."""
    wrapped = dict(secrets.data_keys(tx))[tenant_id]  # type: ignore[index]
    rows = [row for row in secrets.of_tenant(tx, tenant_id) if row.ciphertext is not None]  # type: ignore[arg-type]
    assert rows
    boxed = [(wrapped, row.ciphertext or b"", binding_of(row), _box(made, binding_of(row))) for row in rows]
    return opening.unwrap(made.wrap, tenant_id, wrapped), boxed


def _box(made: Keys, place: SecretBinding) -> bytes:
    return seal(made.seal_public, place, token_hex(8))
