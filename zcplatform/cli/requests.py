"""Ask for something that takes a while, and show how it goes."""

import typer

from zcplatform.cli import output
from zcplatform.cli.context import open_api, route


def submit(context: typer.Context, method: str, path: str, body: object, *, wait: bool, json: bool) -> None:
    """Ask, show the steps, say how it ended."""
    from zcplatform.cli.progress import follow

    with open_api(context) as api:
        told = api.send(method, path, body)
        if "steps" not in told:
            output.print_json(told) if json else output.print_line(f"{told['slug']} is {told['state']}: {told['reason']}")
            return
        if not wait:
            output.print_json(told) if json else output.print_line(f"accepted: zcplatform operations watch {told['id']}")
            return
        ended = follow(api, told, quiet=json)
        if json:
            output.print_json(ended)
            return
        if ended["kind"] == "tenant.delete":
            output.print_line("deleted: nothing of it is left")
            return
        tenant = api.get(route("tenants", ended["tenant_id"]))
        output.print_line(f"{tenant['slug']} is {tenant['state']}: {tenant['reason']}")
        if ended["kind"] == "tenant.deploy":
            output.print_line(tenant["url"])
            output.print_line(f"Next: zcplatform tenants pair {tenant['slug']}")
