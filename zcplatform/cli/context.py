"""What every command needs: the options that stand before the command, and the API made from them."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from urllib.parse import quote

import typer

from zcplatform.cli.credentials import find_credentials
from zcplatform.cli.errors import CommandError, unsendable_reason
from zcplatform.errors import PlatformError

if TYPE_CHECKING:
    from zcplatform.cli.client import Api

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
NoWait = Annotated[bool, typer.Option("--no-wait", help="Return as soon as the request is accepted.")]
COMPLETION_S = 2


@dataclass(frozen=True)
class Options:
    """`settings` is for commands on the host."""

    api: str | None
    token_file: Path | None
    settings: Path | None
    reason: str | None = None


def options(context: typer.Context) -> Options:
    found = context.find_object(Options)
    return found or Options(None, None, None)


def open_api(context: typer.Context, timeout_s: float | None = None) -> "Api":
    """`timeout_s` for questions that take longer than others."""
    from zcplatform.cli.client import TIMEOUT_S, Api

    given = options(context)
    if given.reason is not None and not (given.reason.isascii() and given.reason.isprintable()):
        raise unsendable_reason()
    return Api(find_credentials(given.api, given.token_file, given.settings), timeout_s or TIMEOUT_S, given.reason)


def route(*parts: str) -> str:
    """/api/… with names as a person typed them: whatever one holds, it stays one part of the path."""
    for part in parts:
        if part in ("", ".", ".."):
            raise CommandError("name.empty", f"`{part}` is no name", "name a slug or an id")
    return "/api/" + "/".join(quote(part, safe=":@") for part in parts)


def complete_slug(context: typer.Context, incomplete: str) -> list[str]:
    """For shell completion: the tenants' complete_slug, or nothing when the API does not answer at once."""
    from zcplatform.cli.client import Api

    # While completing, commands are not run, the options before them neither: they stand in the context as they were typed.
    typed = context.find_root().params
    try:
        with Api(find_credentials(typed.get("api"), typed.get("token_file"), typed.get("settings")), COMPLETION_S) as api:
            return [item["slug"] for item in api.items(route("tenants")) if item["slug"].startswith(incomplete)]
    except PlatformError:
        return []


Tenant = Annotated[str, typer.Argument(help="Slug or id.", autocompletion=complete_slug)]
