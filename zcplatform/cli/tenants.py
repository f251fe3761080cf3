"""zcplatform tenants …"""

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from zcplatform.cli import output
from zcplatform.cli.context import AsJson, NoWait, Tenant, open_api, route
from zcplatform.cli.requests import submit

app = typer.Typer(no_args_is_help=True, help="Create, deploy and look after tenants.")

Plan = Annotated[str | None, typer.Option(help="free, starter, pro, enterprise, or a plan of your own.")]
Image = Annotated[str | None, typer.Option(help="Id or reference of an image; the default one otherwise.")]
Family = Annotated[str | None, typer.Option("--provider", help="Family of the model provider, for example anthropic.")]
Model = Annotated[str | None, typer.Option(help="Model of that provider.")]
BaseUrl = Annotated[str | None, typer.Option(help="Address of the provider, where the family takes one.")]
KeyFile = Annotated[Path | None, typer.Option(help="File that holds the provider's key; `-` asks for it, or reads standard input.")]


@app.command()
def create(
    context: typer.Context,
    slug: Annotated[str, typer.Argument(help="3 to 32 lower-case letters, digits and hyphens: the tenant's address.")],
    name: Annotated[str | None, typer.Option(help="What people call it.")] = None,
    plan: Plan = None,
    image: Image = None,
    provider: Family = None,
    model: Model = None,
    base_url: BaseUrl = None,
    key_file: KeyFile = None,
    json: AsJson = False,
) -> None:
    """Create a tenant. Nothing runs until it is deployed."""
    body = {"slug": slug, "name": name, "plan": plan, "image": image, "provider": provider_of(provider, model, base_url, key_file)}
    with open_api(context) as api:
        told = api.send("POST", route("tenants"), {key: value for key, value in body.items() if value is not None})
    if json:
        output.print_json(told)
    else:
        output.print_line(f"{told['slug']} is created. Next: zcplatform tenants deploy {told['slug']}")


@app.command("list")
def listing(context: typer.Context, json: AsJson = False) -> None:
    """All tenants with their state."""
    with open_api(context) as api:
        items = api.items(route("tenants"))
    if json:
        output.print_json(items)
        return
    rows = [(item["slug"], item["state"], item["plan"], _provider_name(item), item["url"], item["reason"]) for item in items]
    output.print_table(
        ("SLUG", "STATE", "PLAN", "PROVIDER", "URL", "WHY"), rows, "No tenants yet. Create the first one: zcplatform tenants create SLUG"
    )


@app.command()
def show(context: typer.Context, tenant: Tenant, json: AsJson = False) -> None:
    """One tenant, whole."""
    with open_api(context) as api:
        told = api.get(route("tenants", tenant))
    if json:
        output.print_json(told)
        return
    image = told["image"]
    output.print_facts(
        {
            "slug": told["slug"],
            "id": told["id"],
            "name": told["name"],
            "state": f"{told['state']}: {told['reason']}",
            "next try": told["next_attempt_at"],
            "url": told["url"],
            "plan": told["plan"],
            "provider": _provider_name(told) or "none",
            "key": ("saved" if told["provider"]["has_key"] else "none") if told["provider"] else None,
            "image": f"{image['reference']} (agent {image['agent_version'] or 'unknown'})" if image else "the default one",
            "revision": told["revision"],
            "created": told["created_at"],
        }
    )


@app.command("set")
def change(
    context: typer.Context,
    tenant: Tenant,
    name: Annotated[str | None, typer.Option(help="What people call it.")] = None,
    plan: Plan = None,
    image: Image = None,
    provider: Family = None,
    model: Model = None,
    base_url: BaseUrl = None,
    key_file: KeyFile = None,
    no_wait: NoWait = False,
    json: AsJson = False,
) -> None:
    """Change settings. A running tenant is started again with them; others take them at their next start."""
    body = {"name": name, "plan": plan, "image": image, "provider": provider_of(provider, model, base_url, key_file)}
    submit(
        context,
        "PATCH",
        route("tenants", tenant),
        {key: value for key, value in body.items() if value is not None},
        wait=not no_wait,
        json=json,
    )


@app.command()
def deploy(context: typer.Context, tenant: Tenant, no_wait: NoWait = False, json: AsJson = False) -> None:
    """Bring a tenant's agent up and its address with it."""
    submit(context, "POST", route("tenants", tenant, "deploy"), None, wait=not no_wait, json=json)


@app.command()
def start(context: typer.Context, tenant: Tenant, no_wait: NoWait = False, json: AsJson = False) -> None:
    """Start a stopped tenant."""
    submit(context, "POST", route("tenants", tenant, "start"), None, wait=not no_wait, json=json)


@app.command()
def stop(context: typer.Context, tenant: Tenant, no_wait: NoWait = False, json: AsJson = False) -> None:
    """Stop a tenant; its files, people and numbers stay."""
    submit(context, "POST", route("tenants", tenant, "stop"), None, wait=not no_wait, json=json)


@app.command()
def restart(context: typer.Context, tenant: Tenant, no_wait: NoWait = False, json: AsJson = False) -> None:
    """Stop and start a running tenant with a fresh container."""
    submit(context, "POST", route("tenants", tenant, "restart"), None, wait=not no_wait, json=json)


@app.command()
def suspend(
    context: typer.Context,
    tenant: Tenant,
    why: Annotated[str, typer.Option(help="What the tenant's members read.")],
    no_wait: NoWait = False,
    json: AsJson = False,
) -> None:
    """Stop a tenant, and keep everybody in it from starting it again."""
    submit(context, "POST", route("tenants", tenant, "suspend"), {"reason": why}, wait=not no_wait, json=json)


@app.command()
def resume(context: typer.Context, tenant: Tenant, no_wait: NoWait = False, json: AsJson = False) -> None:
    """End a suspension; a tenant that ran before is started."""
    submit(context, "POST", route("tenants", tenant, "resume"), None, wait=not no_wait, json=json)


@app.command()
def rm(
    context: typer.Context,
    tenant: Tenant,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    no_wait: NoWait = False,
    json: AsJson = False,
) -> None:
    """Delete a tenant with everything it has. Its slug rests 90 days."""
    if not yes:
        typed = typer.prompt(f"This deletes all files and secrets of {tenant}. Type {tenant} to go on", err=True)
        if typed != tenant:
            raise typer.Abort
    submit(context, "DELETE", route("tenants", tenant), None, wait=not no_wait, json=json)


@app.command()
def logs(
    context: typer.Context,
    tenant: Tenant,
    tail: Annotated[int, typer.Option(help="How many of the last lines.")] = 100,
    since: Annotated[str | None, typer.Option(help="Only lines after this RFC 3339 time.")] = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with what comes.")] = False,
    timestamps: Annotated[bool, typer.Option("--timestamps", "-t", help="With the time of each line.")] = False,
    json: AsJson = False,
) -> None:
    """What the agent printed."""
    query = {"tail": tail, "since": since, "follow": str(follow).lower(), "timestamps": str(timestamps).lower()}
    with open_api(context) as api, api.stream(route("tenants", tenant, "logs"), query) as lines:
        for line in lines:
            output.print_json({"line": line}, indent=None) if json else output.print_line(line.expandtabs())
            sys.stdout.flush()


def provider_of(family: str | None, model: str | None, base_url: str | None, key_file: Path | None) -> dict[str, str] | None:
    """A provider as it is sent, from the options of a command; None when none was given."""
    if family is None and model is None and base_url is None and key_file is None:
        return None
    if family is None or model is None:
        raise typer.BadParameter("--provider and --model belong together")
    sent = {"family": family, "model": model}
    if base_url is not None:
        sent["base_url"] = base_url
    if key_file is not None:
        sent["api_key"] = _key(key_file)
    return sent


def _key(path: Path) -> str:
    """From a file or standard input: an argument would be in the process table and the shell's history."""
    try:
        if str(path) != "-":
            key = path.read_text().strip()
        elif sys.stdin.isatty():
            key = str(typer.prompt("Key of the provider", hide_input=True, err=True)).strip()
        else:
            key = sys.stdin.read().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise typer.BadParameter(f"{path} can not be read: {getattr(error, 'strerror', None) or 'it is no text'}") from None
    if not key:
        raise typer.BadParameter("the key is empty")
    return key


def _provider_name(item: dict[str, Any]) -> str:
    provider = item["provider"]
    return f"{provider['family']}/{provider['model']}" if provider else ""
