"""The pages behind links: what is sent, under which policy. What they do is tried in a real browser (tests/live/test_pages.py)."""

import re

import pytest

from tests.web.conftest import Web
from zcplatform.web import pages


@pytest.mark.parametrize("path", ["/login", "/invitation"])
async def test_a_page_is_open_to_strangers_and_runs_nothing_inline(web: Web, path: str) -> None:
    answer = await web.client.get(path, headers={"Authorization": ""})
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    policy = answer.headers["content-security-policy"]
    assert policy == pages.POLICY
    assert "unsafe" not in policy
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert re.search(r"<script(?! src=\"/assets/)|\son\w+=|<style|style=|javascript:", answer.text) is None
    for name in re.findall(r"(?:src|href)=\"([^\"]+)\"", answer.text):
        assert (await web.client.get(name, headers={"Authorization": ""})).status_code == 200


async def test_only_the_two_files_are_served_and_everything_else_keeps_the_strict_policy(web: Web) -> None:
    script = await web.client.get("/assets/pages.js")
    assert (script.status_code, script.headers["content-type"]) == (200, "text/javascript; charset=utf-8")
    assert "innerHTML" not in script.text
    for path in ("/assets/login.html", "/assets/..%2Fapp.py", "/assets/pages.jsx"):
        assert (await web.client.get(path)).status_code in (404, 422), path
    other = await web.client.get("/api/me")
    assert other.headers["content-security-policy"].startswith("default-src 'none'; frame-ancestors")
