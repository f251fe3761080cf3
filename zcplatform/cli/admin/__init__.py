"""Commands for root on the host, before or beside the running platform. They open the database themselves."""

import typer

from zcplatform.cli.admin import audit, bootstrap, keys, login_link, mail, signing, teardown, tokens

app = typer.Typer(no_args_is_help=True, help="Commands for root on the platform's host. They work without the API.")
app.command()(bootstrap.bootstrap)
app.command()(login_link.login_link)
app.add_typer(tokens.app, name="token")
app.add_typer(audit.app, name="audit")
app.add_typer(mail.app, name="mail")
app.command()(keys.rotate_key)
app.command()(signing.rotate_signing_key)
app.command()(teardown.teardown)
