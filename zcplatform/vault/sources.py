"""Read the root key from a systemd credential, or derive it from a passphrase with argon2id. (`keys` reads it from a file.)"""

import json
import os
import secrets
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from getpass import getpass
from pathlib import Path

from nacl.pwhash import argon2id

from zcplatform import bounded_json
from zcplatform.errors import CannotRun

CREDENTIAL = "root.key"
DESCRIPTOR = "ZCPLATFORM_PASSPHRASE_FD"
SHORTEST = 12
_MOST_MEMORY = 1 << 30
_MOST_OPS = 20


@dataclass(frozen=True)
class Stretch:
    """The argon2id parameters of a passphrase. They are not secret, and stored in the database: a copy of it needs only the passphrase."""

    salt: str
    ops: int = 4
    memory_bytes: int = 64 * 1024 * 1024

    @classmethod
    def new(cls) -> "Stretch":
        return cls(secrets.token_bytes(argon2id.SALTBYTES).hex())

    @classmethod
    def parse(cls, text: str) -> "Stretch":
        """Parse the stored parameters. Raises CannotRun.

        The values are bounded, because the web process can write the row and must not make the worker use up the host's memory.
        """
        try:
            found = cls(**bounded_json.loads(text))
            if len(bytes.fromhex(found.salt)) != argon2id.SALTBYTES or not (0 < found.ops <= _MOST_OPS):
                raise ValueError(text)
            if not argon2id.MEMLIMIT_MIN <= found.memory_bytes <= _MOST_MEMORY:
                raise ValueError(text)
        except (ValueError, TypeError):
            raise CannotRun("key.stretch", "The passphrase parameters in the database are damaged", "Restore it from a backup") from None
        return found

    def text(self) -> str:
        return json.dumps(asdict(self))

    def key(self, passphrase: bytes) -> bytes:
        return argon2id.kdf(32, passphrase, bytes.fromhex(self.salt), opslimit=self.ops, memlimit=self.memory_bytes)


def credential() -> Path:
    """Return the path of the credential that systemd passed to this unit. Raises CannotRun."""
    folder = os.environ.get("CREDENTIALS_DIRECTORY")
    if folder is None:
        raise CannotRun(
            "key.credential",
            "key_source is credential, but $CREDENTIALS_DIRECTORY is not set",
            f"LoadCredentialEncrypted={CREDENTIAL}:… in the unit; for one command: systemd-run -P -p LoadCredentialEncrypted=…",
        )
    return Path(folder) / CREDENTIAL


def passphrases(prompts: Sequence[str]) -> list[bytes]:
    """Return one passphrase for each prompt, read from the file descriptor that the variable names (and then closed), or typed at the terminal."""
    number = os.environ.pop(DESCRIPTOR, None)
    if number is not None:
        try:
            with os.fdopen(int(number), "rb") as file:
                lines = file.read(64 * 1024).split(b"\n")
        except (OSError, ValueError):
            raise CannotRun("key.passphrase", f"File descriptor {number} of {DESCRIPTOR} cannot be read", "Open it for reading") from None
        if len(lines) < len(prompts) or not all(lines[: len(prompts)]):
            raise CannotRun(
                "key.passphrase",
                f"The file descriptor of {DESCRIPTOR} has too few lines",
                f"It needs one line each for: {', '.join(prompts)}",
            )
        return lines[: len(prompts)]
    if not sys.stdin.isatty():
        raise CannotRun("key.passphrase", "A passphrase is needed, and there is no terminal to type it", f"{DESCRIPTOR}=3 … 3<FILE")
    return [getpass(f"{prompt}: ").encode() for prompt in prompts]


def checked(new: bytes) -> bytes:
    """Raises CannotRun if the passphrase is too short to be safe."""
    if len(new) < SHORTEST:
        raise CannotRun("key.passphrase", f"The passphrase is shorter than {SHORTEST} characters", "Use six random words or more")
    return new
