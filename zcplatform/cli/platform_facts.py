"""Facts about the platform itself for the doctor: the schema of its database, and how the worker's loops go."""

import json
import socket
from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from zcplatform.core.doctor import Facts
    from zcplatform.settings import Settings

TIMEOUT_S = 3.0


def with_platform(facts: "Facts", settings: "Settings") -> "Facts":
    return replace(facts, database_trouble=_database_trouble(settings), loop_troubles=_loop_troubles(settings))


def _database_trouble(settings: "Settings") -> str | None:
    import apsw

    from zcplatform.errors import CannotRun
    from zcplatform.store import schema
    from zcplatform.store.db import open_read_only

    try:
        with settings.database.open("rb"):
            pass
    except OSError:
        return None
    try:
        with open_read_only(settings.database, TIMEOUT_S) as tx:
            schema.require_known(tx)
    except CannotRun as error:
        return error.detail
    except apsw.Error as error:
        return f"{settings.database} cannot be read: {error}"
    return ""


def _loop_troubles(settings: "Settings") -> tuple[str, ...] | None:
    """Asked on the worker's socket. None when it does not answer, or not to this user."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as worker:
        worker.settimeout(TIMEOUT_S)
        try:
            worker.connect(str(settings.worker_socket))
            worker.sendall(b'{"verb": "loops"}\n')
            with worker.makefile("rb") as answer:
                loops = json.loads(answer.readline(256 * 1024))["loops"]
        except (OSError, ValueError, KeyError):
            return None
    late = [f"`{loop['name']}` is late" for loop in loops if loop["is_late"]]
    failing = [f"`{loop['name']}` fails: {loop['error']}" for loop in loops if loop["error_code"] and not loop["is_late"]]
    return (*late, *failing)
