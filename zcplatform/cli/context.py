"""What every command needs: the options that stand before the command, and the API made from them."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from zcplatform.cli.client import Api

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
NoWait = Annotated[bool, typer.Option("--no-wait", help="Return as soon as the request is accepted.")]


@dataclass(frozen=True)
class Options:
    """`settings` is for commands on the host."""

    api: str | None
    token_file: Path | None
    settings: Path | None


def options(context: typer.Context) -> Options:
    found = context.find_object(Options)
    return found or Options(None, None, None)


def open_api(context: typer.Context) -> "Api":
    from zcplatform.cli.client import Api, find_login

    given = options(context)
    return Api(find_login(given.api, given.token_file))


def slugs(context: typer.Context, incomplete: str) -> list[str]:
    """For shell completion: the tenants' slugs, or nothing when the API does not answer."""
    from zcplatform.cli.client import Told

    try:
        with open_api(context) as api:
            return [item["slug"] for item in api.get("/api/tenants", limit=200)["items"] if item["slug"].startswith(incomplete)]
    except Told:
        return []


Tenant = Annotated[str, typer.Argument(help="Slug or id.", autocompletion=slugs)]
