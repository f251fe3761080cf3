"""Send a request that takes a while, for one tenant or several, and show its progress."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from zcplatform.cli import output, prompts
from zcplatform.cli.context import complete_slug, open_api, route
from zcplatform.cli.errors import CommandError
from zcplatform.cli.exit_codes import print_platform_error

if TYPE_CHECKING:
    from zcplatform.cli.client import Api

Tenants = Annotated[list[str] | None, typer.Argument(metavar="TENANT", help="Slugs or ids of tenants.", autocompletion=complete_slug)]
All = Annotated[bool, typer.Option("--all", help="All tenants you may see that this can be done to.")]


@dataclass(frozen=True)
class Verb:
    """A request that may be sent for several tenants. `wanted`: with --all, only tenants in this desired state that nothing holds."""

    name: str
    method: str
    path: tuple[str, ...]
    wanted: str | None


def submit(context: typer.Context, method: str, path: str, body: object, *, wait: bool, json: bool) -> None:
    """Send a request, show the steps, and say how it ended."""
    with open_api(context) as api:
        answer = api.send(method, path, body)
        answer = _finish(api, answer, wait=wait, quiet=json)
        if json:
            output.print_json(answer)
        else:
            _print_outcome(api, answer, is_finished=wait)


def choose(context: typer.Context, verb: Verb, tenants: list[str] | None, *, is_all: bool) -> list[str]:
    """The tenants that a command is for: those that were named, or all in the right desired state."""
    if bool(tenants) == is_all:
        raise typer.BadParameter("name tenants, or use --all" if not tenants else "name tenants or use --all, not both")
    if tenants:
        return list(dict.fromkeys(tenants))
    with open_api(context) as api:
        return [item["slug"] for item in api.items(route("tenants")) if _is_for(verb, item)]


def _is_for(verb: Verb, item: dict[str, Any]) -> bool:
    """A held tenant does not run whatever is wanted of it: to stop it now would keep it stopped when the hold is lifted."""
    return verb.wanted is None or (item["wanted"] == verb.wanted and not item.get("holds"))


def submit_each(context: typer.Context, verb: Verb, tenants: list[str], *, wait: bool, json: bool) -> None:
    """The same request for several tenants: all are sent, then followed one by one. Ends with 1 when one of them failed."""
    with open_api(context) as api:
        results = {tenant: _try(api.send, verb.method, route("tenants", tenant, *verb.path)) for tenant in tenants}
        for tenant, answer in results.items():
            if not isinstance(answer, CommandError):
                results[tenant] = _try(_finish, api, answer, wait=wait, quiet=True)
            if not json:
                _print_result(api, tenant, results[tenant], is_finished=wait)
    if json:
        output.print_json([_as_json(tenant, answer) for tenant, answer in results.items()])
    if any(isinstance(answer, CommandError) for answer in results.values()):
        raise typer.Exit(1)


def confirm_all(verb: Verb, tenants: list[str], *, is_sure: bool) -> None:
    """--all names no tenant, so the tenants are shown before anything is done."""
    output.print_error(f"{verb.name.capitalize()} {len(tenants)} tenants: {', '.join(tenants)}")
    prompts.confirm("Continue?", is_sure=is_sure)


def _try(act: Callable[..., Any], *arguments: Any, **more: Any) -> Any:
    """What this returns, or the CommandError that it raises."""
    try:
        return act(*arguments, **more)
    except CommandError as error:
        return error


def _finish(api: "Api", answer: dict[str, Any], *, wait: bool, quiet: bool) -> dict[str, Any]:
    from zcplatform.cli.progress import follow

    return follow(api, answer, quiet=quiet) if wait and "steps" in answer else answer


def _print_result(api: "Api", tenant: str, answer: Any, *, is_finished: bool) -> None:
    if isinstance(answer, CommandError):
        output.print_error(f"{tenant}:")
        print_platform_error(answer)
    else:
        _print_outcome(api, answer, is_finished=is_finished)


def _as_json(tenant: str, answer: Any) -> dict[str, Any]:
    if isinstance(answer, CommandError):
        return {"tenant": tenant, "error": {"code": answer.code, "detail": answer.detail, "hint": answer.hint}}
    return {"tenant": tenant, "result": answer}


def _print_outcome(api: "Api", answer: dict[str, Any], *, is_finished: bool) -> None:
    if "steps" not in answer:
        output.print_line(_state(answer))
        return
    if not is_finished:
        output.print_line(f"accepted; follow it with: zcplatform operations watch {answer['id']}")
        return
    if answer["kind"] == "tenant.delete":
        output.print_line("deleted: the tenant and everything it had are gone")
        return
    tenant = api.get(route("tenants", answer["tenant_id"]))
    output.print_line(_state(tenant))
    if answer["kind"] == "tenant.deploy":
        output.print_line(tenant["url"])
        output.print_line(f"Next: zcplatform tenants pair {tenant['slug']}")


def _state(tenant: dict[str, Any]) -> str:
    """The reason begins with the state itself where a hold is the reason."""
    state, reason = tenant["state"], tenant["reason"]
    return f"{tenant['slug']} is {reason}" if reason.startswith(f"{state}: ") else f"{tenant['slug']} is {state}: {reason}"
