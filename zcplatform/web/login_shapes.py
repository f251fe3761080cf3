"""The JSON of signing in."""

from typing import Annotated, Literal

from pydantic import BaseModel, Field, SecretStr

from zcplatform.web.inputs import Input, Pasted


class CodeRequest(Input):
    email: Annotated[str, Pasted, Field(min_length=1, max_length=400, examples=["ann@example.com"])]


class CodeAnswer(Input):
    """`challenge` is for programs without cookies: the value of the cookie that the request for the code set."""

    code: Annotated[SecretStr, Pasted, Field(min_length=1, max_length=40, description="8 digits; spaces and hyphens do not matter")]
    challenge: Annotated[SecretStr, Pasted, Field(min_length=1, max_length=100)] | None = None


class EmailChange(Input):
    email: Annotated[str, Pasted, Field(min_length=1, max_length=400, description="the new address")]


class EmailChanged(BaseModel):
    email: str


class LinkToken(Input):
    token: Annotated[SecretStr, Pasted, Field(min_length=1, max_length=100, description="the part of the link after `#link=`")]


class Methods(BaseModel):
    """The sign-in methods. `hint` says what to do if codes cannot be mailed."""

    mail: bool
    hint: str


class CodeSent(BaseModel):
    """The same for every address. The browser holds the challenge as a cookie."""

    detail: str
    expires_in_s: int


class SignedIn(BaseModel):
    user_id: str
    email: str
    session_id: str
    expires_at: str
    idle_s: int


class SteppedUp(BaseModel):
    """A confirmed session; valid for ten minutes from `stepped_up_at`."""

    stepped_up_at: str


class Session(BaseModel):
    id: str
    method: Literal["code", "link"]
    address: str
    agent: str
    created_at: str
    last_used_at: str
    expires_at: str
    stepped_up_at: str | None
    is_this: bool


class Sessions(BaseModel):
    items: list[Session]


class Ended(BaseModel):
    """How many sessions ended."""

    ended: int
