"""What every command needs: the API made from the global options, paths of routes, and completion of slugs."""

from typing import TYPE_CHECKING, Annotated
from urllib.parse import quote

import typer

from zcplatform.cli.credentials import find_credentials
from zcplatform.cli.errors import CommandError, unsendable_reason
from zcplatform.cli.global_options import given
from zcplatform.errors import PlatformError

if TYPE_CHECKING:
    from zcplatform.cli.client import Api

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
NoWait = Annotated[bool, typer.Option("--no-wait", help="Return as soon as the request is accepted.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask for confirmation.")]
Search = Annotated[str | None, typer.Option("--search", "-q", help="Only entries whose name, address or id contains this text.")]
Sort = Annotated[str | None, typer.Option(help="Field to sort by, for example created_at; with `-` in front in descending order.")]
COMPLETION_S = 2


def open_api(context: typer.Context, timeout_s: float | None = None) -> "Api":
    """`timeout_s` is for requests that take longer than others."""
    from zcplatform.cli.client import TIMEOUT_S, Api

    options = given(context)
    if options.reason is not None and not (options.reason.isascii() and options.reason.isprintable()):
        raise unsendable_reason()
    return Api(find_credentials(options.api, options.token_file, options.settings), timeout_s or TIMEOUT_S, options.reason)


def route(*parts: str) -> str:
    """/api/… from names as a person typed them: whatever a name holds, it stays one part of the path."""
    for part in parts:
        if part in ("", ".", ".."):
            raise CommandError("name.empty", f"`{part}` is not a name", "Give a slug or an id.")
    return "/api/" + "/".join(quote(part, safe=":@") for part in parts)


def complete_slug(context: typer.Context, incomplete: str) -> list[str]:
    """For shell completion: slugs of tenants, or nothing when the API does not answer at once."""
    from zcplatform.cli.client import Api

    options = given(context)
    try:
        with Api(find_credentials(options.api, options.token_file, options.settings), COMPLETION_S) as api:
            return [item["slug"] for item in api.items(route("tenants")) if item["slug"].startswith(incomplete)]
    except PlatformError:
        return []


Tenant = Annotated[str, typer.Argument(metavar="TENANT", help="Slug or id of a tenant.", autocompletion=complete_slug)]
