"""What `zcplatform serve` becomes: `python -m zcplatform.serve [SETTINGS]`, the worker without the command line in its memory."""

import sys
from pathlib import Path

from zcplatform import settings
from zcplatform.cli.ending import told
from zcplatform.worker import app


def main() -> None:
    with told():
        sys.exit(app.run(settings.load(Path(sys.argv[1]) if sys.argv[1:] else None)))


if __name__ == "__main__":
    main()
