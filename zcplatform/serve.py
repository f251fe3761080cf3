"""The process that `zcplatform serve` executes: `python -m zcplatform.serve [SETTINGS]`, the worker without the command line in memory."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from zcplatform.cli.exit_codes import exit_on_error

_CERTIFICATES = ("SSL_CERT_FILE", "SSL_CERT_DIR")


def main() -> None:
    with exit_on_error():
        with _no_certificates():
            from zcplatform import settings
            from zcplatform.worker import app
        sys.exit(app.run(settings.load(Path(sys.argv[1]) if sys.argv[1:] else None)))


@contextmanager
def _no_certificates() -> Iterator[None]:
    """Keep aiohttp from loading the host's certificate authorities twice on import (nearly 2 MB). TLS clients here create their own context."""
    before = {name: os.environ.get(name) for name in _CERTIFICATES}
    os.environ |= dict.fromkeys(_CERTIFICATES, os.devnull)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


if __name__ == "__main__":
    main()
