"""Manage the files of a tenant: its workspace on disk, and its configuration on a small tmpfs of its own.

Both trees are written by the tenant and hostile. Promise: whatever they contain, nothing outside is read, changed or removed through them, and nothing
in them blocks a caller. The two roots, and each tenant's directory in them, belong to root, so their names can be trusted;
everything below is opened by descriptor only (adapters/trees.py). The functions block: call them in a thread.
"""

import errno
import os
import secrets
import stat
import subprocess
import time
from collections.abc import Collection, Mapping
from contextlib import ExitStack
from pathlib import Path

from zcplatform.adapters import mounts, trees
from zcplatform.adapters.host import swap_active
from zcplatform.agent.runtime import WORKSPACE_NAMES
from zcplatform.core.slugs import is_slug
from zcplatform.engines.seen import Stamp
from zcplatform.errors import StepFailed

CONFIG_NAME = "zeroclaw"
"""The tenant's own directory inside its configuration mount."""
_OWNERS = ".owners"
_TMPFS = "size=4m,nr_inodes=512,mode=0711"
_NONCE = "nonce"
_YOUNG_NS = 1_000_000_000
"""A file changed this recently may change again without a new time stamp: the kernel's clock for files advances in steps of milliseconds."""


def workspace_create(root: Path, slug: str, uid: int) -> None:
    """Create the workspace's directories, or repair their owner and mode. Idempotent; their content is left alone."""
    _check(slug)
    try:
        _root(root)
        with trees.directory(root) as top:
            trees.make_directory(slug, top, 0o700, uid)
            with trees.directory(slug, top) as own:
                for name in WORKSPACE_NAMES:
                    trees.make_directory(name, own, 0o700, uid)
    except OSError as error:
        raise _failed("workspace.unusable", f"the workspace of {slug}", error) from error


def workspace_remove(root: Path, slug: str) -> None:
    """Remove a workspace. Already gone is success. `rm` does it, because a tree may be deeper than any stack or path."""
    _check(slug)
    done = subprocess.run(["rm", "-rf", "--one-file-system", "--", str(root / slug)], capture_output=True, text=True, check=False)
    if done.returncode != 0 or os.path.lexists(root / slug):
        words = done.stderr.strip()[:300]
        raise StepFailed(
            "workspace.not_removed", f"The workspace of {slug} could not be removed: {words}", "Unmount what is mounted inside it"
        )


def workspace_claim(root: Path, slug: str, owner: str) -> str:
    """Record the owner of this workspace where no tenant can write. Returns the recorded owner, which may be another one."""
    _check(slug)
    try:
        _root(root)
        with trees.directory(root) as top:
            trees.make_directory(_OWNERS, top, 0o700, 0)
        claim = root / _OWNERS / slug
        found = claim.read_text() if claim.exists() else ""
        if not found:  # an empty file was cut off while it was written
            claim.unlink(missing_ok=True)
            with trees.directory(root / _OWNERS) as folder:
                trees.write_new(slug, folder, owner.encode(), 0o400, 0)
    except OSError as error:
        raise _failed("workspace.unusable", f"the workspace of {slug}", error) from error
    return found or owner


def workspace_unclaim(root: Path, slug: str) -> None:
    """Give up the claim, after the last trace of the tenant is gone. Already gone is success."""
    _check(slug)
    (root / _OWNERS / slug).unlink(missing_ok=True)


def workspace_owner(root: Path, slug: str) -> int | None:
    """Return the uid that owns all of its directories, or None unless all exist with the right modes. An interrupted start, or a tenant, can
    leave them otherwise."""
    _check(slug)
    owners = set()
    for name in ("", *WORKSPACE_NAMES):
        try:
            found = os.lstat(root / slug / name)
        except OSError:
            return None
        if not stat.S_ISDIR(found.st_mode) or found.st_mode & 0o700 != 0o700:
            return None
        owners.add(found.st_uid)
    return owners.pop() if len(owners) == 1 else None


def workspaces(root: Path) -> set[str]:
    """Return the slugs of all workspaces in the directory."""
    try:
        return {entry.name for entry in os.scandir(root) if is_slug(entry.name)}
    except FileNotFoundError:
        return set()


def workspace_exists(root: Path, slug: str) -> bool:
    """Whether anything exists under that name, of whatever type."""
    _check(slug)
    return os.path.lexists(root / slug)


def workspace_write(root: Path, slug: str, uid: int, name: str, content: bytes) -> None:
    """Write a file of the tenant, replacing what is there. Missing folders are created, and repaired if the tenant made them unusable."""
    _check(slug)
    *parents, last = name.split("/")
    try:
        with ExitStack() as opened:
            inside = opened.enter_context(trees.below(root, [slug]))
            for parent in parents:
                inside = opened.enter_context(trees.found_or_made(parent, inside, 0o700, uid))
            if trees.read_regular(last, inside, len(content)) == content:
                return
            temporary = f".{secrets.token_hex(8)}"
            trees.write_new(temporary, inside, content, 0o600, uid)
            try:
                os.rename(temporary, last, src_dir_fd=inside, dst_dir_fd=inside)
            except IsADirectoryError:
                trees.set_aside(last, inside)
                os.rename(temporary, last, src_dir_fd=inside, dst_dir_fd=inside)
    except OSError as error:
        raise _failed("workspace.unusable", f"{name} of {slug}", error) from error


def workspace_take_away(root: Path, slug: str, name: str, content: bytes) -> None:
    """Remove a file if it has exactly this content. Already gone is success; anything else in its place is left alone."""
    _check(slug)
    *parents, last = name.split("/")
    try:
        with trees.below(root, [slug, *parents]) as inside:
            if trees.read_regular(last, inside, len(content)) == content:
                os.unlink(last, dir_fd=inside)
    except (FileNotFoundError, NotADirectoryError):
        return
    except OSError as error:
        if error.errno != errno.ELOOP:
            raise _failed("workspace.unusable", f"{name} of {slug}", error) from error


def config_mount(config_root: Path, slug: str, uid: int, files: Mapping[str, bytes], *, allow_swap: bool = False) -> str:
    """Mount these files in place of what was mounted, and return the nonce that identifies the new mount."""
    _check(slug)
    target = config_root / slug
    try:
        _root(config_root)
        mounts.unmount(target)
        with trees.directory(config_root) as top:
            trees.make_directory(slug, top, 0o700, 0)
        _mount(target, allow_swap=allow_swap)
        try:
            return _fill(target, uid, files)
        except BaseException:
            mounts.unmount(target)
            raise
    except OSError as error:
        code = "config.too_large" if error.errno == errno.ENOSPC else "config.unusable"
        raise _failed(code, f"the configuration mount of {slug}", error) from error


def config_nonce(config_root: Path, slug: str, mounted: Collection[str] | None = None) -> str | None:
    """Return the identity of a completely filled configuration mount, or None. Pass the result of `config_mounts` as `mounted` to check many."""
    _check(slug)
    if slug not in (config_mounts(config_root) if mounted is None else mounted):
        return None
    with trees.directory(config_root / slug) as top:
        nonce = trees.read_regular(_NONCE, top, 64)
    return nonce.decode() if nonce else None


def config_unmount(config_root: Path, slug: str) -> None:
    """Unmount a configuration. One that is already gone counts as success. A running container keeps its own view of it until it ends."""
    _check(slug)
    try:
        mounts.unmount(config_root / slug)
        (config_root / slug).rmdir()
    except FileNotFoundError:
        return
    except OSError as error:
        raise _failed("config.not_removed", f"the configuration mount of {slug}", error) from error


def config_read(config_root: Path, slug: str, name: str, limit_bytes: int) -> bytes | None:
    """Return a file that the agent may have changed in its configuration directory. None if it is not a regular file of at most that size."""
    _check(slug)
    *parents, last = name.split("/")
    try:
        with trees.below(config_root, [slug, CONFIG_NAME, *parents]) as inside:
            return trees.read_regular(last, inside, limit_bytes)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        if error.errno == errno.ELOOP:
            return None
        raise _failed("config.unreadable", f"{name} of {slug}", error) from error


def config_stamp(config_root: Path, slug: str, name: str) -> Stamp | None:
    """Return the stamp of a file in the agent's configuration directory; None if there is no such file."""
    _check(slug)
    try:
        found = os.lstat(config_root / slug / CONFIG_NAME / name)
    except OSError:
        return None
    is_settled = abs(time.time_ns() - found.st_ctime_ns) > _YOUNG_NS
    return Stamp(found.st_dev, found.st_ino, found.st_ctime_ns, found.st_size, is_settled)


def config_mounts(config_root: Path) -> set[str]:
    return set(mounts.tmpfs_mounts(config_root))


def _root(root: Path) -> None:
    root.mkdir(mode=0o711, parents=True, exist_ok=True)
    with trees.directory(root) as opened:
        trees.own(opened, 0o711, 0)


def _mount(target: Path, *, allow_swap: bool) -> None:
    try:
        mounts.mount_tmpfs(target, f"{_TMPFS},noswap")
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
        # Kernels before 6.4 do not know noswap and answer EINVAL.
        if swap_active() and not allow_swap:
            hint = "Use Linux 6.4 or later, turn swap off, or set allow_swap = true if swap is encrypted"
            raise StepFailed(
                "config.swap", "Secrets could be written to swap: this kernel does not support noswap for tmpfs", hint
            ) from None
        mounts.mount_tmpfs(target, _TMPFS)


def _fill(target: Path, uid: int, files: Mapping[str, bytes]) -> str:
    """The nonce is written last, where the tenant cannot write, so a mount that was not completely filled has none."""
    nonce = secrets.token_hex(16)
    with trees.directory(target) as mounted:
        trees.make_directory(CONFIG_NAME, mounted, 0o700, uid)
        with trees.directory(CONFIG_NAME, mounted) as own:
            for name, content in files.items():
                trees.write_new(name, own, content, 0o600, uid)
            # Created here, because the engine, which mounts onto them, would create them as root.
            for name in WORKSPACE_NAMES:
                trees.make_directory(name, own, 0o700, uid)
        trees.write_new(_NONCE, mounted, nonce.encode(), 0o400, 0)
    return nonce


def _check(slug: str) -> None:
    if not is_slug(slug):
        raise ValueError("not a slug")


def _failed(code: str, subject: str, error: OSError) -> StepFailed:
    remedy = f"Move `{error.filename}` away on the machine; the next attempt creates it again" if error.filename else "Check the disk"
    return StepFailed(code, f"Cannot use {subject}: {error.strerror or error}", remedy)
