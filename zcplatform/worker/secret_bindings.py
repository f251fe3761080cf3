"""Bring secrets stored by a version before 0.2 to the binding of now, which holds the scheme of their server too. Runs once at each start."""

from contextlib import suppress

from zcplatform import bounded_json, clock
from zcplatform.agent import agent_settings
from zcplatform.agent.secret_slots import secret_slots
from zcplatform.errors import PlatformError
from zcplatform.store import revisions, tenants
from zcplatform.store.db import Tx
from zcplatform.worker.secrets import Secrets


def rebind(tx: Tx, secrets: Secrets) -> None:
    """Rows that cannot be read are left alone: they are reported where they are used. Boxes of before are opened first: they hold such secrets too."""
    secrets.open_boxes(tx, clock.text(clock.now()))
    for tenant in tenants.everything(tx):
        for number in dict.fromkeys((tenant.revision, tenant.last_good_revision)):
            revision = revisions.get(tx, tenant.id, number) if number else None
            with suppress(ValueError, TypeError, RecursionError, PlatformError):
                secrets.rebind(
                    tx, tenant.id, secret_slots(agent_settings.parse(bounded_json.loads(revision.settings if revision else "{}")))
                )
