"""What to do next, in commands: replaces the API's hints that name HTTP routes, which help programs but not somebody at a terminal."""

import re

from zcplatform.cli.credentials import SIGN_IN

HINTS = {
    "config.changed": "See what changed with zcplatform revisions list SLUG and zcplatform revisions diff SLUG NUMBER, then repeat your change.",
    "access.denied": "zcplatform whoami shows your role; docs/reference/permissions.md lists what each role may do.",
    "agent.no_provider": "zcplatform tenants set SLUG --provider FAMILY --model MODEL --key-file - adds one.",
    "channel.unknown_type": "zcplatform channels types lists them.",
    "channel.unknown": "zcplatform channels list SLUG shows them.",
    "device.unknown": "zcplatform devices list SLUG shows them.",
    "drift.none": "zcplatform drift show SLUG shows what differs.",
    "drift.not_keepable": "zcplatform drift discard SLUG renders the file again.",
    "image.lost": "Request the image again: zcplatform images pull REFERENCE, images build or images demo.",
    "image.unknown": "zcplatform images list shows them.",
    "invitation.unknown": "zcplatform members invited SLUG shows open invitations; a new one may be needed.",
    "member.unknown": "zcplatform members list SLUG shows them.",
    "operation.unknown": "zcplatform operations list SLUG shows them.",
    "plan.unknown": "zcplatform plans list shows them.",
    "reason.needed": "Add --reason TEXT to the command; the tenant's owners read it in their audit log.",
    "request.invalid": "Correct the named fields.",
    "revision.unknown": "zcplatform revisions list SLUG shows them.",
    "route.method": "The platform and this command line may have different versions: zcplatform --version",
    "route.unknown": "The platform and this command line may have different versions: zcplatform --version",
    "secret.unknown": "zcplatform secrets list SLUG shows the names.",
    "session.ended": f"Sign in again: {SIGN_IN}",
    "session.unknown": "zcplatform logout ends the session of this machine.",
    "tenant.draft": "zcplatform tenants deploy SLUG",
    "tenant.not_running": "zcplatform tenants show SLUG shows why; zcplatform tenants start SLUG starts a stopped tenant.",
    "tenant.stopped": "zcplatform tenants start SLUG",
    "tenant.suspended": "A super-admin can resume it: zcplatform tenants resume SLUG",
    "tenant.unknown": "zcplatform tenants list shows the tenants you may see.",
    "token.invalid": f"Sign in ({SIGN_IN}), or ask the operator for a new token.",
    "token.missing": f"Sign in: {SIGN_IN}",
    "token.unknown": "zcplatform tokens list shows them.",
    "user.exists": "zcplatform users list shows them.",
    "user.sole_owner": "Hand each tenant over first (zcplatform members owner SLUG USER), or delete it.",
    "user.unknown": "zcplatform users list shows them.",
}
"""By error code."""

STEP_UP_BY_TOKEN = f"A token cannot do this. Sign in as a person: {SIGN_IN}"
STEP_UP_WITHOUT_TERMINAL = f"Run the command at a terminal, which prompts for a code, or sign in again first: {SIGN_IN}"


_TENANT = re.compile(r"`([a-z0-9][a-z0-9-]{0,62})`")


def hint_for(code: str, detail: str, hint: str, *, is_session: bool) -> str:
    """The hint to print for an error of the API. SLUG stands for the tenant that the error names, if it names one."""
    if code == "session.step_up_needed":
        return STEP_UP_WITHOUT_TERMINAL if is_session else STEP_UP_BY_TOKEN
    command = HINTS.get(code)
    named = _TENANT.search(detail) if code.startswith("tenant.") or "enant `" in detail else None
    return hint if command is None else command.replace("SLUG", named[1]) if named else command
