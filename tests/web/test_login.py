"""Signing in with a code: what an attacker tries, and what the owner still can do meanwhile."""

import asyncio
import hashlib
import re
from datetime import timedelta

import pytest

from tests.web.conftest import AT, Web
from tests.web.people import CODE, VERIFY, browser, code_of, messages, person, sign_in, wrong
from zcplatform import clock
from zcplatform.core import login
from zcplatform.store import audit, throttles
from zcplatform.web.cookies import BROWSER, CHALLENGE, SESSION
from zcplatform.worker.retention import delete_expired

ANN = "ann@example.com"


def _count(web: Web, sql: str, *values: object) -> int:
    return int(web.database.read(lambda tx: tx.execute(sql, values).fetchone())[0])


def _sessions(web: Web) -> int:
    return _count(web, "SELECT count(*) FROM sessions")


async def test_a_code_signs_in_and_the_session_acts(web: Web) -> None:
    user_id = person(web, ANN)
    async with browser(web) as client:
        answer = await sign_in(web, client, "Ann@Example.COM")
        assert answer.json()["user_id"] == user_id
        assert [one["is_this"] for one in (await client.get("/api/me/sessions")).json()["items"]] == [True]
    assert isinstance(web.database.read(audit.verify), int)


async def test_cookies_are_for_this_host_only(web: Web) -> None:
    """S-24."""
    person(web, ANN)
    async with browser(web) as client:
        asked = await client.post(CODE, json={"email": ANN})
        given = await client.post(VERIFY, json={"code": code_of(web, ANN)})
        out = await client.post("/api/auth/logout")
    cookies = [value for answer in (asked, given, out) for value in answer.headers.get_list("set-cookie")]
    assert {value.split("=")[0] for value in cookies} == {SESSION, CHALLENGE, BROWSER}
    for value in cookies:
        told = value.lower()
        assert value.startswith("__Host-")
        assert all(part in told for part in ("secure", "httponly", "path=/", "samesite="))
        assert "domain" not in told


async def test_known_unknown_and_disabled_addresses_get_the_same_bytes(web: Web) -> None:
    """S-10. Nothing differs but what is random for everybody."""
    person(web, ANN)
    person(web, "gone@example.com", disabled_at=AT)
    seen = set()
    for number, email in enumerate((ANN, "nobody@example.com", "gone@example.com")):
        async with browser(web, f"198.51.100.{number}") as client:
            answer = await client.post(CODE, json={"email": email})
        headers = sorted((key, re.sub(r"=[\w-]{43};", "=…;", value)) for key, value in answer.headers.items())
        seen.add((answer.status_code, answer.content, str(headers)))
    assert len(seen) == 1
    assert messages(web, "nobody@example.com") == messages(web, "gone@example.com") == []
    rows = web.database.read(
        lambda tx: tx.execute("SELECT length(code_mac), tries, status, purpose, session_id FROM challenges").fetchall()
    )
    assert len(set(rows)) == 1
    assert _count(web, "SELECT count(*) FROM outbox") == 3


async def test_a_code_works_once_even_at_the_same_instant(web: Web) -> None:
    """S-02."""
    person(web, ANN)
    async with browser(web) as client:
        await client.post(CODE, json={"email": ANN})
        body = {"code": code_of(web, ANN)}
        answers = await asyncio.gather(*(client.post(VERIFY, json=body) for _ in range(50)))
    assert sorted(answer.status_code for answer in answers) == [200] + [401] * 49
    assert _sessions(web) == 1


async def test_five_tries_are_counted_before_any_is_compared(web: Web) -> None:
    """S-05: fifty wrong ones at once, then the right one."""
    person(web, ANN)
    async with browser(web) as client:
        await client.post(CODE, json={"email": ANN})
        code = code_of(web, ANN)
        answers = await asyncio.gather(*(client.post(VERIFY, json={"code": wrong(code)}) for _ in range(50)))
        assert {answer.status_code for answer in answers} == {401}
        assert _count(web, "SELECT tries FROM challenges") == login.TRIES
        assert (await client.post(VERIFY, json={"code": code})).status_code == 401
    assert _count(web, "SELECT tries FROM challenges") == login.TRIES
    assert _sessions(web) == 0


async def test_a_code_is_bound_to_the_browser_that_asked(web: Web) -> None:
    """S-04."""
    person(web, ANN)
    async with browser(web) as first, browser(web, "198.51.100.2") as second:
        await first.post(CODE, json={"email": ANN})
        code = code_of(web, ANN)
        await second.post(CODE, json={"email": ANN})
        assert (await second.post(VERIFY, json={"code": code})).status_code == 401
        async with browser(web, "198.51.100.3") as third:
            assert (await third.post(VERIFY, json={"code": code})).status_code == 401
        assert (await first.post(VERIFY, json={"code": code})).status_code == 200


async def test_a_new_code_voids_the_old_one_and_its_message(web: Web) -> None:
    """S-08: from the same browser, or the same network without cookies."""
    person(web, ANN)
    for keeps_cookies in (True, False):
        async with browser(web, f"203.0.113.{int(keeps_cookies)}") as client:
            first = await client.post(CODE, json={"email": ANN})
            held, old = first.cookies[CHALLENGE], code_of(web, ANN)
            if not keeps_cookies:
                client.cookies.clear()
            await client.post(CODE, json={"email": ANN})
            assert old not in [values["code"] for _, values in messages(web, ANN)]
            assert (await client.post(VERIFY, json={"code": old, "challenge": held})).status_code == 401


async def test_a_stranger_does_not_void_the_owners_code(web: Web) -> None:
    person(web, ANN)
    async with browser(web) as owner, browser(web, "203.0.113.9") as stranger:
        await owner.post(CODE, json={"email": ANN})
        code = code_of(web, ANN)
        await stranger.post(CODE, json={"email": ANN})
        assert (await owner.post(VERIFY, json={"code": code})).status_code == 200


async def test_a_mailbox_gets_three_in_ten_minutes_however_it_is_spelled(web: Web) -> None:
    """S-09."""
    person(web, ANN)
    spellings = [ANN, "ANN@example.com", "ann@EXAMPLE.com", "Ann@Example.Com"]
    for number in range(40):
        async with browser(web, f"203.0.113.{number}") as client:
            answer = await client.post(CODE, json={"email": spellings[number % 4]})
            assert answer.status_code == 202
    assert _count(web, "SELECT count(*) FROM outbox WHERE recipient = ? AND status != 'void'", ANN) == 3


@pytest.mark.parametrize(
    "email",
    ["ann@example.com\r\nBcc: eve@example.com", "ann%0d%0aBcc:eve@example.com", '"a b"@example.com', "\uff41nn@example.com", "x" * 400],
)
async def test_what_is_no_address_is_422_and_sends_nothing(web: Web, email: str) -> None:
    """S-12."""
    async with browser(web) as client:
        answer = await client.post(CODE, json={"email": email})
    assert answer.status_code == 422
    assert email not in answer.text
    assert _count(web, "SELECT count(*) FROM outbox") == 0


async def test_guesses_of_a_day_stay_within_the_cap_from_everywhere(web: Web) -> None:
    """S-06: fifty networks, as many codes as they get, five guesses for each."""
    person(web, ANN)
    for number in range(50):
        async with browser(web, f"203.0.113.{number}") as client:
            await client.post(CODE, json={"email": ANN})
            for _ in range(6):
                assert (await client.post(VERIFY, json={"code": "00000000"})).status_code == 401
        web.database.write_now(lambda tx: tx.execute("UPDATE challenges SET created_at = '2026-01-01T00:00:00.000Z' WHERE user_id IS NULL"))
        # as if ten minutes had gone by: the mailbox may get another one
        web.database.write_now(
            lambda tx: tx.execute("UPDATE challenges SET created_at = strftime('%Y-%m-%dT%H:%M:%fZ', created_at, '-11 minutes')")
        )
    assert _count(web, "SELECT sum(tries) FROM challenges WHERE user_id IS NOT NULL") == login.TRIES_A_DAY


async def test_the_owner_gets_in_while_strangers_try(web: Web) -> None:
    """S-07: with the browser used before, from the network used before, and with the code already received."""
    person(web, ANN)
    async with browser(web, "192.0.2.1") as known, browser(web, "192.0.2.9") as holder:
        await sign_in(web, known, ANN)
        await holder.post(CODE, json={"email": ANN})
        held = code_of(web, ANN)
        for number in range(30):
            async with browser(web, f"203.0.113.{number}") as stranger:
                await stranger.post(CODE, json={"email": ANN})
                for _ in range(6):
                    await stranger.post(VERIFY, json={"code": "00000000"})
        async with browser(web, "203.0.113.250") as fresh:
            before = len(messages(web, ANN))
            await fresh.post(CODE, json={"email": ANN})
            assert len(messages(web, ANN)) == before, "strangers have used up theirs"
        known.cookies.delete(SESSION)
        known.headers["X-Forwarded-For"] = "192.0.2.77"
        await sign_in(web, known, ANN)
        async with browser(web, "192.0.2.1") as same_network:
            await sign_in(web, same_network, ANN)
        assert (await holder.post(VERIFY, json={"code": held})).status_code == 200


async def test_one_network_asks_thirty_times_a_minute_and_a_restart_gives_nothing_back(web: Web) -> None:
    """S-09, S-68: the counts are in the database."""
    async with browser(web) as client:
        answers = [(await client.post(CODE, json={"email": f"u{number}@example.com"})).status_code for number in range(32)]
        assert answers == [202] * 30 + [429] * 2
        limited = await client.post(CODE, json={"email": ANN})
        assert int(limited.headers["retry-after"]) <= 60
    assert web.database.read(lambda tx: throttles.count(tx, "code.request 198.51.100.1")) == 33
    async with browser(web, "2001:db8::1") as first, browser(web, "2001:db8::2") as second:
        await first.post(CODE, json={"email": ANN})
        await second.post(CODE, json={"email": ANN})
    assert web.database.read(lambda tx: throttles.count(tx, "code.request 2001:db8::/64")) == 2


async def test_all_strangers_together_are_sent_so_many_and_the_owner_still_gets_his(web: Web) -> None:
    """S-09: the ceiling of the installation."""
    person(web, ANN)
    person(web, "bob@example.com")
    async with browser(web, "192.0.2.1") as known, browser(web, "203.0.113.1") as stranger:
        await sign_in(web, known, ANN)
        web.database.write_now(
            lambda tx: tx.execute("UPDATE throttles SET count = ? WHERE key = 'codes to strangers'", (login.STRANGERS.most,))
        )
        await stranger.post(CODE, json={"email": "bob@example.com"})
        assert messages(web, "bob@example.com") == []
        await sign_in(web, known, ANN)
        web.database.write_now(lambda tx: tx.execute("UPDATE throttles SET started_at = '2026-01-01T00:00:00.000Z'"))
        await stranger.post(CODE, json={"email": "bob@example.com"})
        assert len(messages(web, "bob@example.com")) == 1


async def test_a_flood_leaves_nothing_behind(web: Web) -> None:
    async with browser(web) as client:
        for _ in range(5):
            await client.post(CODE, json={"email": "nobody@example.com"})
    later = clock.now() + timedelta(hours=2)
    web.database.write_now(lambda tx: delete_expired(tx, web.settings, later))
    assert (_count(web, "SELECT count(*) FROM challenges"), _count(web, "SELECT count(*) FROM outbox")) == (0, 0)


async def test_a_stolen_database_tells_no_code(web: Web) -> None:
    """S-11. Nothing in the files is the code, what the browser holds, or a plain hash of them."""
    person(web, ANN)
    async with browser(web) as client:
        held = (await client.post(CODE, json={"email": ANN})).cookies[CHALLENGE]
    code = code_of(web, ANN)
    files = b"".join(path.read_bytes() for path in web.settings.database.parent.iterdir())
    for secret in (code, held, f"{held}\0{code}", f"{held}{code}", f"{held}:{code}"):
        assert secret.encode() not in files
        for name in ("sha256", "sha1", "md5", "blake2b", "sha512"):
            assert hashlib.new(name, secret.encode()).digest()[:16] not in files
    assert web.keys.code_mac not in files


async def test_a_planted_session_or_browser_is_not_kept(web: Web) -> None:
    """S-15, and the same for what makes a browser known: an attacker's would count against the owner's limits."""
    person(web, ANN)
    async with browser(web) as client:
        client.cookies.set(SESSION, "planted")
        client.cookies.set(BROWSER, "planted-by-somebody-else-0123456789")
        answer = await sign_in(web, client, ANN)
    assert answer.cookies[SESSION] != "planted"
    assert answer.cookies[BROWSER] != "planted-by-somebody-else-0123456789"


async def test_a_disabled_person_gets_no_session_with_a_code_of_before(web: Web) -> None:
    user_id = person(web, ANN)
    async with browser(web) as client:
        await client.post(CODE, json={"email": ANN})
        code = code_of(web, ANN)
        web.database.write_now(lambda tx: tx.execute("UPDATE users SET disabled_at = ? WHERE id = ?", (AT, user_id)))
        assert (await client.post(VERIFY, json={"code": code})).status_code == 401
    assert _sessions(web) == 0


async def test_nobody_signs_somebody_in_from_another_page(web: Web) -> None:
    person(web, ANN)
    async with browser(web, Origin="https://evil.localhost") as client:
        for path, body in ((CODE, {"email": ANN}), (VERIFY, {"code": "00000000"}), ("/api/auth/link", {"token": "x"})):
            answer = await client.post(path, json=body)
            assert (answer.status_code, answer.json()["code"]) == (403, "origin.foreign")


async def test_mail_is_made_of_nothing_that_was_sent(web: Web) -> None:
    """S-13."""
    person(web, ANN)
    async with browser(web, **{"X-Forwarded-Host": "evil.example", "Host": "evil.example", "User-Agent": "evil.example"}) as client:
        await client.post(CODE, json={"email": ANN})
    ((_, values),) = messages(web, ANN)
    assert set(values) == {"code"}


async def test_no_answer_and_no_entry_holds_a_code(web: Web) -> None:
    person(web, ANN)
    async with browser(web) as client:
        asked = await client.post(CODE, json={"email": ANN})
        code = code_of(web, ANN)
        refused = await client.post(VERIFY, json={"code": code + "1"})
        given = await client.post(VERIFY, json={"code": f"{code[:4]} {code[4:]}"})
        assert (refused.status_code, given.status_code) == (422, 200)
    entries = web.database.read(lambda tx: str(tx.execute("SELECT * FROM audit_log").fetchall()))
    assert all(code not in text for text in (asked.text, str(asked.headers), refused.text, given.text, entries))


async def test_a_flood_of_refusals_is_told_in_one_entry(web: Web) -> None:
    async with browser(web) as client:
        for _ in range(40):
            await client.post(VERIFY, json={"code": "00000000"})
        told = "SELECT count(*) FROM audit_log WHERE action = 'session.start' AND outcome = 'refused'"
        assert _count(web, told) == login.RECORDED.most
        web.database.write_now(lambda tx: tx.execute("UPDATE throttles SET started_at = '2026-01-01T00:00:00.000Z'"))
        await client.post(VERIFY, json={"code": "00000000"})
    assert _count(web, told) == login.RECORDED.most + 2
    assert _count(web, "SELECT count(*) FROM audit_log WHERE object = 'many' AND changes LIKE '%30%'") == 1


async def test_methods_say_what_to_do_without_mail(web: Web) -> None:
    async with browser(web) as client:
        told = (await client.get("/api/auth/methods")).json()
    assert told["mail"] is False
    assert "zcplatform admin login-link EMAIL" in told["hint"]


async def test_a_fresh_start_lets_nobody_in(web: Web) -> None:
    """S-14: there is no user, so there is no code."""
    async with browser(web) as client:
        for email in ("admin@localhost", "root@localhost", "admin@example.com"):
            await client.post(CODE, json={"email": email})
            assert (await client.post(VERIFY, json={"code": "00000000"})).status_code == 401
    assert _count(web, "SELECT count(*) FROM outbox WHERE status = 'waiting'") == 0
