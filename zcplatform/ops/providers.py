"""The model provider of a tenant: checked against the catalog, its key sealed for the worker and bound to one host."""

from dataclasses import dataclass
from ipaddress import ip_address
from urllib.parse import urlsplit

from zcplatform.agent import render
from zcplatform.agent.hosts import key_host
from zcplatform.agent.providers import family
from zcplatform.errors import BadInput
from zcplatform.ids import TenantId, new_secret_id
from zcplatform.ops.desk import Desk
from zcplatform.store import secrets
from zcplatform.store.db import Tx
from zcplatform.vault.sealing import Place, seal

KIND = "provider"
NAME = "main"


@dataclass(frozen=True)
class Provider:
    """As asked for; `api_key` None leaves a stored key as it is, unless the host changes."""

    family: str
    model: str
    base_url: str | None
    api_key: str | None

    def settings(self) -> dict[str, str | None]:
        return {"family": self.family, "model": self.model, "base_url": self.base_url}


def check(tx: Tx, desk: Desk, tenant_id: TenantId | None, provider: Provider) -> None:
    """Raises BadInput with the field that is wrong. A key that is stored for the same host counts as sent."""
    family(provider.family)
    stored = secrets.get(tx, tenant_id, KIND, NAME) if tenant_id else None
    key = provider.api_key
    if key is None and stored is not None:
        render.check(
            render.Provider(provider.family, provider.model, provider.base_url, "stored")
        )  # the address, before its host is asked for
        key = "stored" if stored.host == key_host(provider.family, provider.base_url) else None
    render.check(render.Provider(provider.family, provider.model, provider.base_url, key))
    if provider.base_url is not None:
        check_reach(desk, provider.base_url)


def check_reach(desk: Desk, base_url: str) -> None:
    parts = urlsplit(base_url)
    if parts.username is not None or parts.fragment or not base_url.isascii():
        raise _bad("must be http(s)://HOST[:PORT]/PATH without user and fragment")
    address = f"{parts.hostname}:{parts.port or (443 if parts.scheme == 'https' else 80)}"
    if _is_inside(parts.hostname or "") and address not in desk.settings.allowed_hosts:
        raise _bad(f"leads to {address}, inside the host's own networks; the operator can allow it in `allowed_hosts` of the settings file")


def _is_inside(host: str) -> bool:
    """Addresses that are not public. Names are resolved by the agent behind the firewall, which drops the same ranges."""
    if host == "localhost" or host.endswith((".localhost", ".internal", ".local")):
        return True
    try:
        return not ip_address(host).is_global
    except ValueError:
        return host.replace(".", "").replace("x", "").isalnum() and host[-1].isdigit()


def store_key(tx: Tx, desk: Desk, tenant_id: TenantId, provider: Provider, at: str) -> None:
    """Seal a sent key for the worker. A stored key stays only for the host it was saved for (S-59)."""
    host = key_host(provider.family, provider.base_url)
    stored = secrets.get(tx, tenant_id, KIND, NAME)
    if provider.api_key is None:
        if stored is not None and stored.host != host:
            secrets.remove(tx, tenant_id, KIND, NAME)
        return
    row, version = new_secret_id(), 1 if stored is None else stored.version + 1
    box = seal(desk.seal_public, Place(tenant_id, KIND, NAME, host, row, version), provider.api_key)
    secrets.put(tx, secrets.Secret(row, tenant_id, KIND, NAME, host, version, box, None, None, at, at))


def _bad(why: str) -> BadInput:
    return BadInput("provider.bad_uri", f"`base_url` {why}", "for example https://llm.example.com/v1", fields={"provider.base_url": why})
