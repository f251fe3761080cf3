"""A provider with its key, as tested before or after it is saved."""

from dataclasses import dataclass, field

from zcplatform.agent import agent_settings, bindings, fields, validation
from zcplatform.agent.agent_settings import MAIN, Provider
from zcplatform.agent.names import LONGEST_ALIAS, is_alias
from zcplatform.agent.providers import Key, family
from zcplatform.errors import BadInput


@dataclass(frozen=True)
class ProviderWithKey:
    provider: Provider
    api_key: str | None = field(default=None, repr=False)
    alias: str = MAIN

    @property
    def family(self) -> str:
        return self.provider.family

    @property
    def model(self) -> str:
        return self.provider.model

    @property
    def base_url(self) -> str | None:
        """As entered. None: the family's own address."""
        return self.provider.base_url

    @property
    def address(self) -> str:
        """The address that the agent sends requests to; empty if only the agent knows it."""
        return bindings.address(self.provider) or ""

    @property
    def name(self) -> str:
        """The provider's name in the agent's file."""
        return f"{self.family}.{self.alias}"


def of(family_name: str, model: str, base_url: str | None = None, api_key: str | None = None, alias: str = MAIN) -> ProviderWithKey:
    """Parse the values. Raises BadInput for malformed ones. `check` decides whether the agent could use them."""
    sent = {"family": family_name, "model": model, "base_url": base_url}
    if not is_alias(alias):
        raise _bad({"alias": f"must be 1 to {LONGEST_ALIAS} of a-z, 0-9 and single underscores inside"})
    if not fields.is_text(f"{family_name}{model}{base_url or ''}"):
        raise _bad({"model": "contains characters that cannot be written"})
    try:
        parsed = agent_settings.parse({"providers": {MAIN: {name: value for name, value in sent.items() if value is not None}}})
    except BadInput as error:
        raise _bad({path.removeprefix(f"providers.{MAIN}."): why for path, why in error.fields.items()}) from None
    return ProviderWithKey(parsed.providers[MAIN], api_key, alias)


def check(given: ProviderWithKey, *, needs_key: bool = True) -> None:
    """Raise BadInput naming the field that the agent could not use, if there is one."""
    known = family(given.family)
    found = {
        path.removeprefix("provider."): why
        for path, why in validation.provider_problems("provider", given.provider)
        if not path.startswith("provider.options.")
    }
    if known.key is Key.REQUIRED and not given.api_key and needs_key:
        found["api_key"] = f"is missing: {known.label} needs a key"
    if known.key is Key.NONE and given.api_key:
        found["api_key"] = f"must be left out: {known.label} takes no key"
    odd = fields.unsendable(given.api_key or "", header=True)
    if odd is not None:
        found["api_key"] = f"holds {odd}; copy the value again as plain text"
    if found:
        raise _bad(found)


def _bad(found: dict[str, str]) -> BadInput:
    name, why = next(iter(found.items()))
    return BadInput("provider.invalid", f"The provider cannot be used: `{name}` {why}", "Correct the named fields", fields=found)
