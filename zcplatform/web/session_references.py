"""The signed reference to a session in a browser's cookie: a JWT that only identifies the row. It contains no permissions.

One algorithm, one type, one issuer; headers that name a key, or where to get one, are rejected. Keys come from the worker; the newest one signs.
"""

from collections.abc import Mapping
from datetime import datetime

import jwt

from zcplatform import clock
from zcplatform.core.login import SESSION_LIVES
from zcplatform.ops.sessions import Session

ALGORITHM = "HS256"
TYPE = "zcplatform-session+jwt"
AUDIENCE = "session"
LONGEST = 1_000
LEEWAY_S = 5
_CLAIMS = frozenset({"iss", "aud", "sub", "sid", "iat", "nbf", "exp"})


class References:
    """`keys` by number; replaced as a whole when the worker hands over others."""

    def __init__(self, instance: str, keys: Mapping[int, bytes]) -> None:
        self._issuer = f"zcplatform/{instance}"
        self.keys = dict(keys)

    def sign(self, session: Session) -> str:
        begun = _seconds(clock.parse(session.created_at))
        number = max(self.keys)
        claims = {
            "iss": self._issuer,
            "aud": AUDIENCE,
            "sub": session.user_id,
            "sid": session.id,
            "iat": begun,
            "nbf": begun,
            "exp": _seconds(clock.parse(session.expires_at)),
        }
        return jwt.encode(claims, self.keys[number], ALGORITHM, {"typ": TYPE, "kid": str(number)})

    def read(self, text: str) -> tuple[str, str] | None:
        """Return (session, user), or None for a reference that is invalid, not valid yet, or expired."""
        try:
            key = self._key(text)
            if key is None:
                return None
            claims = jwt.decode(
                text,
                key,
                [ALGORITHM],
                audience=AUDIENCE,
                issuer=self._issuer,
                leeway=LEEWAY_S,
                options={"require": sorted(_CLAIMS), "strict_aud": True},
            )
        except (jwt.PyJWTError, ValueError, TypeError):
            return None
        if set(claims) != _CLAIMS or not 0 < claims["exp"] - claims["iat"] <= SESSION_LIVES.total_seconds():
            return None
        session, user = claims["sid"], claims["sub"]
        return (session, user) if isinstance(session, str) and isinstance(user, str) else None

    def _key(self, text: str) -> bytes | None:
        if len(text) > LONGEST or not text.isascii():
            return None
        header = jwt.get_unverified_header(text)
        if set(header) != {"alg", "typ", "kid"} or header["alg"] != ALGORITHM or header["typ"] != TYPE:
            return None
        kid = header["kid"]
        return self.keys.get(int(kid)) if isinstance(kid, str) and kid.isdecimal() and kid.isascii() and len(kid) < 10 else None


def _seconds(moment: datetime) -> int:
    return int(moment.timestamp())
