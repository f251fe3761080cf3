"""Migrate secrets stored before version 0.2 to today's binding, which includes the scheme of their server. Runs at each start."""

from contextlib import suppress

from zcplatform import bounded_json, clock
from zcplatform.agent import agent_settings
from zcplatform.agent.secret_slots import secret_slots
from zcplatform.errors import PlatformError
from zcplatform.store import revisions, tenants
from zcplatform.store.db import Tx
from zcplatform.worker.secrets import Secrets


def rebind(tx: Tx, secrets: Secrets) -> None:
    """Migrate all tenants' secrets. Sealed boxes are opened first, as they may contain such secrets too.

    Rows that cannot be read are left alone: they are reported where they are used.
    """
    secrets.open_boxes(tx, clock.text(clock.now()))
    for tenant in tenants.everything(tx):
        for number in dict.fromkeys((tenant.revision, tenant.last_good_revision)):
            revision = revisions.get(tx, tenant.id, number) if number else None
            with suppress(ValueError, TypeError, RecursionError, PlatformError):
                secrets.rebind(
                    tx, tenant.id, secret_slots(agent_settings.parse(bounded_json.loads(revision.settings if revision else "{}")))
                )
