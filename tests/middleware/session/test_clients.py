"""What a client may bring: forgeries, odd payloads, planted ids."""

from __future__ import annotations

import hmac
import json
import re
from base64 import urlsafe_b64encode
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asgi_express import _cookies
from asgi_express.middleware import Session
from asgi_express.middleware._session_homes import Seal
from tests.asgi import ask
from tests.middleware.browsing import SECRET, Browser, Clock, FaultyStore, put
from tests.middleware.session.homes import HOMES, in_cookie, in_store


def forged(payload: Any, secret: str = SECRET, cookie: str = "session") -> str:
    """Return a cookie value with a signature that is right."""
    text = payload if isinstance(payload, str) else urlsafe_b64encode(json.dumps(payload).encode()).decode()
    return Seal([secret], cookie).close(text)


NOW = int(Clock().now)
ODD_PAYLOADS = {
    "a list": [1],
    "text": "eA",
    "not base64": "!!!!",
    "not ASCII": "é",
    "nothing": "",
    "null": None,
    "no data": {"c": NOW, "u": NOW},
    "data of another type": {"c": NOW, "u": NOW, "d": [1]},
    "times of another type": {"c": "1", "u": NOW, "d": {"a": 1}},
    "times that are true": {"c": True, "u": True, "d": {"a": 1}},
    "a fraction": {"c": NOW + 0.5, "u": NOW, "d": {"a": 1}},
    "not JSON": urlsafe_b64encode(b"{").decode(),
    "not UTF-8": urlsafe_b64encode(b'{"a":"\xff"}').decode(),
    "NaN": urlsafe_b64encode(b'{"c":%d,"u":%d,"d":{"a":NaN}}' % (NOW, NOW)).decode(),
    "beyond floats": urlsafe_b64encode(b'{"c":%d,"u":%d,"d":{"a":1e400}}' % (NOW, NOW)).decode(),
    "deep": urlsafe_b64encode(b"[" * 2500).decode(),
}


@pytest.mark.parametrize("payload", ODD_PAYLOADS.values(), ids=ODD_PAYLOADS)
async def test_a_signed_cookie_that_is_not_a_session_is_none(payload: Any) -> None:
    browser = in_cookie(Clock())
    browser.cookies["session"] = forged(payload)
    answer = await browser.visit(dict)
    assert (answer.status, browser.inner.seen) == (200, {})
    await browser.visit(put(a=1))
    assert await browser.read() == {"a": 1}


async def test_the_forger_of_these_tests_can_make_a_session() -> None:
    browser = in_cookie(Clock())
    browser.cookies["session"] = forged({"c": NOW, "u": NOW, "d": {"a": 1}})
    assert await browser.read() == {"a": 1}


@given(st.text(st.characters(codec=None), max_size=50))
def test_a_seal_is_a_signature_of_cookie_signature(text: str) -> None:
    old, new = "the old secret of some length", SECRET
    key = hmac.digest(b"asgi-express session name", new.encode(), "sha256").hex()
    value = Seal([new, old], "name").close(text)
    assert value == _cookies.sign(text, key)
    assert Seal([new, old], "name").open(value) == (text, False)
    assert Seal([old, new], "name").open(value) == (text, True)
    assert Seal([old, f"{old}er", new], "name").open(value) == (text, True)
    assert Seal([old], "name").open(value) == (None, False)
    assert Seal([new], "name").open(value[:-1]) == (None, False)
    assert Seal([new], "name").open(value + "=") == (None, False)


FORGERIES = {
    "no signature": "abc",
    "another secret": forged({"c": NOW, "u": NOW, "d": {"a": 1}}, "another secret of some length"),
    "another cookie": forged({"c": NOW, "u": NOW, "d": {"a": 1}}, cookie="other"),
    "signed by cookie_parser": _cookies.sign(
        urlsafe_b64encode(json.dumps({"c": NOW, "u": NOW, "d": {"a": 1}}).encode()).decode(), SECRET
    ),
    "empty": "",
    "a dot": ".",
    "percent": "%ff%00.%zz",
    "long": "a" * 5000,
    "long and signed": forged("a" * 5000),
}


@pytest.mark.parametrize("value", FORGERIES.values(), ids=FORGERIES)
@HOMES
async def test_a_cookie_that_was_not_signed_here_is_none_and_asks_no_store(home: Any, value: str) -> None:
    store = FaultyStore()
    browser = home(Clock(), **({"store": store} if home is in_store else {}))
    browser.cookies["session"] = value
    assert await browser.read() == {}
    assert store.calls == []


async def test_no_session_is_kept_under_an_id_that_the_client_brought() -> None:
    store = FaultyStore()
    browser = in_store(Clock(), store=store)
    planted = browser.cookies["session"] = forged("planted-id")
    assert await browser.read() == {}
    await browser.visit(put(user="Ada"))
    assert browser.cookies["session"] != planted
    browser.cookies["session"] = planted
    assert await browser.read() == {}


async def test_ids_are_long_random_and_hashed_at_rest() -> None:
    store = FaultyStore()
    browser = in_store(Clock(), store=store)
    ids = set()
    for _ in range(20):
        browser.cookies.clear()
        await browser.visit(put(a=1))
        ids.add(browser.cookies["session"].partition(".")[0])
    assert len(ids) == 20
    assert all(len(each) == 43 for each in ids)
    held = repr(store.keys) + repr(store.values)
    assert not any(each in held for each in ids)
    assert all(re.fullmatch("session:[0-9a-f]{64}", key) for key in store.keys)


async def test_cookies_may_come_in_several_lines_and_with_others() -> None:
    browser = in_cookie(Clock())
    await browser.visit(put(a=1))
    browser.inner.program = dict
    for headers in (
        [("cookie", "x=1"), ("cookie", f"session={browser.cookies['session']}"), ("cookie", "y")],
        [("cookie", f'x=session; session="{browser.cookies["session"]}"; session=later')],
    ):
        await ask(browser.app, headers=headers)
        assert browser.inner.seen == {"a": 1}


@HOMES
async def test_secrets_are_rotated_without_ending_sessions(home: Any) -> None:
    clock = Clock()
    options = {"store": FaultyStore(clock=clock)} if home is in_store else {}
    old = "the old secret of some length"
    before = Browser(Session, secret=old, clock=clock, **options)
    await before.visit(put(a=1))
    between = Browser(Session, secret=[SECRET, old], clock=clock, **options)
    between.cookies = dict(before.cookies)
    assert await between.read() == {"a": 1}
    assert between.set_cookie is not None
    after = Browser(Session, secret=[SECRET], clock=clock, **options)
    after.cookies = dict(before.cookies)
    assert await after.read() == {}
    after.cookies = dict(between.cookies)
    assert await after.read() == {"a": 1}
    assert after.set_cookie is None
    between.cookies = dict(before.cookies)
    await between.visit(put(b=2))
    after.cookies = dict(between.cookies)
    assert await after.read() == {"a": 1, "b": 2}


async def test_a_session_too_large_for_a_cookie_is_an_error_that_names_the_remedy() -> None:
    browser = in_cookie(Clock())
    await browser.visit(put(a=1))
    with pytest.raises(ValueError, match=r"needs a cookie of \d+ bytes, browsers keep 4096: pass Session a store"):
        await browser.visit(put(a="x" * 4000))
    assert await browser.read() == {"a": 1}
    largest = in_store(Clock())
    await largest.visit(put(a="x" * 1_000_000))
    assert len((await largest.read())["a"]) == 1_000_000


async def test_the_largest_cookie_comes_back() -> None:
    browser = in_cookie(Clock())
    size = 4000
    while True:
        try:
            await browser.visit(put(a="x" * size))
        except ValueError:
            size -= 1
        else:
            break
    assert 4092 <= len(f"session={browser.cookies['session']}") <= 4096
    assert await browser.read() == {"a": "x" * size}


@pytest.mark.parametrize("value", [b"", b"[]", b"\xff", b'{"v":2}', b'{"c":1,"u":1,"d":null}', b"[" * 100_000])
async def test_what_cannot_be_read_in_the_store_is_no_session(value: bytes, caplog: pytest.LogCaptureFixture) -> None:
    store = FaultyStore()
    browser = in_store(Clock(), store=store)
    await browser.visit(put(a=1))
    await store.set(store.keys[0], value, ttl=60)
    assert await browser.read() == {}
    assert "a session in the store cannot be read" in caplog.text
