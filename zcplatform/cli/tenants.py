"""zcplatform tenants …"""

from pathlib import Path
from typing import Annotated, Any

import typer

from zcplatform import clock
from zcplatform.cli import formats, output, prompts, values
from zcplatform.cli.context import AsJson, NoWait, Search, Sort, Tenant, Yes, open_api, route
from zcplatform.cli.requests import All, Tenants, Verb, choose, confirm_all, submit, submit_each

app = typer.Typer(no_args_is_help=True, help="Create, deploy and operate tenants.")

Plan = Annotated[str | None, typer.Option(help="Name of a plan; zcplatform plans list shows them.")]
Image = Annotated[str | None, typer.Option(help="Id or reference of an agent image. Default: the installation's default image.")]
Family = Annotated[
    str | None, typer.Option("--provider", help="Model provider, for example anthropic; zcplatform providers types lists them.")
]
Model = Annotated[str | None, typer.Option(help="Model of that provider.")]
BaseUrl = Annotated[str | None, typer.Option(help="Address of the provider, for providers that have none of their own.")]
KeyFile = Annotated[Path | None, typer.Option(help="File that holds the provider's API key; `-` asks for it, or reads standard input.")]

START = Verb("start", "POST", ("start",), "stopped")
STOP = Verb("stop", "POST", ("stop",), "running")
RESTART = Verb("restart", "POST", ("restart",), "running")
DELETE = Verb("delete", "DELETE", (), None)


@app.command()
def create(
    context: typer.Context,
    slug: Annotated[str, typer.Argument(help="3 to 32 lower-case letters, digits and hyphens; becomes part of the tenant's address.")],
    name: Annotated[str | None, typer.Option(help="Display name.")] = None,
    plan: Plan = None,
    image: Image = None,
    provider: Family = None,
    model: Model = None,
    base_url: BaseUrl = None,
    key_file: KeyFile = None,
    json: AsJson = False,
) -> None:
    """Create a tenant. Nothing runs until you deploy it."""
    body = {"slug": slug, "name": name, "plan": plan, "image": image, "provider": provider_of(provider, model, base_url, key_file)}
    with open_api(context) as api:
        tenant = api.send("POST", route("tenants"), {key: value for key, value in body.items() if value is not None})
    if json:
        output.print_json(tenant)
    else:
        output.print_line(f"created {tenant['slug']}. Next: zcplatform tenants deploy {tenant['slug']}")


@app.command("list")
def listing(
    context: typer.Context,
    search: Search = None,
    state: Annotated[list[str] | None, typer.Option(help="Only tenants in this state, for example failed. Repeat for several.")] = None,
    plan: Annotated[str | None, typer.Option(help="Only tenants of this plan.")] = None,
    image: Annotated[str | None, typer.Option(help="Only tenants that run this image: its id or reference.")] = None,
    sort: Sort = None,
    json: AsJson = False,
) -> None:
    """List tenants with their state."""
    with open_api(context) as api:
        items = api.items(route("tenants"), q=search, state=state, plan=plan, image=image, sort=sort)
    if json:
        output.print_json(items)
        return
    rows = [(item["slug"], item["state"], item["plan"], _provider_name(item), item["url"], item["reason"]) for item in items]
    is_filtered = search or state or plan or image
    empty = "No tenant matches." if is_filtered else "No tenants yet. Create the first one: zcplatform tenants create SLUG"
    output.print_table(("SLUG", "STATE", "PLAN", "PROVIDER", "URL", "REASON"), rows, empty)


@app.command()
def show(context: typer.Context, tenant: Tenant, json: AsJson = False) -> None:
    """Show one tenant."""
    with open_api(context) as api:
        found = api.get(route("tenants", tenant))
    if json:
        output.print_json(found)
        return
    image, now = found["image"], clock.now()
    output.print_facts(
        {
            "slug": found["slug"],
            "id": found["id"],
            "name": found["name"],
            "state": f"{found['state']}: {found['reason']}",
            "next try": formats.moment(found["next_attempt_at"], now),
            "held by": "; ".join(_hold(hold) for hold in found.get("holds", [])) or None,
            "url": found["url"],
            "plan": found["plan"],
            "provider": _provider_name(found) or "none",
            "key": ("saved" if found["provider"]["has_key"] else "none") if found["provider"] else None,
            "image": f"{image['reference']} (agent {image['agent_version'] or 'unknown'})" if image else "the default image",
            "revision": found["revision"],
            "drift": f"yes; see zcplatform drift show {found['slug']}" if found.get("has_drift") else None,
            "created": formats.moment(found["created_at"], now),
        }
    )


@app.command("set")
def change(
    context: typer.Context,
    tenant: Tenant,
    name: Annotated[str | None, typer.Option(help="Display name.")] = None,
    plan: Plan = None,
    image: Image = None,
    provider: Family = None,
    model: Model = None,
    base_url: BaseUrl = None,
    key_file: KeyFile = None,
    no_wait: NoWait = False,
    json: AsJson = False,
) -> None:
    """Change a tenant. A running tenant restarts with the change; any other uses it at its next start."""
    body = {"name": name, "plan": plan, "image": image, "provider": provider_of(provider, model, base_url, key_file)}
    sent = {key: value for key, value in body.items() if value is not None}
    if not sent:
        raise typer.BadParameter("nothing to change: see zcplatform tenants set --help")
    submit(context, "PATCH", route("tenants", tenant), sent, wait=not no_wait, json=json)


@app.command()
def deploy(context: typer.Context, tenant: Tenant, no_wait: NoWait = False, json: AsJson = False) -> None:
    """Start a tenant's agent for the first time and publish its address."""
    submit(context, "POST", route("tenants", tenant, "deploy"), None, wait=not no_wait, json=json)


@app.command()
def start(
    context: typer.Context, tenants: Tenants = None, all_: All = False, yes: Yes = False, no_wait: NoWait = False, json: AsJson = False
) -> None:
    """Start stopped tenants."""
    _each(context, START, choose(context, START, tenants, is_all=all_), is_sure=yes or not all_, wait=not no_wait, json=json)


@app.command()
def stop(
    context: typer.Context, tenants: Tenants = None, all_: All = False, yes: Yes = False, no_wait: NoWait = False, json: AsJson = False
) -> None:
    """Stop tenants. Files, members and settings stay."""
    _each(context, STOP, choose(context, STOP, tenants, is_all=all_), is_sure=yes or not all_, wait=not no_wait, json=json)


@app.command()
def restart(
    context: typer.Context, tenants: Tenants = None, all_: All = False, yes: Yes = False, no_wait: NoWait = False, json: AsJson = False
) -> None:
    """Restart running tenants with a fresh container."""
    _each(context, RESTART, choose(context, RESTART, tenants, is_all=all_), is_sure=yes or not all_, wait=not no_wait, json=json)


@app.command()
def suspend(
    context: typer.Context,
    tenant: Tenant,
    why: Annotated[str, typer.Option(help="Reason that the tenant's members see.")],
    no_wait: NoWait = False,
    json: AsJson = False,
) -> None:
    """Stop a tenant so that its members cannot start it again. For operators."""
    submit(context, "POST", route("tenants", tenant, "suspend"), {"reason": why}, wait=not no_wait, json=json)


@app.command()
def resume(context: typer.Context, tenant: Tenant, no_wait: NoWait = False, json: AsJson = False) -> None:
    """End a suspension. A tenant that ran before starts again."""
    submit(context, "POST", route("tenants", tenant, "resume"), None, wait=not no_wait, json=json)


@app.command()
def rm(
    context: typer.Context, tenants: Tenants = None, all_: All = False, yes: Yes = False, no_wait: NoWait = False, json: AsJson = False
) -> None:
    """Delete tenants with everything they have. Their slugs stay reserved for 90 days."""
    chosen = choose(context, DELETE, tenants, is_all=all_)
    if len(chosen) == 1:
        prompts.confirm_by_typing(f"This deletes all files and secrets of {chosen[0]}.", chosen[0], is_sure=yes)
    elif chosen:
        question = f"This deletes all files and secrets of {len(chosen)} tenants: {', '.join(chosen)}."
        prompts.confirm_by_typing(question, f"delete {len(chosen)}", is_sure=yes)
    _each(context, DELETE, chosen, is_sure=True, wait=not no_wait, json=json)


def _each(context: typer.Context, verb: Verb, tenants: list[str], *, is_sure: bool, wait: bool, json: bool) -> None:
    if not is_sure and tenants:
        confirm_all(verb, tenants, is_sure=False)
    if len(tenants) == 1:
        submit(context, verb.method, route("tenants", tenants[0], *verb.path), None, wait=wait, json=json)
    elif tenants:
        submit_each(context, verb, tenants, wait=wait, json=json)
    else:
        output.print_json([]) if json else output.print_line(f"No tenant to {verb.name}.")


def provider_of(family: str | None, model: str | None, base_url: str | None, key_file: Path | None) -> dict[str, str] | None:
    """The `provider` of a request, from the options of a command; None when none was given."""
    if family is None and model is None and base_url is None and key_file is None:
        return None
    if family is None or model is None:
        raise typer.BadParameter("--provider and --model belong together: give both, or neither and no --base-url or --key-file")
    sent = {"family": family, "model": model}
    if base_url is not None:
        sent["base_url"] = base_url
    if key_file is not None:
        sent["api_key"] = values.secret_file(key_file, "API key of the provider")
    return sent


def _provider_name(item: dict[str, Any]) -> str:
    provider = item["provider"]
    return f"{provider['family']}/{provider['model']}" if provider else ""


def _hold(hold: dict[str, Any]) -> str:
    by = f" by {hold['by']}" if hold["by"] else ""  # nobody wrote down who suspended a tenant before version 0.2
    return f"{hold['kind']}{by} {formats.age(hold['since'], clock.now())}: {hold['reason']}"
