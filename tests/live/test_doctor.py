"""The doctor on a host that runs: as root nothing is wrong, as an ordinary user nothing is invented, and certificates are read as the edge reads them."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.live.edge_rig import open_folder
from tests.live.engine import Engine
from zcplatform.adapters import certificates
from zcplatform.adapters.facts import facts
from zcplatform.adapters.users import ensure_user
from zcplatform.core.doctor import Finding, Level, findings
from zcplatform.settings import Settings

pytestmark = pytest.mark.live

NOBODY = 65_534
LOOK = """
import json, sys
from zcplatform.adapters.facts import facts
from zcplatform.core.doctor import findings
from zcplatform.settings import Settings
found = findings(facts(Settings(**json.loads(sys.argv[1])), None))
print(json.dumps([[str(each.level), each.subject] for each in found]))
"""


def _look(settings: dict[str, Any], uid: int) -> dict[str, str]:
    """Levels by subject, as this user sees them."""
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    command = [sys.executable, "-c", LOOK, json.dumps(settings)]
    done = subprocess.run(command, user=uid, group=uid, extra_groups=[], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return {subject: level for level, subject in json.loads(done.stdout)}


def _found(settings: Settings, subject: str) -> list[Finding]:
    return [each for each in findings(facts(settings, None)) if each.subject == subject]


def test_an_ordinary_user_is_told_that_root_is_needed(engine: Engine) -> None:
    """D4: no port is called taken, no interpreter closed, no engine silent."""
    with open_folder() as folder:
        settings = {"docker_socket": str(engine.socket), "run_dir": str(folder / "run"), "data_dir": str(folder / "data")}
        engine.root.chmod(0o711)
        try:
            root, somebody = _look(settings, 0), _look(settings, NOBODY)
        finally:
            engine.root.chmod(0o700)
    assert root["engine"] == root["ports"] == "ok"
    problems = {subject for subject, level in somebody.items() if level == "problem"}
    assert problems <= {subject for subject, level in root.items() if level == "problem"}
    assert {subject for subject, level in somebody.items() if level == "unknown"} >= {"engine", "web_user"}


def test_a_network_inside_the_pool_is_named() -> None:
    """F11."""
    for command in ("link add inner0 type bridge", "link set inner0 up", "address add 10.97.5.1/24 dev inner0"):
        subprocess.run(["ip", *command.split()], check=True)
    try:
        (found,) = _found(Settings(subnets="10.97.0.0/16"), "subnets")
        assert (found.level, "10.97.5.0/24 on inner0" in found.sentence) == (Level.PROBLEM, True)
        assert _found(Settings(subnets="10.96.0.0/16"), "subnets")[0].level is Level.OK
    finally:
        subprocess.run(["ip", "link", "delete", "inner0"], check=True)


def _certificate(folder: Path, name: str, days: int) -> tuple[Path, Path]:
    certificate, key = folder / f"{name}.pem", folder / f"{name}.key"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=*.example.test"]
    subprocess.run([*command, "-days", str(days), "-keyout", str(key), "-out", str(certificate)], check=True, capture_output=True)
    return certificate, key


def test_certificate_files_are_read_as_the_edge_reads_them() -> None:
    """D2: missing, unreadable and unfit files are named; the end of the certificate is shown."""
    with open_folder() as folder:
        certificate, key = _certificate(folder, "one", 60)
        other, _ = _certificate(folder, "other", 3)
        gid = ensure_user(Settings().edge_user).pw_gid

        def trouble(certificate: Path, key: Path) -> str:
            return certificates.trouble(Settings(domain="example.test", tls="files", tls_certificate=certificate, tls_key=key))

        assert "does not exist" in trouble(folder / "none.pem", key)
        assert "cannot read `tls_key`" in trouble(certificate, key)
        os.chown(key, 0, gid)
        key.chmod(0o640)
        assert trouble(certificate, key) == ""
        assert "do not match" in trouble(other, key)
        assert "do not match" in trouble(key, key)
        folder.chmod(0o700)
        assert "cannot read `tls_certificate`" in trouble(certificate, key)
        folder.chmod(0o755)
        for path, level in ((certificate, Level.OK), (other, Level.PROBLEM)):
            settings = Settings(domain="example.test", tls="files", tls_certificate=path, tls_key=key)
            assert _found(settings, "certificate")[0].level is level
