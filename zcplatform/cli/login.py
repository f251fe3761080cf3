"""zcplatform login, logout, whoami: sign in from a terminal with a mailed code, a link or a token, and sign out."""

import ipaddress
import os
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import urlsplit

import typer

from zcplatform.cli import credentials, output, prompts
from zcplatform.cli.context import AsJson, open_api, route
from zcplatform.cli.credentials import Credentials
from zcplatform.cli.errors import CommandError

if TYPE_CHECKING:
    from zcplatform.cli.client import Api

Address = Annotated[str, typer.Argument(metavar="URL", help="Address of the panel, for example https://panel.agents.example.com")]
Email = Annotated[
    str | None, typer.Option(metavar="ADDRESS", help="Sign in as a person: a code is mailed to this address; enter it at the prompt.")
]
Link = Annotated[
    bool, typer.Option("--link", help="Sign in as a person with a link from `zcplatform admin login-link`, entered at the prompt.")
]
FORBIDDEN = 403


def login(api: Address, email: Email = None, link: Link = False, json: AsJson = False) -> None:
    """Sign in to an installation and remember it. Without --email or --link, prompts for a token.

    A session lasts a day and is stored in a file that only you can read. Sign in to several installations and choose with --api URL.
    """
    url = credentials.normalized(api)
    if email is not None and link:
        raise typer.BadParameter("--email and --link are two ways to sign in; use one")
    found = _as_person(url, email) if email is not None or link else _with_token(url)
    path = credentials.save_credentials(found)
    if json:
        output.print_json({"api": found.api, "email": found.email or None, "saved_in": str(path)})
    else:
        output.print_line(f"signed in{f' as {found.email}' if found.email else ''}; saved in {path}")
    _warn_of_variables(url)


def _with_token(url: str) -> Credentials:
    from zcplatform.cli.client import Api

    found = Credentials(url, credentials.checked(prompts.ask("Token", is_secret=True), "standard input"))
    with Api(found) as client:
        try:
            client.get(route("me"))
        except CommandError as error:
            if error.status != FORBIDDEN:  # a token whose scopes do not include this is a good one
                raise
    return found


def _as_person(url: str, email: str | None) -> Credentials:
    """A new session; whatever was saved for this address before is replaced, but for what marks this machine as known."""
    from zcplatform.cli.client import BROWSER, SESSION, Api

    before = credentials.load_saved().logins.get(url)
    browser = before.browser if before is not None else ""
    with Api(Credentials(url, browser=browser)) as api:
        _refuse_plain_http(api)
        user = _by_code(api, email) if email is not None else _by_link(api)
        cookies = dict(api.cookies)
    if not cookies.get(SESSION):
        raise CommandError("login.cookie", f"{url} accepted the sign-in and sent no session", "Is there a proxy that removes cookies?")
    return Credentials(url, session=cookies[SESSION], browser=cookies.get(BROWSER, browser), email=user["email"])


def _by_code(api: "Api", email: str) -> dict[str, Any]:
    from zcplatform.cli.client import CHALLENGE

    methods = api.get(route("auth", "methods"))
    if not methods["mail"]:
        raise CommandError(
            "login.mail",
            f"{api.login.place} sends no mail: no mail server is configured",
            "Ask the operator for a link (on the host: zcplatform admin login-link EMAIL), then: zcplatform login URL --link",
        )
    api.send("POST", route("auth", "otp", "request"), {"email": email})
    challenge = api.cookies.get(CHALLENGE, "")
    return prompts.answer_code(
        f"If {email} may sign in here, a code is on its way to it. It works for 10 minutes.",
        lambda code: dict(api.send("POST", route("auth", "otp", "verify"), {"code": code, "challenge": challenge})),
    )


def _by_link(api: "Api") -> dict[str, Any]:
    typed = prompts.ask("Link", is_secret=True)
    return dict(api.send("POST", route("auth", "link"), {"token": secret_of(api, typed, "link")}))


def secret_of(api: "Api", typed: str, name: str) -> str:
    """The token in a pasted link (`…#link=TOKEN`), or the token alone. Raises CommandError for the link of another installation."""
    link, _, token = typed.rpartition(f"#{name}=")
    host = _host_of(link) if "://" in link else None
    if host is not None and host != api.url.host and api.login.socket is None and not _is_local(api.url.host):
        raise CommandError(
            "login.other_link", f"This link is for {host}; it was not sent to {api.url.host}", "Name the address of the link."
        )
    return credentials.checked(token, f"the {name}", f"Paste the whole link, with the part after #{name}=.")


def _host_of(link: str) -> str:
    try:
        return urlsplit(link).hostname or ""
    except ValueError:
        raise CommandError("login.link", f"`{link[:200]}` is not a link", "Paste the whole link as it was given.") from None


def _refuse_plain_http(api: "Api") -> None:
    """A session over plain HTTP could be read by anybody in between. Names of this machine never leave it."""
    host = api.url.host
    if api.url.scheme == "http" and not _is_local(host):
        raise CommandError(
            "login.plain", f"{api.login.api} is not encrypted: a session would be readable on the way", f"Use https://{host}"
        )


def _is_local(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def _warn_of_variables(url: str) -> None:
    if os.environ.get(credentials.TOKEN_VARIABLE):
        output.print_error(f"{credentials.TOKEN_VARIABLE} is set and is used instead of this login until you unset it.")
    named = os.environ.get(credentials.API_VARIABLE)
    if named and credentials.normalized(named) != url:
        output.print_error(f"{credentials.API_VARIABLE} names {named}: commands go there until you unset it.")


def logout(
    api: Annotated[str | None, typer.Argument(metavar="[URL]", help="Address to sign out of; the current one otherwise.")] = None,
    json: AsJson = False,
) -> None:
    """End the session and forget the login. A token is forgotten too, but stays valid until it is revoked."""
    saved = credentials.load_saved()
    url = credentials.normalized(api) if api else saved.current
    found = saved.logins.get(url)
    if found is None or not found.is_signed_in:
        raise CommandError("login.missing", f"You are not signed in{f' at {url}' if url else ''}", credentials.SIGN_IN)
    if found.session:
        _end_session(found)
    credentials.forget_credentials(url)
    output.print_json({"api": url}) if json else output.print_line(f"signed out of {found.place}")


def _end_session(found: Credentials) -> None:
    """At the platform as well; one that has ended already is as good."""
    from zcplatform.cli.client import Api

    try:
        with Api(found) as api:
            api.send("POST", route("auth", "logout"))
    except CommandError as error:
        if error.status not in (401, 403) and error.code != "api.unreachable":
            raise
        if error.code == "api.unreachable":
            output.print_error(f"{error.detail}. The session there ends by itself within a day.")


def whoami(context: typer.Context, json: AsJson = False) -> None:
    """Show the current user and their tenants."""
    with open_api(context) as api:
        me, tenants = api.get(route("me")), api.get(route("me", "tenants"))["items"]
    if json:
        output.print_json({**me, "api": api.login.api, "tenants": tenants})
        return
    kind = "super-admin" if me["is_super_admin"] else me["kind"]
    output.print_facts({"api": api.login.place, "id": me["id"], "name": me["name"], "kind": kind})
    rows = [(item["slug"], item["role"], item["state"], item["name"]) for item in tenants]
    output.print_table(("TENANT", "ROLE", "STATE", "NAME"), rows, "Not a member of any tenant.")
