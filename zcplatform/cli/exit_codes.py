"""How our programs end when they fail: a sentence on standard error, what to do next, and an exit code.

0 done · 1 refused or failed · 2 wrong usage · 78 the program must not start like this · 130 interrupted.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from zcplatform.cli import output
from zcplatform.errors import CannotRun, PlatformError

EX_CONFIG = 78


@contextmanager
def exit_on_error() -> Iterator[None]:
    """Turn errors into a message and an exit code."""
    output.prepare_streams()
    try:
        yield
    except PlatformError as error:
        print_platform_error(error)
        sys.exit(EX_CONFIG if isinstance(error, CannotRun) else 1)
    except BrokenPipeError:
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)


def print_platform_error(error: PlatformError) -> None:
    """What happened, what is wrong with each field, and what to do next."""
    output.print_error(error.detail)
    for name, why in error.fields.items():
        output.print_error(f"  {name}: {why}")
    if error.hint:
        output.print_error(f"  {output.mark('→', sys.stderr)} {error.hint}")
