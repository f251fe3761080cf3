"""What is signed about the audit log: anchors of its head, stored elsewhere, and checkpoints where older entries were removed.

Pure: this module defines the bytes. `vault.signing` signs and verifies them.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, fields

from zcplatform import bounded_json
from zcplatform.core.audit import canonical

_HEX = re.compile(r"([0-9a-f]{2})*")


@dataclass(frozen=True)
class Anchor:
    """The head of the log at one moment. `hash` and keys are hexadecimal.

    `kind` is start, hour, stop or key. A change of key leaves two of kind `key`: the old key names its successor, the new one its predecessor.
    """

    kind: str
    instance: str
    at: str
    sequence: int
    hash: str
    signer: str
    next_signer: str = ""
    last_signer: str = ""

    def message(self) -> bytes:
        return b"zcplatform audit anchor 1\n" + canonical(asdict(self)).encode()


@dataclass(frozen=True)
class Signed:
    anchor: Anchor
    signature: str

    def line(self) -> str:
        return canonical({**asdict(self.anchor), "signature": self.signature})


class NotAnAnchor(ValueError):
    """A line of the anchor file that was cut or changed; `number` counts from 1."""

    def __init__(self, number: int) -> None:
        super().__init__(f"line {number} is not an anchor")
        self.number = number


def parse(lines: Iterable[str]) -> Iterator[Signed]:
    """Parse one line; text that a system log writes before the JSON object is ignored. Raises NotAnAnchor."""
    for number, line in enumerate(lines, 1):
        begin = line.find("{")
        if begin < 0 and not line.strip():
            continue
        try:
            decoded = bounded_json.loads(line[begin:])
            signature = decoded.pop("signature")
            anchor = Anchor(**decoded)
        except (ValueError, KeyError, TypeError, AttributeError):
            raise NotAnAnchor(number) from None
        kinds = {field.name: int if field.name == "sequence" else str for field in fields(Anchor)}
        texts = (anchor.hash, anchor.signer, anchor.next_signer, anchor.last_signer, signature)
        if not all(isinstance(text, str) and _HEX.fullmatch(text) for text in texts) or not all(
            type(getattr(anchor, name)) is kind for name, kind in kinds.items()
        ):
            raise NotAnAnchor(number)
        yield Signed(anchor, signature)


def checkpoint_message(sequence: int, hash_: bytes, at: str, signer: bytes) -> bytes:
    """Return the bytes that a checkpoint signs: all entries up to `sequence`, which has this hash, were removed on purpose at this time."""
    return b"zcplatform audit checkpoint 1\n" + canonical([sequence, hash_.hex(), at, signer.hex()]).encode()
