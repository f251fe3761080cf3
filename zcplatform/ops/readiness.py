"""Check that the database can be written: a commit, free space and free inodes."""

import os

from zcplatform import clock
from zcplatform.errors import StorageFull
from zcplatform.ops.context import Context
from zcplatform.store import instance

PROBE = "write_probe"
LEAST_FREE_BYTES = 1024 * 1024


async def require_writable(context: Context) -> None:
    """Commit a value, because taking the lock proves nothing. Raises Unavailable or StorageFull with the reason.

    The write-ahead log may still have room when the disk is full, so the file system is checked too.
    """
    at = clock.text(clock.now())
    await context.database.write(lambda tx: instance.put(tx, PROBE, at))
    found = os.statvfs(context.settings.database.parent)
    if found.f_bavail * found.f_frsize < LEAST_FREE_BYTES:
        raise StorageFull("database.full", "The disk that holds the database is full", "Free some space")
    if found.f_files and not found.f_favail:
        raise StorageFull("database.no_inodes", "The file system that holds the database has no free inodes", "Remove some files")
