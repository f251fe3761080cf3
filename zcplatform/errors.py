"""The errors of the platform, named for what is true.

Each carries a code (`subject.problem`), one sentence that says what happened to which object, and a hint that says what to do. The web
layer turns them into problem+json responses, the CLI prints detail and hint; neither knows more than this file.
"""

from collections.abc import Mapping


class PlatformError(Exception):
    """An error that may be shown to a person. `status` is the HTTP status of the response."""

    status = 500

    def __init__(
        self,
        code: str,
        detail: str,
        hint: str = "",
        *,
        fields: Mapping[str, str] | None = None,
        retry_after_s: int | None = None,
    ) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail
        self.hint = hint
        self.fields = dict(fields or {})
        self.retry_after_s = retry_after_s


class BadInput(PlatformError):
    status = 422


class NotSignedIn(PlatformError):
    status = 401


class NotAllowed(PlatformError):
    status = 403


class NotFound(PlatformError):
    status = 404


class Conflict(PlatformError):
    status = 409


class Outdated(PlatformError):
    """The caller's copy is older than what is stored; `fields` say what changed meanwhile."""

    status = 412


class TooMany(PlatformError):
    """A rate limit is reached; `retry_after_s` says when the request may be repeated."""

    status = 429


class OverQuota(Conflict):
    """A plan's limit is reached."""


class Unavailable(PlatformError):
    """A part of the platform cannot be reached now; the same request may work later."""

    status = 503


class StorageFull(Unavailable):
    """A disk that the platform uses is full: nothing was written, and the same request works once there is room."""


class StepFailed(PlatformError):
    """A step of an operation failed. The next round tries again; `code` names the kind of failure."""


class RevisionRejected(StepFailed):
    """The agent rejects this revision of a tenant's settings; `detail` contains its message. It continues with the last good one."""


class CannotRun(PlatformError):
    """The program cannot start (settings, key, permissions, versions). The message names the key, file or user."""
