"""zcplatform admin token …: API tokens created on the host. A token is printed once; the database has a keyed hash of it."""

import secrets
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from zcplatform import clock
from zcplatform.cli import formats, output
from zcplatform.cli.admin import host
from zcplatform.cli.context import AsJson
from zcplatform.cli.credentials import LOCAL, Credentials, save_credentials
from zcplatform.cli.errors import CommandError

if TYPE_CHECKING:
    from zcplatform.store.db import Tx

app = typer.Typer(no_args_is_help=True, help="API tokens with all rights, created on the host.")
ACTOR = "host:root"
HINT_CHARACTERS = 8


@app.command()
def create(
    context: typer.Context,
    name: Annotated[str, typer.Option(help="What the token is for.")],
    days: Annotated[int, typer.Option(min=1, max=3650, help="Days until it expires.")] = 90,
    save: Annotated[bool, typer.Option("--save", help="Save it as the login of this user on this host instead of printing it.")] = False,
    json: AsJson = False,
) -> None:
    """Create a token. It is shown only now."""
    from zcplatform.core.audit import Entry
    from zcplatform.ids import new_token_id
    from zcplatform.store import audit, tokens
    from zcplatform.vault.sealing import token_hash

    settings = host.load(context)
    value = "zcp_" + secrets.token_urlsafe(32)
    now = clock.now()
    at, expires_at, token_id = clock.text(now), clock.text(now + timedelta(days=days)), new_token_id()

    with host.database(settings) as database:
        hashed = token_hash(host.root_keys(settings).token_pepper, value)
        token = tokens.Token(token_id, name, hashed, value[:HINT_CHARACTERS], at, expires_at)

        def write(tx: "Tx") -> None:
            tokens.insert(tx, token)
            changes = {"name": [None, name], "expires_at": [None, expires_at]}
            audit.append(tx, Entry(at, ACTOR, "token.create", token_id, changes=changes))

        database.write_now(write)
    made = {"id": token_id, "expires_at": expires_at}
    if save:
        path = save_credentials(Credentials(LOCAL, value, settings.web_socket))
        output.print_json({**made, "saved_in": str(path)}) if json else output.print_line(f"saved in {path}; expires {expires_at}")
    else:
        output.print_json({**made, "token": value}) if json else output.print_line(value)


@app.command("list")
def listing(context: typer.Context, json: AsJson = False) -> None:
    """List all tokens, without their values."""
    from zcplatform.store import tokens

    with host.database(host.load(context)) as database:
        rows = database.read(tokens.everything)
    if json:
        output.print_json([{key: value for key, value in row.__dict__.items() if key != "hash"} for row in rows])
        return
    moment = clock.now()
    now = clock.text(moment)
    states = ["revoked" if row.revoked_at else "expired" if row.expires_at <= now else "valid" for row in rows]
    listed = [
        (row.id, row.name, row.hint + "…", state, formats.age(row.expires_at, moment), formats.age(row.last_used_at, moment) or "never")
        for row, state in zip(rows, states, strict=True)
    ]
    output.print_table(
        ("ID", "NAME", "BEGINS WITH", "STATE", "EXPIRES", "LAST USED"),
        listed,
        "No tokens yet: zcplatform admin token create --name NAME --save",
    )


@app.command()
def revoke(context: typer.Context, token: Annotated[str, typer.Argument(help="Id of the token.")], json: AsJson = False) -> None:
    """Revoke a token. It stops working at once."""
    from zcplatform.core.audit import Entry
    from zcplatform.store import audit, tokens

    at = clock.text(clock.now())

    def write(tx: "Tx") -> bool:
        done = tokens.revoke(tx, token, at)
        if done:
            audit.append(tx, Entry(at, ACTOR, "token.revoke", token))
        return done

    with host.database(host.load(context)) as database:
        if not database.write_now(write):
            raise CommandError("token.unknown", f"There is no valid token {token}", "zcplatform admin token list")
    output.print_json({"id": token, "revoked_at": at}) if json else output.print_line("revoked")
