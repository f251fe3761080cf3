"""`zcplatform`: the command line, and the two processes `serve` and `edge`."""

import sys
from pathlib import Path

from zcplatform import settings
from zcplatform.errors import Refused

EX_CONFIG = 78


def main() -> None:
    verb, _, path = (*sys.argv[1:], None, None)[:3]
    try:
        loaded = settings.load(Path(str(path)) if path else None)
        if verb == "serve":
            from zcplatform.worker import app

            sys.exit(app.run(loaded))
        from zcplatform import edge

        edge.run(loaded)
    except Refused as error:
        sys.stderr.write(f"{error.detail}: {error.hint}\n")
        sys.exit(EX_CONFIG)


if __name__ == "__main__":
    main()
