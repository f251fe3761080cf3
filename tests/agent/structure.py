"""The catalog against the agent's own schema (`zeroclaw config schema`): supporting a new version means to run this and edit data."""

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from zcplatform.agent.channels import types
from zcplatform.agent.fields import Field, Type
from zcplatform.agent.provider_test_catalog import KEY_FORMS, REQUESTS
from zcplatform.agent.providers import FAMILIES, Family

UNMARKED = frozenset(
    {
        ("email", "password"),
        ("email", "smtp_password"),
        ("gmail_push", "oauth_token"),
        ("clawdtalk", "api_key"),
        ("clawdtalk", "webhook_secret"),
        ("qwen", "oauth_refresh_token"),
        ("minimax", "oauth_refresh_token"),
        ("gemini", "oauth_client_id"),
        ("gemini", "oauth_client_secret"),
    }
)
"""Secrets that the schema of 0.8.7 does not mark (the tenth is `relay.token`, which nobody may set)."""
PLAIN = frozenset({("gmail_push", "webhook_secret"), ("voice_call", "auth_token")})
"""Credentials that 0.8.7 itself takes for plain text."""


def reduced(schema: Mapping[str, Any]) -> dict[str, Any]:
    """What of the schema the catalog depends on, without prose: small enough to be kept and read."""
    defs = schema["$defs"]
    kept: dict[str, Any] = {}

    def keep(node: object) -> object:
        if isinstance(node, dict):
            name = str(node.get("$ref", "")).rpartition("/")[2]
            if name and name not in kept:
                kept[name] = {}
                kept[name] = keep(defs[name])
            return {key: keep(value) for key, value in node.items() if key not in ("description", "title", "examples")}
        return [keep(one) for one in node] if isinstance(node, list) else node

    roots = {name: keep(schema["properties"][name]) for name in ("channels", "providers")}
    return {"$defs": dict(sorted(kept.items())), "properties": roots}


def differences(schema: Mapping[str, Any]) -> list[str]:
    """Each a sentence with the name of what differs; none when catalog and schema say the same."""
    defs = schema["$defs"]
    return [*_channels(defs), *_families(defs), *untested(FAMILIES)]


def _channels(defs: Mapping[str, Any]) -> Iterator[str]:
    told = _maps(defs, "ChannelsConfig")
    yield from _names("channel type", set(told), set(types()))
    for name in sorted(set(told) & set(types())):
        yield from _entry(f"channels.{name}", name, defs, defs[told[name]], types()[name].fields, {"enabled"})


def _families(defs: Mapping[str, Any]) -> Iterator[str]:
    told = _maps(defs, "ModelProviders")
    yield from _names("provider family", set(told), set(FAMILIES))
    for name in sorted(set(told) & set(FAMILIES)):
        yield from _entry(f"providers.models.{name}", name, defs, defs[told[name]], FAMILIES[name].fields, set())


def untested(families: Mapping[str, Family]) -> Iterator[str]:
    """Families without an entry that says how a key is tested, or why it cannot be."""
    for name, known in families.items():
        if (known.test is None) == (known.test_reason is None):
            yield f"provider family {name}: it needs either a test or a reason why there is none"
        elif known.test is not None and (known.test not in REQUESTS or known.header not in KEY_FORMS):
            yield f"provider family {name}: provider_tests.toml has no test {known.test} or no form of key {known.header}"


def _maps(defs: Mapping[str, Any], owner: str) -> dict[str, str]:
    """Name and definition of every property that holds entries by alias."""
    rows = defs[owner]["properties"].items()
    return {name: row["additionalProperties"]["$ref"].rpartition("/")[2] for name, row in rows if "additionalProperties" in row}


def _names(what: str, told: set[str], known: set[str]) -> Iterator[str]:
    yield from (f"{what} {name}: the agent knows it, the catalog does not" for name in sorted(told - known))
    yield from (f"{what} {name}: in the catalog only, the agent does not know it" for name in sorted(known - told))


def _entry(
    path: str, owner: str, defs: Mapping[str, Any], told: Mapping[str, Any], known: Mapping[str, Field], ours: set[str]
) -> Iterator[str]:
    rows = {name: row for name, row in told["properties"].items() if name not in ours}
    yield from _names(f"field {path}.", set(), set())
    yield from (f"{path}.{name}: the agent knows it, the catalog does not" for name in sorted(set(rows) - set(known)))
    yield from (f"{path}.{name}: in the catalog only, the agent does not know it" for name in sorted(set(known) - set(rows)))
    for name in sorted(set(rows) & set(known)):
        yield from _field(f"{path}.{name}", owner, defs, rows[name], known[name], name in told.get("required", ()))


def _field(path: str, owner: str, defs: Mapping[str, Any], row: Mapping[str, Any], known: Field, required: bool) -> Iterator[str]:
    kind, choices = type_of(defs, row)
    told_kind = known.agent_type or known.type
    if kind != told_kind:
        yield f"{path}: the agent says {kind}, the catalog {told_kind}"
    ours = (*known.choices, *(known.closed_choices or ()))
    if choices and sorted(choices) != sorted(ours):
        yield f"{path}: the agent takes {', '.join(sorted(choices))}, the catalog has {', '.join(sorted(ours))}"
    default = row.get("default")
    default = tuple(default) if isinstance(default, list) else default
    have = tuple(known.default) if isinstance(known.default, list) else known.default
    if kind not in (Type.TABLE, Type.TABLES) and default != have:
        yield f"{path}: the agent's default is {default!r}, the catalog's {have!r}"
    marked = bool(row.get("x-secret")) or (owner, known.name) in UNMARKED or (owner, known.name) in PLAIN
    if marked != known.secret:
        yield f"{path}: it is {'a' if marked else 'no'} secret for the agent"
    if ((owner, known.name) in PLAIN) != known.plain:
        yield f"{path}: the catalog is wrong about whether the agent opens a sealed value"
    if required != known.required:
        yield f"{path}: the agent {'does' if required else 'does not'} demand the key"


def type_of(defs: Mapping[str, Any], row: Mapping[str, Any]) -> tuple[str, tuple[str, ...]]:
    """Our name for a type of the schema, and the choices there are."""
    if "anyOf" in row:
        row = next(one for one in row["anyOf"] if one.get("type") != "null")
    if "$ref" in row:
        named = defs[row["$ref"].rpartition("/")[2]]
        choices = tuple(
            value for one in named.get("oneOf", [named]) for value in ([one["const"]] if "const" in one else one.get("enum", ()))
        )
        return (Type.CHOICE, choices) if choices else (_plain(named, defs), ())
    return _plain(row, defs), ()


def _plain(row: Mapping[str, Any], defs: Mapping[str, Any]) -> str:
    kinds = row.get("type", "object")
    kind = next(one for one in kinds if one != "null") if isinstance(kinds, list) else kinds
    if kind == "array":
        return Type.TEXTS if type_of(defs, row["items"])[0] == Type.TEXT else Type.TABLES
    return {"string": Type.TEXT, "boolean": Type.YES_NO, "integer": Type.WHOLE, "number": Type.NUMBER}.get(kind, Type.TABLE)


def main(agent: str) -> int:
    """Compare with the schema that an installed agent prints; --write prints the reduced schema on standard error."""
    with tempfile.TemporaryDirectory() as home:
        (Path(home) / "data").mkdir(mode=0o700)
        environment = {"PATH": "/usr/bin:/bin", "HOME": home, "ZEROCLAW_CONFIG_DIR": home}
        ran = subprocess.run([agent, "config", "schema"], env=environment, capture_output=True, text=True, timeout=60, check=True)
    schema = json.loads(ran.stdout)
    found = differences(schema)
    print("\n".join(found) or "the catalog says what the agent's schema says")
    if "--write" in sys.argv:
        print(json.dumps(reduced(schema), separators=(",", ":"), sort_keys=True), file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
