"""Read, validate and save a tenant's settings. Every change of them passes `write`, which stores a revision or nothing."""

from collections.abc import Mapping
from typing import Any

from zcplatform.agent import agent_settings, validation
from zcplatform.agent.agent_settings import AgentSettings
from zcplatform.agent.policy import Policy
from zcplatform.agent.policy import unpriced as unpriced_of
from zcplatform.agent.providers import FAMILIES, Auth, Price
from zcplatform.core.differences import difference, merged
from zcplatform.core.roles import Permission
from zcplatform.core.tenant import Tenant
from zcplatform.errors import Conflict, PlatformError
from zcplatform.ids import ImageId
from zcplatform.ops import quotas, requests, secrets
from zcplatform.ops.context import Call, Context
from zcplatform.ops.reachable_hosts import unreachable
from zcplatform.store import images, plans
from zcplatform.store.db import Tx, require
from zcplatform.store.images import Image
from zcplatform.store.operations import Operation
from zcplatform.store.plans import Plan

MOST_AUDITED = 40
LONGEST_AUDITED = 120


def current(tx: Tx, tenant: Tenant) -> AgentSettings:
    return agent_settings.parse(requests.settings_of(tx, tenant))


def patch(
    call: Call, id_or_slug: str, change: Mapping[str, Any], given: Mapping[str, str], note: str | None
) -> tuple[Tenant, Operation | None]:
    """`change` is a JSON merge patch of the settings, `given` are values of secrets by their names."""
    tenant = requests.require_not_deleting(call.tx, id_or_slug)
    wanted = merged(agent_settings.to_json(current(call.tx, tenant)), change)
    return save(call, tenant, wanted, given, note or "settings")


def save(call: Call, tenant: Tenant, wanted: Mapping[str, Any], given: Mapping[str, str], note: str) -> tuple[Tenant, Operation | None]:
    """Save a revision and apply it to a running tenant. Raises BadInput naming each invalid field; then nothing is stored."""
    call, revised = write(call, tenant, wanted, given, note)
    return (tenant, None) if revised is None else requests.apply_to_running(call, tenant, wanted_revision=revised)


def write(call: Call, tenant: Tenant, wanted: Mapping[str, Any], given: Mapping[str, str], note: str) -> tuple[Call, int | None]:
    """Save a revision without applying it. Returns its number, or None if nothing changed."""
    before, settings = current(call.tx, tenant), validation.cleaned(agent_settings.parse(wanted))
    given = secrets.cleaned(given)
    changed = difference(agent_settings.to_json(before), agent_settings.to_json(settings))
    call = _require_rights(call, changed, given)
    secrets.check(settings, given)
    if len(settings.channels) > len(before.channels):
        quotas.require_room(call.tx, tenant, "channels", len(settings.channels))
    check(call, tenant, settings, secrets.stored(call.tx, tenant.id, settings) | lengths(given))
    if not changed and not given:
        return call, None
    number = requests.revise(call, tenant, agent_settings.to_json(settings), note)
    secrets.put(call, tenant.id, settings, given)
    changes = {path: [_short(old), _short(new)] for path, (old, new) in list(changed.items())[:MOST_AUDITED]}
    changes |= {f"secret {name}": [None, "set"] for name in given}
    call.record("config.save", tenant.id, tenant.id, revision=[tenant.revision, number], **changes)
    return call, number


def set_secret(call: Call, id_or_slug: str, name: str, value: str) -> tuple[Tenant, Operation | None]:
    """Store a value. It is a revision too: the settings stay the same, and a running agent is restarted with it."""
    tenant = requests.require_not_deleting(call.tx, id_or_slug)
    settings = current(call.tx, tenant)
    secrets.find(settings, name)
    try:
        return save(call, tenant, agent_settings.to_json(settings), {name: value}, f"secret {name} set")
    except PlatformError as error:
        raise renamed(error, name, "value") from None


def remove_secret(call: Call, id_or_slug: str, name: str) -> tuple[Tenant, Operation | None]:
    """Remove a secret. One that does not exist is success. Raises Conflict while the settings need it."""
    tenant = requests.require_not_deleting(call.tx, id_or_slug)
    settings = current(call.tx, tenant)
    secrets.find(settings, name)
    there = secrets.stored(call.tx, tenant.id, settings)
    if name not in there:
        if secrets.remove(call.tx, tenant.id, [name]):  # one that was rejected, or is for another server
            call.record("secret.remove", tenant.id, tenant.id, **{f"secret {name}": ["set", None]})
        return tenant, None
    left = problems(settings, require(plans.get(call.tx, tenant.plan)), frozenset(there) - {name})
    if name in left:
        raise Conflict("secret.needed", f"The settings of `{tenant.slug}` need `{name}`", "disable or remove what uses it first")
    secrets.remove(call.tx, tenant.id, [name])
    number = requests.revise(call, tenant, agent_settings.to_json(settings), f"secret {name} removed")
    call.record("secret.remove", tenant.id, tenant.id, **{f"secret {name}": ["set", None]})
    return requests.apply_to_running(call, tenant, wanted_revision=number)


def check(call: Call, tenant: Tenant, settings: AgentSettings, stored: Mapping[str, int]) -> None:
    """Raises BadInput. `stored` are the secrets that have a value, with the length of each."""
    plan = require(plans.get(call.tx, tenant.plan))
    found = problems(settings, plan, frozenset(stored)) or validation.size_problem(settings, Policy(**plan.ceilings()), stored)
    for path, address in validation.addresses(settings):
        why = unreachable(call.context.settings.allowed_hosts, address)
        if why is not None:
            found.setdefault(path, why)
    for path, why in _not_compiled(_image_of(call.tx, tenant), settings).items():
        found.setdefault(path, why)
    found |= {path: why for path, why in secrets.bound_elsewhere(call.tx, tenant.id, settings, stored).items() if path in found}
    if found:
        raise agent_settings.settings_error(found)


def problems(settings: AgentSettings, plan: Plan, stored: frozenset[str] | None) -> dict[str, str]:
    """Return path → problem: what the agent would reject, what the plan does not allow, and which secrets are missing (unless `stored` is None)."""
    keyless = frozenset(
        f"providers.{alias}.api_key" for alias, one in settings.providers.items() if one.auth is None and _may_be_open(one.family)
    )
    return validation.problems(settings, Policy(**plan.ceilings()), None if stored is None else stored | keyless)


def check_plan(tx: Tx, tenant: Tenant, name: str) -> None:
    """Raises Conflict if the settings are above what another plan allows."""
    plan, settings = require(plans.get(tx, name)), current(tx, tenant)
    found = problems(settings, plan, None)
    if len(settings.channels) > plan.channels:
        found = {"channels": f"are {len(settings.channels)}; the plan `{plan.name}` allows {plan.channels}"}
    if found:
        path, why = next(iter(found.items()))
        raise Conflict("plan.exceeded", f"`{path}` of tenant `{tenant.slug}` {why}", "change the settings first")


def check_image(tx: Tx, tenant: Tenant, image_id: ImageId) -> None:
    """Raises Conflict if another image lacks a channel that the settings have. Its agent checks everything else before it is used."""
    for path, why in _not_compiled(images.get(tx, image_id), current(tx, tenant)).items():
        raise Conflict("image.lacks_channel", f"`{path}` of tenant `{tenant.slug}` {why}", "change the settings first")


def unpriced(context: Context, plan: Plan, settings: AgentSettings) -> list[str]:
    """The models, as `family/model`, without a price of the operator's or of the catalog."""
    prices = {name: Price(**one.model_dump()) for name, one in context.settings.model_prices.items()}
    return list(unpriced_of(settings, Policy(**plan.ceilings(), prices=prices)))


def _may_be_open(family: str) -> bool:
    """Providers that are often run without a key, so a missing key is no error."""
    return family in FAMILIES and Auth.NONE in FAMILIES[family].auth


def _image_of(tx: Tx, tenant: Tenant) -> Image | None:
    return images.get(tx, tenant.image) if tenant.image else images.default(tx)


def _not_compiled(image: Image | None, settings: AgentSettings) -> dict[str, str]:
    """Return path → problem for enabled channels that the image is known not to contain."""
    known = image.channel_types if image else None
    if image is None or known is None:
        return {}
    return {
        f"channels.{name}": f"is not compiled into the tenant's image {image.reference}; disable it, or choose another image"
        for name, channel in settings.channels.items()
        if channel.enabled and name.partition(".")[0] not in known
    }


def _require_rights(call: Call, changed: Mapping[str, Any], given: Mapping[str, str]) -> Call:
    """Channels and secrets have permissions of their own, on every route."""
    if any(path.startswith("channels.") for path in changed):
        call = call.requiring(Permission.CHANNEL_WRITE)
    if any(not path.startswith("channels.") for path in changed):
        call = call.requiring(Permission.CONFIG_WRITE)
    if given:
        call = call.requiring(Permission.SECRET_WRITE)
        call.actor.need_step_up(call.at)
    return call


def lengths(given: Mapping[str, str]) -> dict[str, int]:
    """Return the lengths in bytes, as `check` needs them."""
    return {name: len(value.encode()) for name, value in given.items()}


def _short(value: object) -> object:
    return value[:LONGEST_AUDITED] + "…" if isinstance(value, str) and len(value) > LONGEST_AUDITED else value


def renamed(error: PlatformError, before: str, after: str) -> PlatformError:
    """Rename the fields of an error for a caller who sent a part of the settings under another name."""
    error.detail = error.detail.replace(f"`{before}", f"`{after}", 1)
    error.fields = {after + path.removeprefix(before) if path.startswith(before) else path: why for path, why in error.fields.items()}
    return error
