"""scripts/venv prints a path that stays, and that leads to the newest environment once that is complete. Live, because it takes its time."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

pytestmark = pytest.mark.live
ROOT = Path(__file__).parents[2]
BACKEND = """
import zipfile
NAME = "zcplatform-0.dist-info"
FILES = {
    "zcplatform.py": "import sys\\ndef main(): print(sys.prefix)\\n",
    f"{NAME}/METADATA": "Metadata-Version: 2.1\\nName: zcplatform\\nVersion: 0\\n",
    f"{NAME}/WHEEL": "Wheel-Version: 1.0\\nGenerator: test\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n",
    f"{NAME}/entry_points.txt": "[console_scripts]\\nzcplatform = zcplatform:main\\n",
}

def build_wheel(directory, config_settings=None, metadata_directory=None):
    with zipfile.ZipFile(f"{directory}/zcplatform-0-py3-none-any.whl", "w") as wheel:
        for name, content in FILES.items():
            wheel.writestr(name, content)
        wheel.writestr(f"{NAME}/RECORD", "".join(f"{name},,\\n" for name in FILES))
    return "zcplatform-0-py3-none-any.whl"
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Scripts of this checkout around a package of one function, and a lock file without requirements."""
    made = tmp_path / "checkout"
    for folder in ("scripts", "requirements", "zcplatform"):
        (made / folder).mkdir(parents=True)
    shutil.copy(ROOT / "scripts" / "venv", made / "scripts")
    (made / "requirements" / "run.txt").write_text("# nothing\n")
    for name in ("README.md", "LICENSE-MIT", "LICENSE-APACHE"):
        (made / name).write_text("")
    (made / "zcplatform" / "backend.py").write_text(BACKEND)
    (made / "pyproject.toml").write_text('[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["zcplatform"]\n')
    return made


def _venv(checkout: Path) -> Path:
    environment = {**os.environ, "ZCP_VENVS": str(checkout.parent / "venvs")}
    done = subprocess.run([checkout / "scripts" / "venv", "run"], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return Path(done.stdout.strip())


def _prefix(program: Path) -> str:
    return subprocess.run([program], env={"PATH": os.environ["PATH"]}, capture_output=True, text=True, check=True).stdout.strip()


def test_a_link_follows_an_upgrade_of_the_lock(checkout: Path, tmp_path: Path) -> None:
    path = _venv(checkout)
    program = tmp_path / "zcplatform"
    program.symlink_to(path / "bin" / "zcplatform")
    first = _prefix(program)
    assert _venv(checkout) == path
    assert _prefix(program) == first

    (checkout / "requirements" / "run.txt").write_text("# nothing yet\n")
    assert _venv(checkout) == path
    second = _prefix(program)
    assert second != first
    assert Path(first).exists(), "what runs from the environment before is kept"

    (checkout / "requirements" / "run.txt").write_text("nosuch-package==1 --hash=sha256:" + "0" * 64 + "\n")
    environment = {**os.environ, "ZCP_VENVS": str(tmp_path / "venvs"), "PIP_NO_INDEX": "1"}
    done = subprocess.run([checkout / "scripts" / "venv", "run"], env=environment, capture_output=True, check=False)
    assert done.returncode != 0
    assert _prefix(program) == second, "an environment that is not complete is not used"
