"""How a program of ours ends that can not do what it was asked: a sentence on standard error, what to do, and a code."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from zcplatform.cli import output
from zcplatform.errors import CannotRun, PlatformError

EX_CONFIG = 78


@contextmanager
def exit_on_error() -> Iterator[None]:
    """Ends with 1, or 78 when the program must not start like this; 2 is wrong usage."""
    try:
        yield
    except PlatformError as error:
        sys.stderr.write(f"{output.printable(error.detail)}\n")
        for name, why in error.fields.items():
            sys.stderr.write(f"  {output.printable(name)}: {output.printable(why)}\n")
        if error.hint:
            sys.stderr.write(f"  → {output.printable(error.hint)}\n")
        sys.exit(EX_CONFIG if isinstance(error, CannotRun) else 1)
    except BrokenPipeError:
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
