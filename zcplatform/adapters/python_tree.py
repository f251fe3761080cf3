"""Add the running interpreter, and the byte-compiled modules that the demo agent needs, to an image.

A distribution's interpreter and a self-built one result in the same layout: the program in /usr/bin, the library in /usr. Sources are left out
and compiled files are never checked against them, so the image starts fast and is identical each time it is built.
"""

import importlib.util
import os
import shutil
import stat
import subprocess
import sys
import sysconfig
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from zcplatform.adapters.image_tree import Tree
from zcplatform.errors import BadInput

PACKAGES = "usr/lib/demo-agent"
COMPILE_S = 120.0
_OWN = ("__init__.py", "agent/__init__.py", "agent/sealed.py")
_LEFT_OUT = frozenset(
    (
        "__pycache__", "curses", "dbm", "dist-packages", "distutils", "ensurepip", "idlelib", "lib2to3", "pydoc_data", "site-packages",
        "sqlite3", "test", "tests", "tkinter", "turtledemo", "unittest", "venv",
    )
)  # fmt: skip
_EXTENSIONS_LEFT_OUT = (
    "_ctypes_test", "_curses", "_dbm", "_gdbm", "_sqlite3", "_test", "_tkinter", "_xx", "nis", "ossaudiodev", "readline", "xx",
)  # fmt: skip


@dataclass(frozen=True)
class Python:
    environment: dict[str, str]
    binaries: list[Path]
    """Files whose shared libraries are needed too."""


def add(tree: Tree, work: Path, launcher: str) -> Python:
    """Add everything to the tree. `work` is an empty folder that must exist until the tree is written."""
    interpreter = Path(sys.executable).resolve()
    name = f"python{sys.version_info.major}.{sys.version_info.minor}"
    library = f"usr/{sys.platlibdir}/{name}"
    _copy_sources(Path(sysconfig.get_path("stdlib")), work / library)
    for package in ("nacl", "websockets"):
        _copy_sources(_found(package).parent, work / PACKAGES / package)
    own = Path(__file__).parent.parent
    for path in [*map(own.joinpath, _OWN), *(own / "demo_agent").glob("*.py"), own / "demo_agent/channel_fields.txt"]:
        _copy(path, work / PACKAGES / "zcplatform" / path.relative_to(own))
    compile_all(interpreter, work)
    backend = _found("_cffi_backend")
    tree.folder("usr", work / "usr")
    tree.file(f"{PACKAGES}/{backend.name}", backend, 0o755)
    tree.file(f"usr/bin/{name}", interpreter, 0o755)
    # -S and -s: no site packages; -P: nothing is imported from the launcher's folder; -B: nothing is written.
    start = "import sys\nfrom zcplatform.demo_agent.__main__ import main\nsys.exit(main(sys.argv[1:]))\n"
    tree.text(launcher, f"#!/usr/bin/{name} -SsPB\n{start}", 0o755)
    extensions = [path for path in (work / "usr").rglob("*.so") if path.is_file()]
    return Python({"PYTHONHOME": "/usr", "PYTHONPATH": f"/{PACKAGES}"}, [interpreter, backend, *extensions])


def _found(module: str) -> Path:
    spec = importlib.util.find_spec(module)
    if spec is None or spec.origin is None:
        raise BadInput("image.no_module", f"the Python module {module} is not installed", "Install the platform's requirements")
    return Path(spec.origin)


def _copy_sources(source: Path, target: Path) -> None:
    """Add Python files and extension modules. Tests, tools and modules that link to desktop libraries are left out."""
    for folder, folders, files in os.walk(source):
        folders[:] = sorted(name for name in folders if name not in _LEFT_OUT and not name.startswith("config-"))
        for name in _wanted(files):
            path = Path(folder) / name
            if stat.S_ISREG(path.stat().st_mode):
                _copy(path, target / path.relative_to(source))


def _wanted(files: Iterable[str]) -> list[str]:
    return sorted(name for name in files if name.endswith(".py") or (name.endswith(".so") and not name.startswith(_EXTENSIONS_LEFT_OUT)))


def _copy(path: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(path, target)


def compile_all(interpreter: Path, work: Path, limit_s: float = COMPILE_S) -> None:
    """Compile in a separate process, so that the worker continues meanwhile and keeps none of the memory."""
    command = [str(interpreter), "-sS", "-m", "compileall", "-q", "-b", "--invalidation-mode", "unchecked-hash"]
    try:
        result = subprocess.run(
            [*command, "-s", str(work), "-p", "/", str(work / "usr")],
            env={"PYTHONDONTWRITEBYTECODE": "1"},
            cwd="/",
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=limit_s,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise BadInput(
            "image.not_compiled", f"The demo agent was not compiled within {limit_s:.0f} s", "This host is slow or busy; try again"
        ) from None
    if result.returncode != 0:
        raise BadInput("image.not_compiled", f"The demo agent cannot be compiled: {result.stdout.decode(errors='replace')[-300:]}")
    for path in (work / "usr").rglob("*.py"):
        path.unlink()
