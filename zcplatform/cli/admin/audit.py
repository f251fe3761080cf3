"""zcplatform admin audit …: verify the audit log from the file alone, and remove old entries behind a signed checkpoint."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from zcplatform.cli import output
from zcplatform.cli.admin import host
from zcplatform.cli.context import AsJson
from zcplatform.cli.errors import CommandError

if TYPE_CHECKING:
    from zcplatform.core.anchors import Signed
    from zcplatform.store.audit import Chain, Checkpoint
    from zcplatform.store.db import Tx

app = typer.Typer(no_args_is_help=True, help="The audit log.")
anywhere = typer.Typer(no_args_is_help=True, help="The audit log: list entries, or verify a copy of its file.")
COMPARE = "Compare with a backup. Copy a database that is open with `sqlite3 zcplatform.db '.backup COPY'`: a plain copy lacks its -wal."
PRUNE_S = 600.0
"""Following the chain and deleting take about a minute for each million entries."""
File = Annotated[
    Path | None, typer.Option("--file", exists=True, dir_okay=False, help="A database file, which may be a copy. Default: this host's.")
]
AnchorFile = Annotated[
    Path | None,
    typer.Option("--anchors", exists=True, dir_okay=False, help="File with the signed anchors, or the system log that has them."),
]
PublicKey = Annotated[str, typer.Option("--public-key", help="Public key of the signatures, as `zcplatform admin audit key` prints it.")]


@anywhere.command()
@app.command()
def verify(context: typer.Context, file: File = None, anchors: AnchorFile = None, key: PublicKey = "", json: AsJson = False) -> None:
    """Verify the hash chain of the audit log. Finds edited, removed and swapped entries; with anchors also truncation and a rewritten log."""
    from zcplatform.store import audit

    if file is None:
        settings = host.load(context)
        file, on_host = settings.database, True
        anchors = anchors or (settings.anchor_file if settings.anchor_file.exists() and settings.audit_anchor != "syslog" else None)
    else:
        on_host = False
    with _reading(file) as tx:
        found = audit.follow(tx, {})
        start = found.checkpoint if isinstance(found, audit.Chain) else None
        signers = {_key(context, key, on_host=on_host)} if anchors is not None or start is not None else set()
        signed = _anchors(anchors, signers) if anchors is not None else []
        anchored = {one.anchor.sequence: bytes.fromhex(one.anchor.hash) for one in signed if one.anchor.sequence}
        if isinstance(found, audit.Chain):
            _same_twice(signed)
            found = audit.follow(tx, {at: hash_ for at, hash_ in anchored.items() if start is None or at > start.sequence})
    if isinstance(found, audit.Break):
        raise CommandError("audit.broken", f"The chain breaks at entry {found.sequence}: {found.why}", COMPARE)
    if start is not None:
        _check(start, signers, anchored)
    _say(found, len(signed), has_anchors=anchors is not None, json=json)


@app.command()
def key(context: typer.Context, json: AsJson = False) -> None:
    """Print the public key that signs anchors and checkpoints. Keep a copy away from this host, where the log is verified."""
    settings = host.load(context)
    with host.database(settings):
        public = host.root_keys(settings).audit_public.hex()
    output.print_json({"key": public}) if json else output.print_line(public)


@app.command()
def prune(
    context: typer.Context,
    before: Annotated[str, typer.Option(help="Remove entries older than this day (UTC), for example 2026-01-31.")],
    json: AsJson = False,
) -> None:
    """Remove old entries. A signed checkpoint takes their place, from which the rest is verified. Export them first."""
    from datetime import date

    from zcplatform import clock
    from zcplatform.core.anchors import checkpoint_message
    from zcplatform.core.audit import Entry
    from zcplatform.store import audit
    from zcplatform.vault import signing

    try:
        day = f"{date.fromisoformat(before).isoformat()}T00:00:00.000Z"
    except ValueError:
        raise CommandError("audit.date", f"`{before}` is not a day", "For example --before 2026-01-31") from None
    settings, at = host.load(context), clock.text(clock.now())
    with host.database(settings) as database:
        keys = host.root_keys(settings)

        def write(tx: "Tx") -> int:
            last = audit.last_before(tx, day)
            if last is None:
                return 0
            if isinstance(broken := audit.verify(tx), audit.Break):
                raise CommandError(
                    "audit.broken", f"The chain breaks at entry {broken.sequence}: nothing was removed", "zcplatform admin audit verify"
                )
            sequence, hash_ = last
            signature = signing.sign(keys.audit_signer, checkpoint_message(sequence, hash_, at, keys.audit_public))
            audit.append(tx, Entry(at, "host:root", "audit.prune", f"up to {sequence}", changes={"before": [None, day]}))
            return audit.prune(tx, audit.Checkpoint(sequence, hash_, at, keys.audit_public, signature))

        removed = database.write_now(write, PRUNE_S)
    output.print_json({"removed": removed}) if json else output.print_line(f"removed {removed} entries")


@contextmanager
def _reading(path: Path) -> "Iterator[Tx]":
    import apsw

    from zcplatform.store.db import open_read_only

    if not path.exists():
        raise CommandError("database.missing", f"There is no database at {path}", "Start the platform once: zcplatform serve")
    try:
        with open_read_only(path) as tx:
            yield tx
    except apsw.Error as error:
        raise CommandError(
            "audit.unreadable", f"{path} cannot be read as a zcplatform database: {error}", "Name a copy of zcplatform.db."
        ) from None


def _key(context: typer.Context, text: str, *, on_host: bool) -> bytes:
    """The public key that was given; on the host itself, the one of its root key."""
    if text:
        try:
            found = bytes.fromhex(text)
        except ValueError:
            found = b""
        if len(found) != 32:
            raise CommandError("audit.key", "--public-key takes 64 hexadecimal characters", "zcplatform admin audit key prints it.")
        return found
    if not on_host:
        raise CommandError(
            "audit.key", "The public key is needed to check the signatures", "Add --public-key; zcplatform admin audit key prints it."
        )
    settings = host.load(context)
    with host.database(settings):
        return host.root_keys(settings).audit_public


def _anchors(path: Path, signers: set[bytes]) -> "list[Signed]":
    """The anchors of a file, all signed by `signers`; keys that a signed anchor vouches for are added to `signers`."""
    from zcplatform.core.anchors import NotAnAnchor, parse
    from zcplatform.vault import signing

    text = path.read_text(errors="replace")
    lines = text.splitlines() if text.endswith("\n") else text.splitlines()[:-1]  # one that is just being written, or was cut off
    try:
        found = list(parse(lines))
        waiting = list(enumerate(found, 1))
        while ours := [(number, one) for number, one in waiting if bytes.fromhex(one.anchor.signer) in signers]:
            for number, one in ours:
                anchor = one.anchor
                if not signing.is_signed(bytes.fromhex(anchor.signer), anchor.message(), bytes.fromhex(one.signature)):
                    raise _foreign(path, number)
                signers |= {bytes.fromhex(other) for other in (anchor.next_signer, anchor.last_signer) if other}
            waiting = [one for one in waiting if one not in ours]
    except NotAnAnchor as error:
        raise CommandError("audit.anchors", f"{path}: {error}", "Compare with another copy of the anchors.") from None
    if waiting:
        raise _foreign(path, waiting[0][0])
    return found


def _foreign(path: Path, number: int) -> CommandError:
    return CommandError(
        "audit.anchors",
        f"{path}: anchor {number} is not signed by the key of this installation",
        "Give the --public-key of the installation that signed it.",
    )


def _same_twice(signed: "list[Signed]") -> None:
    """Raises CommandError when two anchors of one entry differ: the log was truncated and grew again between them."""
    seen: dict[int, str] = {}
    for one in signed:
        if seen.setdefault(one.anchor.sequence, one.anchor.hash) != one.anchor.hash:
            raise CommandError(
                "audit.broken",
                f"Entry {one.anchor.sequence} was anchored with two contents: the log was rewritten",
                "Compare with a backup.",
            )


def _check(start: "Checkpoint", signers: set[bytes], anchored: dict[int, bytes]) -> None:
    from zcplatform.core.anchors import checkpoint_message
    from zcplatform.vault import signing

    message = checkpoint_message(start.sequence, start.hash, start.at, start.signer)
    is_good = start.signer in signers and signing.is_signed(start.signer, message, start.signature)
    if not is_good or anchored.get(start.sequence, start.hash) != start.hash:
        raise CommandError(
            "audit.broken",
            f"Entries up to {start.sequence} were removed, and not by `audit prune`: the checkpoint is not signed by this installation's key",
            "Compare with a backup. After a change of the root key, give the --anchors too.",
        )


def _say(found: "Chain", anchors: int, *, has_anchors: bool, json: bool) -> None:
    start = found.checkpoint.sequence if found.checkpoint else 0
    if json:
        result = {"entries": found.entries}
        output.print_json(result | ({"anchors": anchors} if anchors else {}) | ({"pruned_up_to": start} if start else {}))
        return
    parts = [f"the chain of {found.entries} entries is whole"]
    parts += [f"it begins after entry {start}, at a signed checkpoint"] if start else []
    parts += [f"{anchors} anchors agree with it"] if anchors else []
    parts += [] if has_anchors else ["without --anchors, missing entries at its end do not show"]
    output.print_line("; ".join(parts))
