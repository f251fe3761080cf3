"""zcplatform admin token …: bearer tokens, made on the host. A token is printed once; the database has a keyed hash of it."""

import secrets
from datetime import timedelta
from typing import Annotated

import typer

from zcplatform import clock
from zcplatform.cli import output
from zcplatform.cli.admin import host
from zcplatform.cli.client import LOCAL, Login, Told, save_login
from zcplatform.cli.context import AsJson
from zcplatform.core.audit import Entry
from zcplatform.ids import new_token_id
from zcplatform.store import audit, tokens
from zcplatform.store.db import Tx
from zcplatform.vault.keys import token_hash

app = typer.Typer(no_args_is_help=True, help="Bearer tokens for the API.")
HINT_CHARACTERS = 8


@app.command()
def create(
    context: typer.Context,
    name: Annotated[str, typer.Option(help="Who or what uses it.")],
    days: Annotated[int, typer.Option(min=1, max=3650, help="How long it is good for.")] = 90,
    save: Annotated[bool, typer.Option("--save", help="Keep it as this user's login on this host instead of printing it.")] = False,
    json: AsJson = False,
) -> None:
    """Make a token. It is shown this once."""
    settings = host.load(context)
    value = "zcp_" + secrets.token_urlsafe(32)
    now = clock.now()
    at = clock.text(now)
    token = tokens.Token(
        id=new_token_id(),
        name=name,
        hash=token_hash(host.root_keys(settings).token_pepper, value),
        hint=value[:HINT_CHARACTERS],
        created_at=at,
        expires_at=clock.text(now + timedelta(days=days)),
        last_used_at=None,
        revoked_at=None,
    )

    def write(tx: Tx) -> None:
        tokens.insert(tx, token)
        audit.append(
            tx, Entry(at, "host:root", "token.create", token.id, changes={"name": [None, name], "expires_at": [None, token.expires_at]})
        )

    with host.database(settings) as database:
        database.write_now(write)
    if save:
        path = save_login(Login(LOCAL, value, settings.web_socket))
        output.line(f"saved in {path}; good until {token.expires_at}")
    elif json:
        output.as_json({"id": token.id, "token": value, "expires_at": token.expires_at})
    else:
        output.line(value)


@app.command("list")
def listing(context: typer.Context, json: AsJson = False) -> None:
    """All tokens, without what would let anybody use them."""
    with host.database(host.load(context)) as database:
        rows = database.read(tokens.everything)
    if json:
        output.as_json([{key: value for key, value in row.__dict__.items() if key != "hash"} for row in rows])
        return
    now = clock.text(clock.now())
    states = ["revoked" if row.revoked_at else "expired" if row.expires_at <= now else "valid" for row in rows]
    told = [
        (row.id, row.name, row.hint + "…", state, row.expires_at, row.last_used_at or "never")
        for row, state in zip(rows, states, strict=True)
    ]
    output.table(("ID", "NAME", "BEGINS", "STATE", "UNTIL", "LAST USED"), told, "No tokens yet.")


@app.command()
def revoke(context: typer.Context, token: Annotated[str, typer.Argument(help="Id of the token.")]) -> None:
    """End a token; the next request with it is refused."""
    at = clock.text(clock.now())

    def write(tx: Tx) -> bool:
        done = tokens.revoke(tx, token, at)
        if done:
            audit.append(tx, Entry(at, "host:root", "token.revoke", token))
        return done

    with host.database(host.load(context)) as database:
        if not database.write_now(write):
            raise Told("token.unknown", f"There is no token {token} that is not revoked yet", "zcplatform admin token list")
    output.line("revoked")
