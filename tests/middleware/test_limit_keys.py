"""Whose limit it is: what makes two requests one client, and what must not."""

from __future__ import annotations

from typing import Any, NamedTuple

import pytest

from asgi_express import Router
from asgi_express.middleware._limit_keys import _network, bounded, client_address, compile_key
from tests.asgi import ask, http_scope
from tests.middleware.doors import Opaque


class Someone(NamedTuple):
    id: str


def key_of(spec: Any, *, ipv6_prefix: int = 64, **more: Any) -> Any:
    return compile_key(spec, ipv6_prefix=ipv6_prefix)(http_scope(**more))


def of_address(text: str | None, ipv6_prefix: int = 64) -> Any:
    return key_of("ip", ipv6_prefix=ipv6_prefix, client=None if text is None else (text, 1))


SAME = [
    ("1.2.3.4", "::ffff:1.2.3.4"),
    ("1.2.3.4", "::ffff:102:304"),
    ("1.2.3.4", "0:0:0:0:0:FFFF:0102:0304"),
    ("1.2.3.4", "64:ff9b::1.2.3.4"),
    ("2001:db8::1", "2001:db8::2"),
    ("2001:db8::1", "2001:db8::1.2.3.4"),
    ("2001:db8:0:0:1::", "2001:0DB8:0000:0000:ffff::"),
    ("fe80::1%eth0", "fe80::1%eth1"),
]
DIFFERENT = [
    ("1.2.3.4", "1.2.3.5"),
    ("::ffff:1.2.3.4", "::ffff:1.2.3.5"),
    ("::ffff:102:304", "::ffff:102:305"),
    ("64:ff9b::1.2.3.4", "64:ff9b::1.2.3.5"),
    ("1.2.3.4", "64:ff9b:1::1.2.3.4"),
    ("2001:db8::1", "2001:db8:0:1::1"),
    ("1.2.3.4", "01.2.3.4"),
    ("::1", "1.2.3.4"),
    ("testclient", "1.2.3.4"),
]


@pytest.mark.parametrize(("one", "other"), SAME)
def test_one_client_has_one_limit_however_its_address_is_written(one: str, other: str) -> None:
    assert of_address(one) == of_address(other)


@pytest.mark.parametrize(("one", "other"), DIFFERENT)
def test_clients_at_different_addresses_have_limits_of_their_own(one: str, other: str) -> None:
    assert of_address(one) != of_address(other)


def test_the_prefix_of_ipv6_can_be_chosen() -> None:
    assert of_address("2001:db8:0:1::", 56) == of_address("2001:db8:0:ff::", 56)
    assert of_address("2001:db8::1", 128) != of_address("2001:db8::2", 128)
    assert of_address("::ffff:1.2.3.4", 32) != of_address("::ffff:1.2.3.5", 32)


@pytest.mark.parametrize("client", [None, (None, None), ("", 0)])
def test_without_an_address_there_is_one_key(client: Any) -> None:
    assert key_of("ip", client=client) == "ip="
    assert client_address(http_scope(client=client)) == ""


NAMED: dict[str, tuple[dict[str, Any], str]] = {
    "header:X-API-Key": ({"headers": [("x-api-key", "k1")]}, "header:x-api-key=k1"),
    "query:api_key": ({"target": "/?a=1&api%5Fkey=k%201"}, "query:api_key=k 1"),
    "cookie:sid": ({"headers": [("cookie", "a=1; sid=%41")]}, "cookie:sid=A"),
    "actor": ({"asgi_express.actor": Someone("ada")}, "actor=ada"),
}


@pytest.mark.parametrize("spec", NAMED)
def test_a_name_reads_what_it_names(spec: str) -> None:
    more, expected = NAMED[spec]
    assert key_of(spec, **more) == expected


@pytest.mark.parametrize("spec", NAMED)
def test_without_what_it_names_a_client_counts_by_its_address(spec: str) -> None:
    assert key_of(spec) == "ip=127.0.0.1"


TWICE: dict[str, dict[str, Any]] = {
    "header:X-API-Key": {"headers": [("x-api-key", "mine"), ("X-Api-Key", "random")]},
    "query:api_key": {"target": "/?api_key=random&api_key=mine"},
    "cookie:sid": {"headers": [("cookie", "sid=random"), ("cookie", "b=2; sid=mine")]},
}


@pytest.mark.parametrize("spec", TWICE)
def test_what_came_twice_is_not_the_clients_to_choose(spec: str) -> None:
    assert key_of(spec, **TWICE[spec]) == "ip=127.0.0.1"


async def test_a_route_is_its_template_never_the_path() -> None:
    seen: list[Any] = []
    router = Router()

    async def look(scope: Any, receive: Any, send: Any) -> None:
        seen.append(compile_key("route")(scope))
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    router.get("/users/:id", Opaque(look))
    for target in ("/users/1", "/users/2", "/users/%31?x=1"):
        assert (await ask(router, target)).status == 204
    assert len(set(seen)) == 1
    assert "/users/:id" in seen[0]


def test_before_the_match_all_routes_are_one() -> None:
    assert key_of("route", target="/a") == key_of("route", target="/b") == "route="


async def given(value: Any) -> Any:
    return value


@pytest.mark.parametrize(("value", "expected"), [("ada", "=ada"), (7, "=7"), (None, None), ("", "=")])
async def test_a_function_gives_the_key_or_none_for_no_limit(value: Any, expected: str | None) -> None:
    assert key_of(lambda _scope: value) == expected
    assert await key_of(lambda _scope: given(value)) == expected
    assert key_of(["ip", lambda _scope: None]) is None


async def test_a_list_is_combined_whether_or_not_it_has_to_wait() -> None:
    expected = "12:ip=127.0.0.14:=ada"
    assert key_of(["ip", lambda _scope: "ada"]) == expected
    assert await key_of(["ip", lambda _scope: given("ada")]) == expected
    assert key_of(["ip"]) == "ip=127.0.0.1"


def test_values_never_meet_in_one_key() -> None:
    pairs = [("a", "bc"), ("ab", "c"), ("a1:", "b"), ("a", "1:b"), ("", "abc"), ("1:a", ""), ("é", "e\u0301")]
    keys = {key_of([lambda _, x=x: x, lambda _, y=y: y]) for x, y in pairs}
    assert len(keys) == len(pairs)
    claimed = key_of("header:X", headers=[("x", "127.0.0.1")])
    assert claimed not in (key_of("ip"), key_of(lambda _scope: "127.0.0.1"))


def test_a_long_text_that_is_no_address_is_not_remembered() -> None:
    before = _network.cache_info().currsize
    assert of_address("x" * 65) == "ip=" + "x" * 65
    assert _network.cache_info().currsize == before


def test_a_long_key_is_hashed() -> None:
    assert bounded("x" * 64) == "x" * 64
    assert bounded("x" * 65) != bounded("x" * 66)
    assert len(bounded("\ud800" * 70_000)) < 64


MISTAKES = [
    ("", "key must be 'ip'"),
    ("user", "key must be 'ip'"),
    ("header:", "key must be 'ip'"),
    ("body:name", "key must be 'ip'"),
    ([], "key must be 'ip'"),
    (7, "key must be 'ip'"),
    ("header:a b", "token"),
    ("header:X-Forwarded-For", "put RealIP in front"),
    ("header:forwarded", "put RealIP in front"),
    (["route", "header:X-Real-IP"], "put RealIP in front"),
]


@pytest.mark.parametrize(("spec", "words"), MISTAKES)
def test_a_key_that_cannot_be_right_is_refused(spec: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        compile_key(spec)


@pytest.mark.parametrize("prefix", [31, 129, True, 64.0, "64"])
def test_a_prefix_that_is_out_of_range_is_refused(prefix: Any) -> None:
    with pytest.raises(ValueError, match="ipv6_prefix must be an integer from 32 to 128"):
        compile_key("ip", ipv6_prefix=prefix)
