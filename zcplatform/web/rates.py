"""Rate limits per address, account and tenant. Requests from the host itself do not pass the edge and have no address.

The limits are far above what people and their programs need; they keep one caller from taking the others' share. The limits on codes are stricter
and kept in the database (`store/throttles.py`).
"""

import math
import time

from zcplatform.core.login import network
from zcplatform.core.ratelimit import Buckets
from zcplatform.errors import TooMany
from zcplatform.settings import Settings

WHO = {
    "address": "Too many requests from this address",
    "account": "Too many requests from this account",
    "tenant": "Too many requests for this tenant",
}


class Rates:
    """Raises TooMany, which says when to try again."""

    def __init__(self, settings: Settings) -> None:
        self._buckets = {
            "address": Buckets(settings.requests_address),
            "account": Buckets(settings.requests_account),
            "tenant": Buckets(settings.requests_tenant),
        }

    def of_address(self, address: str) -> None:
        key = network(address)
        if key != "local":
            self._take("address", key)

    def of_account(self, account: str) -> None:
        self._take("account", account)

    def of_tenant(self, tenant_id: str) -> None:
        self._take("tenant", tenant_id)

    def _take(self, kind: str, key: str) -> None:
        wait_s = self._buckets[kind].take(key, time.monotonic())
        if wait_s:
            again = math.ceil(wait_s)
            raise TooMany("request.too_many", WHO[kind], f"try again in {again} seconds", retry_after_s=again)
