"""Every provider family by every way to prove who pays, and every channel type; each with the least and with all that can be said."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from zcplatform.agent.agent_settings import AgentSettings, parse
from zcplatform.agent.channels import Use, types
from zcplatform.agent.fields import Check, Field, Type
from zcplatform.agent.providers import FAMILIES, Auth, Uri
from zcplatform.agent.secret_slots import SecretSlot, secret_slots

MODEL = "http://127.0.0.1:9/v1"
EXAMPLES: Mapping[Check | None, str] = {
    Check.URL: "https://server.example.com",
    Check.HOST: "server.example.com",
    Check.PATH: "/path",
    Check.BROKER: "mqtt://broker.example.com:1883",
    Check.REGION: "eu-central-1",
    Check.PAIR: "id.secret",
    Check.LABEL: "my-resource",
    None: "text",
}
PARTICULAR: Mapping[str, Mapping[str, Any]] = {
    "mqtt": {"topics": ["ask/#"], "use_tls": False},
    "git": {
        "provider": "gitea",
        "app_id": 7,
        "installation_id": 7,
        "repos": ["ada/notes"],
        "api_base_url": "https://git.example.com/api/v1",
    },
    "irc": {"port": 6698},
    "email": {"imap_port": 994, "smtp_port": 466},
    "nostr": {"relays": ["wss://relay.example.com"]},
    "lark": {"receive_mode": "webhook"},
    "whatsapp": {"mode": "business"},
    "line": {"dm_policy": "allowlist"},
}
SECRETS: Mapping[str, str] = {
    "channels.nostr.main.private_key": "01" * 32,
    "channels.amqp.main.amqp_url": "amqp://user:password@127.0.0.1:9/",
    "channels.gmail_push.main.webhook_secret": "0123456789abcdef",
}


@dataclass(frozen=True)
class Case:
    subject: str
    """`providers.openai` or `channels.telegram`."""
    form: str
    size: str
    """`minimal` or `full`."""
    settings: AgentSettings
    secrets: Mapping[str, str]

    def __str__(self) -> str:
        return f"{self.subject} {self.form} {self.size}".replace("  ", " ")


def everything() -> list[Case]:
    return [*families(), *channels()]


def families() -> Iterator[Case]:
    for family in FAMILIES.values():
        for auth in family.auth:
            for size in ("minimal", "full"):
                provider: dict[str, Any] = {"family": family.name, "model": "some-model", "auth": auth.value}
                needed = {name for name, field in family.fields.items() if field.needed and field.is_open}
                wanted = [field for field in family.fields.values() if field.is_open and (size == "full" or field.name in needed)]
                provider["options"] = {field.name: example(field) for field in wanted}
                if size == "full":
                    provider["options"] |= {"context_window": 200_000}
                if family.uri is Uri.NEEDED or (size == "full" and family.uri is Uri.HONOURED):
                    provider["base_url"] = MODEL
                if size == "full":
                    provider |= {"temperature": 0.5, "headers": ["X-Team"], "fallbacks": ["cheap"], "fallback_models": ["other-model"]}
                more = {"cheap": {"family": "custom", "model": "small", "base_url": MODEL, "auth": "none"}} if size == "full" else {}
                yield _case(
                    f"providers.{family.name}", auth.value, size, {"providers": {"main": provider, **more}}, needed_only=size == "minimal"
                )


def channels() -> Iterator[Case]:
    main = {"family": "custom", "model": "echo", "base_url": MODEL, "auth": Auth.NONE.value}
    for kind in types().values():
        if kind.use is Use.NONE:
            continue
        for size in ("minimal", "full"):
            channel: dict[str, Any] = (
                {"peers": ["ada", "42"][: 1 if size == "minimal" else 2]} if kind.gate and kind.use is Use.TALK else {}
            )
            if size == "full" and channel:
                channel["ignored"] = ["mallory"]
            wanted = [field for field in kind.fields.values() if field.is_open and (size == "full" or field.needed)]
            channel["options"] = {field.name: example(field) for field in wanted} | {
                name: value
                for name, value in PARTICULAR.get(kind.name, {}).items()
                if size == "full" or name in ("provider", "api_base_url")
            }
            yield _case(
                f"channels.{kind.name}",
                "",
                size,
                {"providers": {"main": main}, "channels": {f"{kind.name}.main": channel}},
                needed_only=size == "minimal" and kind.name not in ("matrix", "mattermost"),
            )


def _case(subject: str, form: str, size: str, sent: dict[str, Any], *, needed_only: bool) -> Case:
    settings = parse(sent)
    wanted = [place for place in secret_slots(settings) if place.is_needed or not needed_only]
    return Case(subject, form, size, settings, {place.name: _secret(place) for place in wanted})


def _secret(place: SecretSlot) -> str:
    if place.field is not None and place.field.check is Check.PAIR:
        return EXAMPLES[Check.PAIR]
    return SECRETS.get(place.name, f"value of {place.name}")


def example(field: Field) -> Any:
    """A value that is not the agent's own, where there is one."""
    match field.type:
        case Type.YES_NO:
            return not field.default
        case Type.WHOLE | Type.NUMBER:
            most = field.most if field.most is not None else 10**9
            least = field.least or 0
            value = (field.default or least) + 1
            return type(field.default or 1)(min(max(value, least), most))
        case Type.CHOICE:
            return next((one for one in reversed(field.choices) if one != field.default), field.choices[0])
        case Type.TEXTS:
            return [field.choices[0] if field.choices else "text"]
        case _:
            return EXAMPLES[field.check]
