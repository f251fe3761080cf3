"""zcplatform images …"""

from pathlib import Path
from typing import Annotated

import typer

from zcplatform.cli import output
from zcplatform.cli.context import AsJson, NoWait, open_api, route

app = typer.Typer(no_args_is_help=True, help="The agent images that tenants run.")
Default = Annotated[bool, typer.Option("--default", help="New tenants get this one from now on.")]


@app.command()
def pull(
    context: typer.Context,
    reference: Annotated[
        str, typer.Argument(help="From a repository that the settings file allows; a tag is pinned to what it means today.")
    ],
    default: Default = False,
    no_wait: NoWait = False,
    json: AsJson = False,
) -> None:
    """Pull an image from its registry."""
    _prepare(context, {"source": "pull", "reference": reference, "make_default": default}, wait=not no_wait, json=json)


@app.command()
def build(
    context: typer.Context,
    zeroclaw: Annotated[
        Path, typer.Option(help="A zeroclaw program on the platform's host, named in `image_binaries` of its settings file.")
    ],
    default: Default = False,
    no_wait: NoWait = False,
    json: AsJson = False,
) -> None:
    """Make an image from an installed zeroclaw program."""
    _prepare(context, {"source": "build", "binary": str(zeroclaw), "make_default": default}, wait=not no_wait, json=json)


@app.command()
def demo(context: typer.Context, default: Default = False, no_wait: NoWait = False, json: AsJson = False) -> None:
    """Make the demo agent's image: speaks the agent's contract, needs no registry."""
    _prepare(context, {"source": "demo", "make_default": default}, wait=not no_wait, json=json)


@app.command("list")
def listing(context: typer.Context, json: AsJson = False) -> None:
    """All images."""
    with open_api(context) as api:
        items = api.items(route("images"))
    if json:
        output.print_json(items)
        return
    rows = [
        (
            item["reference"],
            item["status"],
            item["agent_version"],
            f"{item['size_bytes'] / 1e6:.0f} MB" if item["size_bytes"] else "",
            "default" if item["is_default"] else "",
            item["id"],
            item["error"],
        )
        for item in items
    ]
    output.print_table(
        ("REFERENCE", "STATUS", "AGENT", "SIZE", "", "ID", "WHY"),
        rows,
        "No images yet: zcplatform images pull REF, or zcplatform images demo",
    )


@app.command()
def preflight(context: typer.Context, image: Annotated[str, typer.Argument(help="Id or reference.")], json: AsJson = False) -> None:
    """Would this image accept each tenant's configuration? Nothing that runs is touched."""
    from zcplatform.cli.progress import follow

    with open_api(context) as api:
        told = follow(api, api.send("POST", route("images", *image.split("/"), "preflight")), quiet=json)
    if json:
        output.print_json(told)
        return
    rows = [
        (one["tenant"], one["revision"], "accepted" if one["accepted"] else "refused", one["reason"]) for one in told["result"]["tenants"]
    ]
    output.print_table(("TENANT", "REVISION", "", "WHY"), rows, "There is no tenant yet.")


@app.command()
def rm(
    context: typer.Context, image: Annotated[str, typer.Argument(help="Id or reference.")], no_wait: NoWait = False, json: AsJson = False
) -> None:
    """Remove an image that no tenant uses."""
    _follow(context, "DELETE", route("images", *image.split("/")), None, wait=not no_wait, json=json)


def _prepare(context: typer.Context, body: dict[str, object], *, wait: bool, json: bool) -> None:
    _follow(context, "POST", route("images"), body, wait=wait, json=json)


def _follow(context: typer.Context, method: str, path: str, body: object, *, wait: bool, json: bool) -> None:
    from zcplatform.cli.progress import follow

    with open_api(context) as api:
        told = api.send(method, path, body)
        if wait:
            told = follow(api, told, quiet=json)
    if json:
        output.print_json(told)
    elif told.get("result"):
        output.print_line(
            f"{told['result']['digest']} is {'new' if told['result']['is_new'] else 'here already'}: {told['result']['image']}"
        )
    else:
        output.print_line(f"{told['kind']} {told['status']}" if wait else f"accepted: zcplatform operations watch {told['id']}")
