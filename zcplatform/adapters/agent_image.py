"""Build root file systems of agents without a container registry: from an installed `zeroclaw` program, or with the demo agent.

The results are a tar and a recipe for `docker import`. Both images accept the command of the official one (`--verbose daemon`), run as any
user on a read-only root, and contain only the program, its libraries, CA certificates and, for the real agent, a shell and the dashboard.
"""

import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from zcplatform.adapters import elf, python_tree
from zcplatform.adapters.image_tree import Tree
from zcplatform.agent.runtime import GATEWAY_PORT
from zcplatform.agent.versions import NotAVersion, parse
from zcplatform.demo_agent import VERSION
from zcplatform.errors import BadInput

PROGRAM = "usr/local/bin/zeroclaw"
DASHBOARD = "usr/share/zeroclawlabs/web/dist"
CERTIFICATES = "etc/ssl/certs/ca-certificates.crt"
LIBRARIES = "usr/local/lib"

_HOST_CERTIFICATES = (
    Path("/etc/ssl/certs/ca-certificates.crt"),
    Path("/etc/pki/tls/certs/ca-bundle.crt"),
    Path("/etc/ssl/cert.pem"),
)
_LOADER_FINDS = ("/lib/", "/lib64/", "/usr/lib/", "/usr/lib64/")
_APPLETS = ("sh", "ash", "cat", "date", "df", "du", "echo", "find", "grep", "head", "ls", "pwd", "sed", "sort", "tail", "uname", "wc")


@dataclass(frozen=True)
class Recipe:
    changes: tuple[str, ...]
    """Values for `docker import --change`, in this order."""
    version: str
    """The version that the program reports."""


def demo(out: Path) -> Recipe:
    """Build the demo agent on the interpreter that runs this process."""
    tree = _base()
    with tempfile.TemporaryDirectory() as folder:
        python = python_tree.add(tree, Path(folder), PROGRAM)
        environment = {**python.environment, **_add_libraries(tree, elf.libraries(python.binaries, as_nobody=False))}
        tree.write(out)
    return Recipe(_changes(environment), VERSION)


def zeroclaw(binary: Path, dashboard: Path | None, out: Path) -> Recipe:
    """Build an image of an installed program. Raises BadInput if `binary` is not a program for this machine, or prints no version."""
    tree = _base()
    with tempfile.TemporaryDirectory() as folder:
        # The same copy is checked, run and packed. It is readable for the user that runs it.
        Path(folder).chmod(0o755)
        copy = Path(folder) / "zeroclaw"
        try:
            shutil.copyfile(binary, copy)
        except OSError as error:
            raise BadInput("image.unreadable", f"{binary} cannot be read: {error.strerror}", "Name a file that exists") from None
        copy.chmod(0o755)
        elf.require_program(copy, binary)
        version = _version(copy, binary)
        tree.file(PROGRAM, copy, 0o755)
        environment = _add_libraries(tree, elf.libraries([copy, *_add_shell(tree)], as_nobody=True))
        if dashboard is not None:
            if not (dashboard / "index.html").is_file():
                raise BadInput("image.no_dashboard", f"{dashboard} contains no index.html", "Name the folder web/dist of the same release")
            tree.folder(DASHBOARD, dashboard)
        tree.write(out)
    return Recipe(_changes(environment), version)


def _version(program: Path, named: Path) -> str:
    try:
        return str(parse(elf.version_text(program)))
    except NotAVersion as error:
        raise BadInput("image.no_version", f"{named} --version: {error}", "Name the zeroclaw program itself") from None


def _base() -> Tree:
    tree = Tree()
    tree.text("etc/passwd", "root:x:0:0:root:/:/sbin/nologin\nnobody:x:65534:65534:nobody:/tmp:/sbin/nologin\n")
    tree.text("etc/group", "root:x:0:\nnobody:x:65534:\n")
    tree.text("etc/nsswitch.conf", "passwd: files\ngroup: files\nhosts: files dns\n")
    tree.directory("tmp", 0o1777)
    # The mount points that the platform uses; the root is read-only.
    tree.directory("zeroclaw-data/.zeroclaw")
    certificates = next((path for path in _HOST_CERTIFICATES if path.is_file()), None)
    if certificates is None:
        raise BadInput("image.no_certificates", "This host has no CA certificates", "Install the package ca-certificates")
    tree.file(CERTIFICATES, certificates)
    return tree


def _add_libraries(tree: Tree, needed: tuple[Path, ...]) -> dict[str, str]:
    """Choose where libraries go: those in the loader's default folders keep their path, others move to one folder that the loader is configured for."""
    environment: dict[str, str] = {}
    for path in [*needed, *_loaded_later(needed)]:
        if str(path).startswith(_LOADER_FINDS):
            tree.file(str(path)[1:], path, 0o755)
        else:
            tree.file(f"{LIBRARIES}/{path.name}", path, 0o755)
            environment["LD_LIBRARY_PATH"] = f"/{LIBRARIES}"
    return environment


def _loaded_later(needed: tuple[Path, ...]) -> list[Path]:
    """Libraries that glibc opens by name when they are needed: ldd does not list them."""
    folders = {path.parent for path in needed if path.name.startswith("libc.so")}
    names = ("libnss_files.so.2", "libnss_dns.so.2", "libresolv.so.2", "libgcc_s.so.1")
    return sorted(folder / name for folder in folders for name in names if (folder / name).is_file())


def _add_shell(tree: Tree) -> list[Path]:
    """Add a static busybox, which also brings common tools, or else the host's shell. Returns the programs whose libraries are needed."""
    found = shutil.which("busybox")
    if found and not elf.libraries([Path(found)], as_nobody=True):
        tree.file("bin/busybox", Path(found), 0o755)
        for applet in _APPLETS:
            tree.link(f"bin/{applet}", "busybox")
        return []
    shell = Path("/bin/sh").resolve()
    tree.file("bin/sh", shell, 0o755)
    return [shell]


def _changes(environment: dict[str, str]) -> tuple[str, ...]:
    values = {"PATH": "/usr/local/bin:/usr/bin:/bin", "SSL_CERT_FILE": f"/{CERTIFICATES}", **environment}
    return (
        *(f"ENV {name}={value}" for name, value in sorted(values.items())),
        f'ENTRYPOINT ["/{PROGRAM}"]',
        'CMD ["daemon"]',
        "WORKDIR /zeroclaw-data",
        f"EXPOSE {GATEWAY_PORT}/tcp",
        f"USER {elf.NOBODY}:{elf.NOBODY}",
    )
