"""Errors of the command line: what the API, or the way to it, refused."""

from zcplatform.errors import PlatformError


class CommandError(PlatformError):
    """The command failed. `status` is the API's HTTP status where the API answered."""


def unsendable_reason() -> CommandError:
    """The error for a reason that cannot be sent as an HTTP header."""
    return CommandError("reason.text", "The reason must be one line of ASCII; nothing was done", "Write it in plain letters.")
