"""zcplatform images …"""

from pathlib import Path
from typing import Annotated

import typer

from zcplatform.cli import formats, output
from zcplatform.cli.context import AsJson, NoWait, open_api, route

app = typer.Typer(no_args_is_help=True, help="Agent images that tenants run.")
Default = Annotated[bool, typer.Option("--default", help="Use it for new tenants from now on.")]
Image = Annotated[str, typer.Argument(metavar="IMAGE", help="Id or reference.")]


@app.command()
def pull(
    context: typer.Context,
    reference: Annotated[
        str, typer.Argument(help="Reference in a repository that the settings file allows. A tag is pinned to the digest it has now.")
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
        Path, typer.Option(help="A zeroclaw program on the platform's host, listed in `image_binaries` of its settings file.")
    ],
    default: Default = False,
    no_wait: NoWait = False,
    json: AsJson = False,
) -> None:
    """Build an image from an installed zeroclaw program."""
    _prepare(context, {"source": "build", "binary": str(zeroclaw), "make_default": default}, wait=not no_wait, json=json)


@app.command()
def demo(context: typer.Context, default: Default = False, no_wait: NoWait = False, json: AsJson = False) -> None:
    """Build the image of the demo agent, which needs no registry and no model."""
    _prepare(context, {"source": "demo", "make_default": default}, wait=not no_wait, json=json)


@app.command("list")
def listing(context: typer.Context, json: AsJson = False) -> None:
    """List images."""
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
            formats.size(item["size_bytes"]) if item["size_bytes"] else "",
            "yes" if item["is_default"] else "",
            item["id"],
            item["error"],
        )
        for item in items
    ]
    empty = "No images yet: zcplatform images pull REFERENCE, or zcplatform images demo"
    output.print_table(("REFERENCE", "STATUS", "AGENT", "SIZE", "DEFAULT", "ID", "ERROR"), rows, empty)


@app.command()
def preflight(context: typer.Context, image: Image, json: AsJson = False) -> None:
    """Check whether an image would accept each tenant's configuration. Running tenants are not touched."""
    from zcplatform.cli.progress import follow

    with open_api(context) as api:
        done = follow(api, api.send("POST", route("images", *image.split("/"), "preflight")), quiet=json)
    if json:
        output.print_json(done)
        return
    checks = done["result"]["tenants"]
    rows = [(one["tenant"], one["revision"], "accepted" if one["accepted"] else "rejected", one["reason"]) for one in checks]
    output.print_table(("TENANT", "REVISION", "RESULT", "REASON"), rows, "There are no tenants yet.")


@app.command()
def rm(context: typer.Context, image: Image, no_wait: NoWait = False, json: AsJson = False) -> None:
    """Remove an image that no tenant uses."""
    _follow(context, "DELETE", route("images", *image.split("/")), None, wait=not no_wait, json=json)


def _prepare(context: typer.Context, body: dict[str, object], *, wait: bool, json: bool) -> None:
    _follow(context, "POST", route("images"), body, wait=wait, json=json)


def _follow(context: typer.Context, method: str, path: str, body: object, *, wait: bool, json: bool) -> None:
    from zcplatform.cli.progress import follow

    with open_api(context) as api:
        operation = api.send(method, path, body)
        if wait:
            operation = follow(api, operation, quiet=json)
    if json:
        output.print_json(operation)
    elif not wait:
        output.print_line(f"accepted; follow it with: zcplatform operations watch {operation['id']}")
    elif operation.get("result"):
        result = operation["result"]
        output.print_line(f"{result['image']}: {result['digest']} ({'new' if result['is_new'] else 'was here already'})")
    else:
        output.print_line(f"{operation['kind']} {operation['status']}")
