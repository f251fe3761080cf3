"""Named places where a test may kill the process.

`ZCPLATFORM_FAILPOINT="deploy.network.after"` ends the process with SIGKILL the first time that place is reached, so that no finally block and
no exit handler runs. Nothing else happens here, and nothing at all unless the variable is set. A file named by `ZCPLATFORM_FAILPOINT_FILE`
does the same and is removed first, so that the restarted process passes.
"""

import os
import signal
from pathlib import Path


def failpoint(name: str) -> None:
    if os.environ.get("ZCPLATFORM_FAILPOINT") == name:
        os.kill(os.getpid(), signal.SIGKILL)
    armed = os.environ.get("ZCPLATFORM_FAILPOINT_FILE")
    if armed is None:
        return
    path = Path(armed)
    try:
        if path.read_text().strip() != name:
            return
        path.unlink()
    except FileNotFoundError:
        return
    os.kill(os.getpid(), signal.SIGKILL)
