"""Distinguish a new installation from one whose database is gone.

A `data_dir` that is not mounted, or a truncated database, would otherwise look like a first start: every container would be removed, a new
key created, and a second audit log begun.
"""

import asyncio
from collections.abc import Iterator

import apsw

from zcplatform.engines.docker.client import Docker
from zcplatform.errors import CannotRun, PlatformError
from zcplatform.settings import Settings
from zcplatform.store.db import open_read_only
from zcplatform.store.schema import has_objects

ENGINE_S = 5.0


def is_new(settings: Settings) -> bool:
    """Whether this is a new installation. Raises CannotRun if the database is missing or empty and something shows that there was one."""
    if _has_tables(settings):
        return False
    found = list(_traces(settings))
    if found:
        state = "is empty" if settings.database.exists() else "does not exist"
        raise CannotRun(
            "database.missing",
            f"{settings.database} {state}, but there is {' and '.join(found)}: this is not a new installation",
            "Mount `data_dir` or restore a backup. To start over, move the named items away",
        )
    return True


def _has_tables(settings: Settings) -> bool:
    """Whether the database has no schema yet: a first start that was killed may leave an empty file."""
    if not settings.database.exists() or settings.database.stat().st_size == 0:
        return False
    try:
        with open_read_only(settings.database, ENGINE_S) as tx:
            return has_objects(tx)
    except apsw.Error as error:
        raise CannotRun("database.unusable", f"{settings.database} cannot be used: {error}", "Restore it from a backup") from None


def _traces(settings: Settings) -> Iterator[str]:
    """Describe everything that an installation leaves outside of its database."""
    if settings.key_source == "file" and settings.key_file.exists():
        yield f"a root key at {settings.key_file}"
    if settings.audit_anchor != "syslog" and settings.anchor_file.exists() and settings.anchor_file.stat().st_size:
        yield f"an audit log anchored in {settings.anchor_file}"
    owners = settings.tenants_dir / ".owners"
    if owners.is_dir() and any(owners.iterdir()):
        yield f"a workspace below {settings.tenants_dir}"
    if asyncio.run(_has_containers(settings)):
        yield f"a container of the instance `{settings.instance}`"


async def _has_containers(settings: Settings) -> bool:
    """Whether the engine has containers of this installation. An engine that does not answer counts as no; the sweep checks again before it removes anything."""
    try:
        async with Docker(settings.docker_socket, deadline_s=ENGINE_S) as docker:
            return bool(await docker.containers(settings.instance))
    except PlatformError:
        return False
