"""Words and forms that do not appear in our prose, each with the one to use instead (the glossary is in docs/architecture.md)."""

import re
from collections.abc import Iterator
from pathlib import Path

from tests.house.prose import prose

INSTEAD = (
    (r"can\s+not", "cannot"),
    (r"he|his|him|himself", "they, their, or the role (user, owner, operator)"),
    (r"she|her|hers|herself", "they, their, or the role (user, owner, operator)"),
    (r"told", "reported, shown, or say what was sent to whom"),
    (r"tells?", "report, show, return; distinguish"),
    (r"mend(?:s|ed|ing)?", "repair, fix"),
    (r"tak(?:e|es|en|ing)\s+back|took\s+back", "roll(ed) back"),
    (r"nobody\s+of", "no one in, none of"),
    (r"lets?\s+(?:\w+\s+)?in|lets?\s+go", "allow(s), admit(s), sign(s) in; release(s), revoke(s)"),
    (r"(?:is|are|was|what(?:\s+is|\s+was)?|who|as)\s+asked(?!\s+to)", "requested; a request"),
    (r"who\s+asks|whoever\s+asks", "the caller, the current user"),
    (r"goes|went", "say what happens: is sent, is removed, continues; the outcome"),
    (r"wish(?:es|ed)?", "desired state, request"),
    (r"sign\s+of\s+life", "heartbeat"),
    (r"blot(?:s|ted|ting)?\s+out", "redact(ed)"),
    (r"forgetting", "retention"),
    (r"verdicts?", "configuration check; its result"),
    (r"converg(?:e|es|ed|ing|ence)", "reconcile, reconciliation"),
    (r"lie|lies|lay|lain", "is stored, is in"),
    (r"stands?\s+(?:in(?!\s+for)|there)", "is in, exists"),
    (r"by\s+hand\s+of|at\s+the\s+hands?\s+of", "by"),
    (r"brings?\s+(?:up|down)?\s*\w*\s*about|makes?\s+it\s+so", "reconcile"),
    (r"has\s+a\s+say|no\s+say", "may decide"),
    (r"thrice|hitherto|thereof|wherewith|whereof|herein|therein|whither|thither", "a plainer word"),
    (r"is\s+none\s+of|is\s+no\s+member|is\s+no\s+longer\s+let", "is not one of, is not a member"),
    (r"taken\s+away\s+for\s+good|for\s+good\s+and\s+all", "deleted permanently"),
    (r"letters?\s+(?:waits?|is\s+sent|are\s+sent)", "mail, message"),
)
RULES = tuple((re.compile(rf"\b(?:{form})\b", re.IGNORECASE), better) for form, better in INSTEAD)
ANY = re.compile(rf"\b(?:{'|'.join(form for form, _ in INSTEAD)})\b", re.IGNORECASE)


def findings(path: Path, text: str) -> Iterator[tuple[int, str, str]]:
    """The line, the words found and what to write instead."""
    if not ANY.search(text):
        return
    for first, piece in prose(path, text):
        if ANY.search(piece):
            matches = [(match, better) for pattern, better in RULES for match in pattern.finditer(piece)]
            for match, better in sorted(matches, key=lambda each: each[0].start()):
                yield first + piece.count("\n", 0, match.start()), " ".join(match[0].split()), better
