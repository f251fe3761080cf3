"""Settings, channels, secrets and drift through the API: checked whole before anything is stored, and never a secret given back."""

import asyncio
import json
from typing import Any

import pytest

from tests.web.conftest import AT, Web
from zcplatform.core.secret_names import row_of, secret_of
from zcplatform.store import audit, drifts, images, secrets, tenants
from zcplatform.store.drifts import Drift
from zcplatform.vault.opening import open_box
from zcplatform.vault.sealing import SecretBinding
from zcplatform.web import config_shapes as shapes

MAIN = {"family": "anthropic", "model": "claude-sonnet-4-5", "api_key": "sk-canary"}
TELEGRAM = {"type": "telegram", "peers": ["1"], "secrets": {"bot_token": "tg-canary"}}


async def _tenant(web: Web, **fields: Any) -> str:
    answer = await web.client.post("/api/tenants", json={"slug": "acme", "provider": MAIN, **fields})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


async def _ask(web: Web, method: str, path: str, body: object = None, status: int = 200) -> Any:
    answer = await web.client.request(method, f"/api/tenants/acme{path}", **({"json": body} if body is not None else {}))
    assert answer.status_code == status, answer.text
    assert "canary" not in answer.text
    return answer.json()


async def test_a_merge_patch_changes_only_what_it_names(web: Web) -> None:
    await _tenant(web)
    change = {"settings": {"providers": {"main": {"temperature": 0.3}}, "instructions": "Answer in verse."}, "note": "verse"}
    assert (await _ask(web, "PATCH", "/config", change))["revision"] == 2
    told = await _ask(web, "GET", "/config")
    assert told["settings"]["providers"]["main"]["model"] == "claude-sonnet-4-5"
    assert (told["settings"]["providers"]["main"]["temperature"], told["settings"]["instructions"]) == (0.3, "Answer in verse.")
    assert told["settings"]["heartbeat"]["enabled"] is False, "with defaults"
    assert [(one["name"], one["is_stored"], one["host"]) for one in told["secrets"]] == [
        ("providers.main.api_key", True, "https://api.anthropic.com")
    ]
    assert (await _ask(web, "PATCH", "/config", {"settings": {"instructions": None}}))["revision"] == 3
    assert (await _ask(web, "PATCH", "/config", {"settings": {}}))["revision"] == 3, "nothing new is no revision"


@pytest.mark.parametrize(
    ("settings", "field"),
    [
        ({"providers": {"main": {"family": "nope"}}}, "providers.main.family"),
        ({"providers": {"main": {"api_key": "sk"}}}, "providers.main.api_key"),
        ({"providers": {"b": {"family": "custom", "model": "m", "base_url": "http://169.254.169.254/"}}}, "providers.b.base_url"),
        ({"mcp": {"docs": {"url": "http://127.0.0.1:9/mcp"}}}, "mcp.docs.url"),
        ({"channels": {"telegram.main": {"peers": ["1"]}}}, "channels.telegram.main.bot_token"),
        (
            {"channels": {"irc.main": {"peers": ["a"], "options": {"server": "10.0.0.5", "nickname": "b"}}}},
            "channels.irc.main.options.server",
        ),
        ({"risk": {"actions_per_hour": 100_000}}, "risk.actions_per_hour"),
        ({"gateway": {"host": "0.0.0.0"}}, "gateway"),
    ],
)
async def test_nothing_is_stored_before_all_is_well(web: Web, settings: dict[str, Any], field: str) -> None:
    await _tenant(web)
    told = await _ask(web, "PATCH", "/config", {"settings": {**settings, "instructions": "never"}}, 422)
    assert list(told["fields"]) == [field]
    assert (await _ask(web, "GET", "/config"))["revision"] == 1


async def test_a_channel_is_added_changed_and_removed(web: Web) -> None:
    tenant_id = await _tenant(web)
    assert (await _ask(web, "POST", "/channels", TELEGRAM))["revision"] == 2
    (channel,) = (await _ask(web, "GET", "/channels"))["items"]
    assert (channel["name"], channel["enabled"], channel["peers"], channel["secrets"]) == (
        "telegram.main",
        True,
        ["1"],
        {"bot_token": True},
    )
    row = web.database.read(lambda tx: secrets.get(tx, tenant_id, "channel", "telegram.main.bot_token"))  # type: ignore[arg-type]
    assert row is not None
    place = SecretBinding(row.tenant_id, row.kind, row.name, row.host, row.id, row.version)
    assert open_box(web.keys.seal_private, place, row.box or b"") == "tg-canary"
    await _ask(web, "PATCH", "/channels/telegram.main", {"options": {"mention_only": True}})
    (channel,) = (await _ask(web, "GET", "/channels"))["items"]
    assert (channel["options"], channel["peers"]) == ({"mention_only": True}, ["1"])
    assert (await _ask(web, "POST", "/channels", TELEGRAM, 409))["code"] == "channel.exists"
    assert (await _ask(web, "PATCH", "/channels/telegram.main", {"peers": []}, 422))["fields"].keys() == {"peers"}
    assert (await _ask(web, "DELETE", "/channels/telegram.nobody", None, 404))["code"] == "channel.unknown"
    await _ask(web, "DELETE", "/channels/telegram.main")
    assert (await _ask(web, "GET", "/channels"))["items"] == []


async def test_the_plan_bounds_channels_also_when_many_ask_at_once(web: Web) -> None:
    await _tenant(web, plan="free")
    many = [{**TELEGRAM, "alias": f"bot{number}"} for number in range(6)]
    answers = await asyncio.gather(*(web.client.post("/api/tenants/acme/channels", json=one) for one in many))
    assert sorted(answer.status_code for answer in answers) == [200, 200, 409, 409, 409, 409]
    told = await _ask(web, "GET", "/channels")
    assert (len(told["items"]), told["most"]) == (2, 2)
    assert (await web.client.patch("/api/tenants/acme", json={"plan": "pro"})).status_code == 200
    for one in many[2:4]:
        await _ask(web, "POST", "/channels", {**one, "alias": f"more_{one['alias']}"})
    down = await web.client.patch("/api/tenants/acme", json={"plan": "free"})
    assert (down.status_code, down.json()["code"]) == (409, "plan.exceeded")


async def test_a_channel_that_the_image_does_not_have_is_refused(web: Web) -> None:
    image = web.image()
    web.database.write_now(lambda tx: tx.execute("UPDATE images SET channels = ? WHERE id = ?", (json.dumps(["irc"]), image)))
    assert web.database.read(lambda tx: images.default(tx)) is not None
    await _tenant(web)
    told = await _ask(web, "POST", "/channels", TELEGRAM, 422)
    assert "is not compiled into" in next(iter(told["fields"].values()))
    await _ask(web, "POST", "/channels", {**TELEGRAM, "enabled": False})


async def test_models_without_a_price_are_named(web: Web) -> None:
    await _tenant(web)
    for models, unpriced in ((["house-model"], []), (["house-model", "nobody-s"], ["anthropic/nobody-s"])):
        await _ask(web, "PATCH", "/config", {"settings": {"providers": {"main": {"fallback_models": models}}}})
        assert (await _ask(web, "GET", "/config"))["unpriced"] == unpriced


async def test_a_secret_is_set_for_its_place_and_taken_away_when_it_is_not_needed(web: Web) -> None:
    await _tenant(web)
    assert (await _ask(web, "PUT", "/secrets/providers.main.api_key", {"value": "sk-canary-2"}))["revision"] == 2
    assert (await _ask(web, "PUT", "/secrets/channels.telegram.main.bot_token", {"value": "x"}, 404))["code"] == "secret.unknown"
    assert (await _ask(web, "PUT", "/secrets/providers.main.api_key", {"value": "two\nlines"}, 422))["fields"].keys() == {"value"}
    assert (await _ask(web, "DELETE", "/secrets/providers.main.api_key", None, 409))["code"] == "secret.needed"
    await _ask(web, "POST", "/channels", {**TELEGRAM, "enabled": False})
    assert [one["is_stored"] for one in (await _ask(web, "GET", "/secrets"))["items"]] == [True, True]
    await _ask(web, "DELETE", "/secrets/channels.telegram.main.bot_token")
    assert [one["is_stored"] for one in (await _ask(web, "GET", "/secrets"))["items"]] == [True, False]
    held = b"".join(path.read_bytes() for path in web.settings.database.parent.iterdir())
    assert b"canary" not in held
    assert isinstance(web.database.read(audit.verify), int)


async def test_the_end_of_a_long_secret_is_shown_to_those_who_may_set_it(web: Web) -> None:
    await _tenant(web)

    async def told(role: str, path: str = "/secrets") -> dict[str, Any]:
        answer = await web.client.get(f"/api/tenants/acme{path}", headers=web.member("acme", f"{role}@example.com", role))
        assert answer.status_code == 200, answer.text
        assert "canary" not in answer.text
        found = answer.json()
        return dict((found["items"] if path == "/secrets" else found["secrets"])[0])

    for value, shown in (("sk-canary-15-abc", "-abc"), ("sk-canary-5-abc", None), ("sk-canary-longer-wxyz", "wxyz")):
        await _ask(web, "PUT", "/secrets/providers.main.api_key", {"value": value})
        for path in ("/secrets", "/config"):
            assert (await told("manager", path))["hint"] == shown
            assert (await told("contributor", path))["hint"] is None, "S-33"
    at = (await told("manager"))["updated_at"]
    assert at > AT
    name = "providers.main.api_key"
    web.database.write_now(lambda tx: tx.execute("UPDATE secrets SET host = 'elsewhere:443'"))
    assert (await told("manager"))["hint"] is None, "it is not stored for the host that the settings name"
    assert (await _ask(web, "GET", "/secrets"))["items"][0]["name"] == name


def test_the_names_of_places_and_rows_lead_to_each_other() -> None:
    for place in (
        "providers.main.api_key",
        "providers.main.headers.X-Key",
        "channels.telegram.main.bot_token",
        "mcp.docs.headers.Authorization",
    ):
        assert secret_of(*row_of(place)) == place
    assert row_of("providers.main.api_key") == ("provider", "main")


async def test_edits_of_the_agents_file_are_shown_kept_and_discarded(web: Web) -> None:
    await _tenant(web)
    row = web.database.read(tenants.everything)[0]
    path = "providers.models.anthropic.main.model"
    changes = {path: ["claude-sonnet-4-5", "claude-opus-4-5"], "gateway.check_updates": [False, True]}

    def found(**changed: Any) -> None:
        web.database.write_now(lambda tx: drifts.put(tx, Drift(row.id, 1, "nonce.1", json.dumps(changes), None, AT)))

    assert (await _ask(web, "GET", "/drift"))["changes"] == []
    assert (await _ask(web, "POST", "/drift/keep", None, 409))["code"] == "drift.none"
    found()
    told = await _ask(web, "GET", "/drift")
    assert [(one["path"], one["can_be_kept"]) for one in told["changes"]] == [("gateway.check_updates", False), (path, True)]
    assert (await web.client.get("/api/tenants/acme")).json()["has_drift"]
    kept = await _ask(web, "POST", "/drift/keep")
    assert (kept["provider"]["model"], kept["revision"], kept["has_drift"]) == ("claude-opus-4-5", 2, False)
    found()
    await _ask(web, "POST", "/drift/discard")
    assert (await _ask(web, "GET", "/drift"))["changes"] == []
    assert (await web.client.get("/api/tenants/acme")).json()["revision"] == 2


async def test_the_catalog_offers_what_can_be_set(web: Web) -> None:
    families = (await web.client.get("/api/catalog/providers")).json()["items"]
    kinds = {one["name"]: one for one in (await web.client.get("/api/catalog/channels")).json()["items"]}
    assert len(families) > 70
    (token,) = [one for one in kinds["telegram"]["fields"] if one["name"] == "bot_token"]
    assert token["is_secret"]
    assert "proxy_url" not in [one["name"] for one in kinds["telegram"]["fields"]], "what nobody may set is not offered"


async def test_the_catalog_answers_what_it_describes(web: Web) -> None:
    shapes.Families.model_validate((await web.client.get("/api/catalog/providers")).json())
    shapes.ChannelTypes.model_validate((await web.client.get("/api/catalog/channels")).json())


async def test_a_secret_of_another_host_can_be_removed(web: Web) -> None:
    await _tenant(web)
    web.database.write_now(lambda tx: tx.execute("UPDATE secrets SET host = 'elsewhere.example:443'"))
    await _ask(web, "DELETE", "/secrets/providers.main.api_key")
    assert web.database.read(lambda tx: tx.execute("SELECT count(*) FROM secrets WHERE kind = 'provider'").fetchall()) == [(0,)]
    await _ask(web, "DELETE", "/secrets/providers.main.api_key")


async def test_settings_and_the_secrets_they_need_are_saved_together_on_a_draft(web: Web) -> None:
    assert (await web.client.post("/api/tenants", json={"slug": "acme"})).status_code == 201
    settings = {"providers": {"main": {"family": "anthropic", "model": "claude-sonnet-4-5"}}}
    alone = await _ask(web, "PATCH", "/config", {"settings": settings}, 422)
    assert alone["fields"] == {"providers.main.api_key": "needs a value"}
    name = next(iter(alone["fields"]))
    assert (await _ask(web, "PATCH", "/config", {"settings": settings, "secrets": {name: " sk-canary-1\n"}}))["revision"] == 2
    stored = {one["name"]: one["is_stored"] for one in (await _ask(web, "GET", "/secrets"))["items"]}
    assert stored == {name: True}, "the name in the error is the one to send, and the one that is listed"


async def test_an_amount_that_could_not_be_rendered_is_refused_with_its_path(web: Web) -> None:
    await _tenant(web)
    for usd in (0.123456789012345, 0.00001):
        told = await _ask(web, "PATCH", "/config", {"settings": {"cost": {"daily_usd": usd}}}, 422)
        assert told["fields"] == {"cost.daily_usd": "must be an amount in whole cents, at least 0.01"}


async def test_a_key_for_https_is_not_kept_for_http(web: Web) -> None:
    await _tenant(web)
    await _ask(
        web,
        "PATCH",
        "/config",
        {"settings": {"providers": {"main": {"base_url": "https://llm.example/v1"}}}, "secrets": {"providers.main.api_key": "sk-1"}},
    )
    told = await _ask(web, "PATCH", "/config", {"settings": {"providers": {"main": {"base_url": "http://llm.example:443/v1"}}}}, 422)
    assert "is stored for https://llm.example and is never sent elsewhere" in told["fields"]["providers.main.api_key"]


async def test_a_channel_that_is_called_shows_its_address(web: Web) -> None:
    await _tenant(web, plan="pro")
    await _ask(web, "POST", "/channels", TELEGRAM)
    await _ask(web, "POST", "/channels", {"type": "webhook", "secrets": {"secret": "0123456789abcdef"}})
    urls = {one["name"]: one["webhook_url"] for one in (await _ask(web, "GET", "/channels"))["items"]}
    assert urls["telegram.main"] is None
    assert urls["webhook.main"].startswith("http")
    assert urls["webhook.main"].endswith("/channels/webhook/main")
    assert "//acme." in urls["webhook.main"]
