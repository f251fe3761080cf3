"""/login and /invitation: small static pages that complete the links of mails and of the host's commands, until the panel replaces them.

Scripts and styles come from two files only; inline scripts do not run, and the pages may connect to this origin only.
"""

from importlib.resources import files
from typing import Annotated

from fastapi import APIRouter, Path
from fastapi.responses import Response

router = APIRouter(include_in_schema=False)
FOLDER = files("zcplatform.web") / "static"
TYPES = {"html": "text/html; charset=utf-8", "css": "text/css; charset=utf-8", "js": "text/javascript; charset=utf-8"}
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "require-trusted-types-for 'script'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)
Asset = Annotated[str, Path(pattern=r"^pages\.(css|js)$")]


@router.get("/login")
async def login() -> Response:
    """Sign in with a link or a mailed code."""
    return _file("login.html")


@router.get("/invitation")
async def invitation() -> Response:
    """Accept an invitation, after signing in."""
    return _file("invitation.html")


@router.get("/assets/{name}")
async def asset(name: Asset) -> Response:
    """The style and the script of both pages."""
    return _file(name)


def _file(name: str) -> Response:
    return Response((FOLDER / name).read_bytes(), headers={"Content-Security-Policy": POLICY}, media_type=TYPES[name.rpartition(".")[2]])
