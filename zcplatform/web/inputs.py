"""The base of all request bodies: unknown fields are rejected, and so is text that UTF-8 cannot hold."""

from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, model_validator

from zcplatform.agent.fields import is_text
from zcplatform.errors import BadInput

_MOST_NAMED = 20


def _stripped(value: object) -> object:
    return value.strip() if isinstance(value, str) else value


Pasted = BeforeValidator(_stripped)
"""For a code, a token or an address that people paste: white space around it is removed."""


class Input(BaseModel):
    """The body of a request. Unknown fields are rejected."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    @model_validator(mode="before")
    @classmethod
    def _is_text(cls, sent: Any) -> Any:
        """JSON can hold half a surrogate pair (`\\ud800`), which cannot be stored, hashed or sent on."""
        found = [path for path, _ in zip(_unencodable(sent), range(_MOST_NAMED), strict=False)]
        if found:
            why = "holds half of a surrogate pair, which is not a character"
            raise BadInput(
                "request.invalid", f"The request is not valid: {', '.join(found)}", "Send valid Unicode", fields=dict.fromkeys(found, why)
            )
        return sent


def _unencodable(sent: object) -> Iterator[str]:
    """Return the paths of texts that UTF-8 cannot hold. In a path, such a name is shown as `…`."""
    waiting: list[tuple[object, tuple[str, ...]]] = [(sent, ())]  # no recursion: a body may be nested as deep as it likes
    while waiting:
        value, path = waiting.pop()
        if isinstance(value, str) and not is_text(value):
            yield ".".join(path) or "body"
        elif isinstance(value, dict):
            yield from (".".join((*path, "…")) for name in value if isinstance(name, str) and not is_text(name))
            waiting += [(inner, (*path, name)) for name, inner in value.items() if isinstance(name, str) and is_text(name)]
        elif isinstance(value, list):
            waiting += [(inner, (*path, str(position))) for position, inner in enumerate(value)]
