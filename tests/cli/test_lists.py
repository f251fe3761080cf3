"""Every list, against the real API: it is printed for people and for programs, and filters and searches narrow it."""

import json

import pytest

from tests.cli.test_people import Zc, api, web, zc  # noqa: F401
from tests.web.conftest import Web

LISTS = (
    ("tenants", "list"), ("users", "list"), ("plans", "list"), ("images", "list"), ("tokens", "list", "--tenant", "shop"), ("members", "list", "shop"),
    ("members", "invited", "shop"), ("channels", "list", "shop"), ("channels", "types"), ("providers", "list", "shop"), ("providers", "types"),
    ("secrets", "list", "shop"), ("revisions", "list", "shop"), ("operations", "list", "shop"), ("audit", "list"), ("audit", "list", "shop"),
)  # fmt: skip


@pytest.mark.parametrize("words", LISTS, ids=" ".join)
async def test_every_list_is_printed(web: Web, zc: Zc, words: tuple[str, ...]) -> None:  # noqa: F811
    await web.client.post("/api/tenants", json={"slug": "shop"})
    shown, exact = zc(*words), zc(*words, "--json")
    assert (shown.returncode, exact.returncode) == (0, 0), shown.stderr + exact.stderr
    assert shown.stdout
    assert isinstance(json.loads(exact.stdout), list)


async def test_a_list_is_searched_filtered_and_sorted(web: Web, zc: Zc) -> None:  # noqa: F811
    for slug in ("shop", "bakery", "shoes"):
        await web.client.post("/api/tenants", json={"slug": slug})

    def slugs(*more: str) -> list[str]:
        return [one["slug"] for one in json.loads(zc("tenants", "list", "--json", *more).stdout)]

    assert slugs("-q", "sho", "--sort", "-slug") == ["shop", "shoes"]
    assert slugs("--state", "draft", "--plan", "free") == ["bakery", "shoes", "shop"]
    assert slugs("--state", "running", "--state", "failed") == []
    assert zc("tenants", "list", "--state", "failed").stdout == "No tenant matches.\n"
    assert zc("tenants", "list", "--sort", "colour").returncode == 1


async def test_a_tenant_is_shown_with_what_holds_it(web: Web, zc: Zc) -> None:  # noqa: F811
    await web.client.post("/api/tenants", json={"slug": "shop"})
    assert zc("tenants", "suspend", "shop", "--why", "unpaid", "--no-wait").stdout == "shop is suspended: unpaid\n"
    shown = zc("tenants", "show", "shop").stdout
    assert "held by   suspended by " in shown
    assert ": unpaid" in shown
    assert " UTC (" in shown, "times are shown with their age"
