"""Bearer tokens and the one-time code that creates one: a single pending code, ten minutes, five wrong attempts; tokens are stored as hashes only."""

import hmac
import secrets
import string
from dataclasses import dataclass, field

from zcplatform.agent.sealed import new_token, token_hash
from zcplatform.demo_agent.limits import LOCKOUT_S, MOST_KEYS, Clock

CODE_LENGTH = 32
CODE_S = 600
MOST_WRONG = 5
_ALPHABET = string.digits + string.ascii_letters


@dataclass
class LockedOut(Exception):
    retry_after_s: int


@dataclass
class Guard:
    is_required: bool
    hashes: set[str]
    now: Clock
    _code: tuple[str, float] | None = None
    _wrong: dict[str, tuple[int, float]] = field(default_factory=dict)

    def knows(self, token: str) -> bool:
        return not self.is_required or token_hash(token) in self.hashes

    def mint(self) -> str:
        """Create a code. It ends the previous one."""
        code = "".join(secrets.choice(_ALPHABET) for _ in range(CODE_LENGTH))
        self._code = (code, self.now())
        return code

    @property
    def has_code(self) -> bool:
        return self._code is not None and self.now() - self._code[1] < CODE_S

    def redeem(self, code: str, client: str) -> str | None:
        """Exchange a code for a token. Returns None if the code is wrong or expired; raises LockedOut after five wrong ones."""
        count, since = self._wrong.pop(client, (0, 0.0))
        if count >= MOST_WRONG:
            left = int(LOCKOUT_S - (self.now() - since))
            if left > 0:
                self._wrong[client] = (count, since)
                raise LockedOut(left)
            count = 0
        if self.has_code and self._code is not None and hmac.compare_digest(code.strip().encode(), self._code[0].encode()):
            self._code = None
            token = new_token()
            self.hashes.add(token_hash(token))
            return token
        self._wrong[client] = (count + 1, self.now())
        if len(self._wrong) > MOST_KEYS:
            self._wrong.pop(next(iter(self._wrong)))
        return None
