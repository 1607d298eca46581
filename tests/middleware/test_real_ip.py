"""Who the client is behind proxies: peers times headers, what is believed, and what is not."""

from __future__ import annotations

import tracemalloc
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asgi_express import Express
from asgi_express._scope import PEER
from asgi_express.middleware.real_ip import RealIP
from tests.asgi import Socket, ask, http_scope

PROXY = ("10.0.0.1", 40000)
STRANGER = ("203.0.113.9", 40000)
NOBODY: Any = None
"""A receive and send that nobody calls."""


async def seen(peer: Any, headers: Any = (), more: dict[str, Any] | None = None, **options: Any) -> dict[str, Any]:
    """Return the scope that the app sees."""
    scopes: list[dict[str, Any]] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        scopes.append(dict(scope))

    middleware = RealIP(app, **options)
    for _ in range(2):  # what is remembered is what was decided
        await middleware(http_scope(headers=headers, client=peer, **(more or {})), NOBODY, NOBODY)
    assert scopes[0] == scopes[1]
    return scopes[0]


async def client(peer: Any, headers: Any = (), **options: Any) -> str | None:
    """Return the client's address, ``None`` where the peer is kept."""
    scope = await seen(peer, headers, **options)
    assert scope[PEER] == peer
    return None if scope["client"] == peer else scope["client"][0]


def xff(*lines: str) -> list[tuple[str, str]]:
    return [("x-forwarded-for", line) for line in lines]


# -- options


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"trusted_subnets": ["192.168.0.0/33"]}, "RealIP: trusted_subnets: invalid range on address: 192.168.0.0/33"),
        ({"trusted_subnets": "10.0.0.0/8, proxy.example.com"}, "invalid IP address: proxy.example.com"),
        ({"trusted_subnets": ["*"]}, r"invalid IP address: \*"),
        ({"trusted_subnets": ["0.0.0.0/0"]}, "invalid range on address"),
        ({"trusted_subnets": [10]}, "unsupported trust argument"),
        ({"header": "X Real IP"}, "header name must be a token"),
        ({"hops": 0}, "hops is the number of proxies, 1 to 100, not 0"),
        ({"hops": True}, "hops is the number of proxies"),
        ({"hops": "1"}, "hops is the number of proxies"),
        ({"hops": 1, "trust_all": True}, "leave out trusted_subnets and trust_all"),
        ({"hops": 1, "trusted_subnets": ["10.0.0.0/8"]}, "leave out trusted_subnets and trust_all"),
        ({"hops": 1, "header": "X-Real-IP"}, "X-Real-IP has one address, there are no hops to count"),
        ({"header": "Forwarded", "port": True}, "Forwarded has no port and no prefix"),
        ({"header": "forwarded", "prefix": True}, "Forwarded has no port and no prefix"),
    ],
)
def test_options_that_cannot_be_are_refused(options: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        RealIP(**options)


# -- X-Forwarded-For


@pytest.mark.parametrize(
    ("peer", "lines", "expected"),
    [
        # who is believed
        (PROXY, ["198.51.100.7"], "198.51.100.7"),
        (("127.0.0.1", 1), ["198.51.100.7"], "198.51.100.7"),
        (("::1", 1), ["198.51.100.7"], "198.51.100.7"),
        (("::ffff:10.1.2.3", 1), ["198.51.100.7"], "198.51.100.7"),
        (("::ffff:a01:203", 1), ["198.51.100.7"], "198.51.100.7"),
        (("fe80::1%eth0", 1), ["198.51.100.7"], "198.51.100.7"),
        (STRANGER, ["198.51.100.7"], None),
        (STRANGER, ["127.0.0.1"], None),
        (("::ffff:203.0.113.9", 1), ["198.51.100.7"], None),
        (("100.10.0.1", 1), ["198.51.100.7"], None),
        (None, ["198.51.100.7"], None),
        (("", 0), ["198.51.100.7"], None),
        (("testclient", 1), ["198.51.100.7"], None),
        # how far
        (PROXY, [], None),
        (PROXY, [""], None),
        (PROXY, ["1.1.1.1, 198.51.100.7"], "198.51.100.7"),
        (PROXY, ["127.0.0.1, 198.51.100.7"], "198.51.100.7"),
        (PROXY, ["1.1.1.1, 198.51.100.7, 10.0.0.2, 192.168.1.1"], "198.51.100.7"),
        (PROXY, ["1.1.1.1", "198.51.100.7", "10.0.0.2"], "198.51.100.7"),
        (PROXY, ["198.51.100.7 ,\t,10.0.0.2,"], "198.51.100.7"),
        (PROXY, ["10.0.0.3, 10.0.0.2"], "10.0.0.3"),
        # what it looks like
        (PROXY, ["198.51.100.7:4711"], "198.51.100.7"),
        (PROXY, ["[2001:db8::7]:4711"], "2001:db8::7"),
        (PROXY, ["2001:DB8::7"], "2001:db8::7"),
        (PROXY, ["198.51.100.7, ::ffff:10.0.0.2"], "198.51.100.7"),
        (PROXY, ["::ffff:198.51.100.7"], "198.51.100.7"),
        # garbage where it matters changes nothing; further left nobody looks
        (PROXY, ["unknown"], None),
        (PROXY, ["198.51.100.7, unknown"], None),
        (PROXY, ["198.51.100.7, 10.0.0.256, 10.0.0.2"], None),
        (PROXY, ["<script>, 198.51.100.7"], "198.51.100.7"),
        (PROXY, ["198.51.100.7\n"], None),
        (PROXY, ["é"], None),
        (PROXY, [",".join(["10.0.0.2"] * 101)], None),
    ],
)
async def test_the_client_is_the_first_address_from_the_right_that_is_not_trusted(
    peer: Any, lines: list[str], expected: str | None
) -> None:
    assert await client(peer, xff(*lines)) == expected


@given(st.lists(st.sampled_from(["1.1.1.1", "10.9.9.9", "junk", "", "::1", "2001:db8::1", "1.1.1.1:1"])))
async def test_nothing_that_a_client_sends_gets_before_what_the_proxy_adds(sent: list[str]) -> None:
    assert await client(PROXY, xff(", ".join([*sent, "198.51.100.7"]))) == "198.51.100.7"


@pytest.mark.parametrize("name", ["x-real-ip", "true-client-ip", "cf-connecting-ip", "forwarded", "x-client-ip"])
async def test_no_other_header_is_read(name: str) -> None:
    other = [(name, "for=1.1.1.1" if name == "forwarded" else "1.1.1.1")]
    assert await client(PROXY, [*other, *xff("198.51.100.7"), *other]) == "198.51.100.7"
    assert await client(PROXY, other) is None


@pytest.mark.parametrize(
    ("options", "peer", "lines", "expected"),
    [
        ({"trusted_subnets": "203.0.113.0/24, 10.0.0.1"}, STRANGER, ["198.51.100.7, 10.0.0.1"], "198.51.100.7"),
        ({"trusted_subnets": "203.0.113.0/24, 10.0.0.1"}, STRANGER, ["198.51.100.7, 10.0.0.2"], "10.0.0.2"),
        ({"trusted_subnets": ["loopback"]}, PROXY, ["198.51.100.7"], None),
        ({"trusted_subnets": ["private"]}, PROXY, ["198.51.100.7"], "198.51.100.7"),
        ({"trusted_subnets": ["2001:db8::/32"]}, ("2001:db8::1", 1), ["198.51.100.7"], "198.51.100.7"),
        ({"trusted_subnets": []}, ("127.0.0.1", 1), ["198.51.100.7"], None),
        # a Unix socket has no address
        ({"trusted_subnets": ["unix"]}, None, ["198.51.100.7"], "198.51.100.7"),
        ({"trusted_subnets": ["unix"]}, ("", 0), ["198.51.100.7"], "198.51.100.7"),
        ({"trusted_subnets": ["unix"]}, PROXY, ["198.51.100.7"], None),
        ({"trusted_subnets": "unix, private"}, None, ["198.51.100.7, 10.0.0.2"], "198.51.100.7"),
        # whoever connects is believed, for the address that it reports itself
        ({"trust_all": True}, STRANGER, ["1.1.1.1, 198.51.100.7"], "198.51.100.7"),
        ({"trust_all": True}, STRANGER, ["198.51.100.7, 10.0.0.2"], "198.51.100.7"),
        ({"trust_all": True}, None, ["198.51.100.7"], "198.51.100.7"),
        # counted
        ({"hops": 1}, STRANGER, ["1.1.1.1, 198.51.100.7"], "198.51.100.7"),
        ({"hops": 2}, STRANGER, ["1.1.1.1, 198.51.100.7, 2.2.2.2"], "198.51.100.7"),
        ({"hops": 2}, STRANGER, ["1.1.1.1"], None),
        ({"hops": 2}, STRANGER, ["1.1.1.1, junk"], None),
        ({"hops": 2}, None, ["198.51.100.7, 2.2.2.2"], "198.51.100.7"),
    ],
)
async def test_the_proxies_are_named_or_counted(options: Any, peer: Any, lines: list[str], expected: Any) -> None:
    assert await client(peer, xff(*lines), **options) == expected


# -- other headers


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (["198.51.100.7"], "198.51.100.7"),
        ([" [2001:db8::7]:80 "], "2001:db8::7"),
        (["198.51.100.7, 198.51.100.7"], None),
        (["198.51.100.7", "198.51.100.7"], None),
        (["junk"], None),
        ([], None),
    ],
)
async def test_a_header_with_one_address_has_one_or_changes_nothing(lines: list[str], expected: Any) -> None:
    headers = [("cf-connecting-ip", line) for line in lines] + xff("1.1.1.1")
    assert await client(PROXY, headers, header="CF-Connecting-IP") == expected
    assert await client(STRANGER, headers, header="CF-Connecting-IP") is None


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (["for=198.51.100.7"], "198.51.100.7"),
        (['For="[2001:db8::7]:4711";proto=https'], "2001:db8::7"),
        (['for=1.1.1.1, for="198.51.100.7:80", for=10.0.0.2'], "198.51.100.7"),
        (["for=1.1.1.1", "for=198.51.100.7"], "198.51.100.7"),
        (["for=unknown, for=198.51.100.7"], "198.51.100.7"),
        (["for=unknown"], None),
        (["for=198.51.100.7, for=_hidden"], None),
        (["for=198.51.100.7, proto=https"], None),
        (['for="junk, for=198.51.100.7'], None),
        (["for=198.51.100.7;for=1.1.1.1"], None),
        (["198.51.100.7"], None),
        ([""], None),
    ],
)
async def test_forwarded_is_walked_in_the_same_way(lines: list[str], expected: Any) -> None:
    headers = [("forwarded", line) for line in lines] + xff("1.1.1.1")
    assert await client(PROXY, headers, header="Forwarded") == expected
    assert await client(STRANGER, headers, header="Forwarded") is None


# -- scheme, host, port, prefix

ALL: dict[str, Any] = {"proto": True, "host": True, "port": True, "prefix": True}


def saying(**said: str) -> list[tuple[str, str]]:
    return [
        ("host", "inner:8000"),
        *xff("198.51.100.7"),
        *((f"x-forwarded-{name}", text) for name, text in said.items()),
    ]


@pytest.mark.parametrize(
    ("said", "kind", "scheme"),
    [
        ("https", "http", "https"),
        ("HTTPS", "http", "https"),
        ("wss", "http", "https"),
        ("https", "websocket", "wss"),
        ("http", "websocket", "ws"),
        ("wss", "websocket", "wss"),
        ("javascript", "http", "http"),
        ("", "http", "http"),
    ],
)
async def test_the_scheme_is_that_of_the_kind_of_connection(said: str, kind: str, scheme: str) -> None:
    start = {"type": kind, "scheme": "ws" if kind == "websocket" else "http"}
    assert (await seen(PROXY, saying(proto=said), start))["scheme"] == scheme
    assert (await seen(STRANGER, saying(proto=said), start))["scheme"] == start["scheme"]
    assert (await seen(PROXY, saying(proto=said), start, proto=False))["scheme"] == start["scheme"]


@pytest.mark.parametrize(
    ("proto", "hops", "scheme"),
    [
        (["https"], 2, "https"),
        (["https, http"], 2, "https"),
        (["https", "http"], 2, "https"),
        (["http, https, http"], 2, "https"),
        (["https, http"], 1, "http"),
        (["https, https"], 3, "http"),
    ],
)
async def test_of_several_values_the_proxy_next_to_the_client_counts(proto: list[str], hops: int, scheme: str) -> None:
    headers = [*xff("9.9.9.9, 198.51.100.7, 2.2.2.2, 3.3.3.3"), *(("x-forwarded-proto", line) for line in proto)]
    assert (await seen(PROXY, headers, hops=hops))["scheme"] == scheme


@pytest.mark.parametrize(
    ("said", "host", "server"),
    [
        ({"host": "example.com"}, "example.com", ("example.com", 80)),
        ({"host": "example.com", "proto": "https"}, "example.com", ("example.com", 443)),
        ({"host": "example.com:443", "proto": "https"}, "example.com", ("example.com", 443)),
        ({"host": "example.com:8443", "proto": "https"}, "example.com:8443", ("example.com", 8443)),
        ({"host": "example.com", "port": "8080"}, "example.com:8080", ("example.com", 8080)),
        ({"host": "example.com:1", "port": "80"}, "example.com", ("example.com", 80)),
        ({"host": "[2001:db8::1]:81"}, "[2001:db8::1]:81", ("2001:db8::1", 81)),
        ({"port": "8443"}, "inner:8443", ("inner", 8443)),
        # what cannot be read is left out
        ({}, "inner:8000", None),
        ({"host": "evil@example.com"}, "inner:8000", None),
        ({"host": "example.com/path"}, "inner:8000", None),
        ({"host": "exa mple.com"}, "inner:8000", None),
        ({"host": "a..b"}, "inner:8000", None),
        ({"host": "a\r\nb"}, "inner:8000", None),
        ({"host": "example.com:99999"}, "inner:8000", None),
        ({"port": "99999"}, "inner:8000", None),
        ({"port": "x"}, "inner:8000", ("inner", 8000)),
        ({"host": "example.com", "port": "-1"}, "example.com", ("example.com", 80)),
    ],
)
async def test_the_host_is_taken_on_demand(said: Any, host: str, server: Any) -> None:
    scope = await seen(PROXY, saying(**said), **ALL)
    assert [value for name, value in scope["headers"] if name == b"host"] == [host.encode()]
    assert scope["server"] == (server or ("127.0.0.1", 8000))
    scope = await seen(PROXY, saying(**said))
    assert (dict(scope["headers"])[b"host"], scope["server"]) == (b"inner:8000", ("127.0.0.1", 8000))


async def test_a_port_without_any_host_is_left_out() -> None:
    scope = await seen(PROXY, [*xff("198.51.100.7"), ("x-forwarded-port", "81")], port=True)
    assert (b"host" in dict(scope["headers"]), scope["server"]) == (False, ("127.0.0.1", 8000))


@pytest.mark.parametrize(
    ("said", "prefix"),
    [
        ("/api", "/api"),
        ("/api/v1/", "/api/v1"),
        ("/a.b/..c", "/a.b/..c"),
        ("/", ""),
        ("", ""),
        ("api", ""),
        ("//evil.example", ""),
        ("/a//b", ""),
        ("/a/../b", ""),
        ("/..", ""),
        ("/.", ""),
        ("/a?b", ""),
        ("/a%2Fb", ""),
        ("/a\\b", ""),
        ("/é", ""),
    ],
)
async def test_a_prefix_is_put_before_the_path_and_the_root_path(said: str, prefix: str) -> None:
    start = {"path": "/in/x y", "raw_path": b"/in/x%20y", "root_path": "/in"}
    scope = await seen(PROXY, saying(prefix=said), start, **ALL)
    assert (scope["root_path"], scope["path"]) == (f"{prefix}/in", f"{prefix}/in/x y")
    assert scope["raw_path"] == f"{prefix}/in/x%20y".encode()
    assert (await seen(PROXY, saying(prefix=said), start))["root_path"] == "/in"


async def test_a_prefix_needs_neither_a_root_path_nor_a_raw_path() -> None:
    scopes: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        scopes.append(scope)

    scope = http_scope("/x", headers=saying(prefix="/api"), client=PROXY)
    del scope["root_path"], scope["raw_path"]
    await RealIP(app, prefix=True)(scope, NOBODY, NOBODY)
    assert (scopes[0]["root_path"], scopes[0]["path"], "raw_path" in scopes[0]) == ("/api", "/api/x", False)


async def test_forwarded_says_scheme_and_host_in_the_element_of_the_client() -> None:
    line = (
        'for=1.1.1.1;host=evil.example, for=198.51.100.7;proto=https;host="example.com:8443", for=10.0.0.2;proto=http'
    )
    headers = [
        ("host", "inner"),
        ("forwarded", line),
        ("x-forwarded-proto", "ws"),
        ("x-forwarded-host", "evil.example"),
    ]
    scope = await seen(PROXY, headers, header="Forwarded", host=True)
    assert (scope["scheme"], dict(scope["headers"])[b"host"]) == ("https", b"example.com:8443")
    scope = await seen(PROXY, headers, header="Forwarded", proto=False)
    assert (scope["scheme"], dict(scope["headers"])[b"host"]) == ("http", b"inner")


# -- what is remembered

ENTRIES = st.sampled_from(["198.51.100.7", "10.0.0.2", "junk", "", "2001:db8::7", "::ffff:10.0.0.3", "1.1.1.1:1"])
LINES = st.lists(
    st.tuples(
        st.sampled_from(["x-forwarded-for", "x-forwarded-proto", "x-forwarded-host", "x-other"]),
        st.one_of(
            st.lists(ENTRIES, max_size=4).map(", ".join), st.sampled_from(["https", "http, https", "example.com:1"])
        ),
    ),
    max_size=4,
)


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from([PROXY, STRANGER, None]), LINES), max_size=12))
async def test_no_request_is_answered_from_what_another_one_said(requests: list[Any]) -> None:
    scopes: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        scopes.append(scope)

    one_for_all = RealIP(app, host=True)
    for peer, headers in [*requests, *reversed(requests)]:
        for middleware in (one_for_all, RealIP(app, host=True)):
            await middleware(http_scope(headers=headers, client=peer), NOBODY, NOBODY)
        assert scopes[-2] == scopes[-1]


async def test_what_is_remembered_is_bounded_whatever_is_sent() -> None:
    clients: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        clients.append(scope["client"][0])

    middleware = RealIP(app)
    for number in range(3000):
        headers = xff(f"spoofed {number}, 198.51.{number >> 8}.{number & 255}")
        await middleware(http_scope(headers=headers, client=PROXY), NOBODY, NOBODY)
        assert clients[-1] == f"198.51.{number >> 8}.{number & 255}"
    assert 0 < len(middleware._memo) <= 1024
    middleware._memo.clear()
    await middleware(http_scope(headers=xff("x" * 250 + ", 198.51.100.7"), client=PROXY), NOBODY, NOBODY)
    assert (clients[-1], len(middleware._memo)) == ("198.51.100.7", 0)


# -- the scope


async def test_nothing_is_changed_in_lists_that_others_hold() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        pass

    scope = http_scope(headers=saying(host="example.com"), client=PROXY)
    held, before = scope["headers"], list(scope["headers"])
    await RealIP(app, host=True)(scope, NOBODY, NOBODY)
    assert held == before
    # In a host the scope is the same object: what is outside sees the client too.
    assert (scope["client"], scope[PEER]) == (("198.51.100.7", 0), PROXY)


async def test_a_scope_of_another_type_passes_untouched() -> None:
    scopes: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        scopes.append(scope)

    scope = {"type": "lifespan"}
    await RealIP(app)(scope, NOBODY, NOBODY)
    assert (scopes[0] is scope, scope) == (True, {"type": "lifespan"})


async def test_a_second_one_starts_from_the_connection_again() -> None:
    scopes: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        scopes.append(scope)

    app_of_two = RealIP(RealIP(app, header="CF-Connecting-IP"))
    headers = [*xff("198.51.100.7"), ("cf-connecting-ip", "192.0.2.1")]
    await app_of_two(http_scope(headers=headers, client=PROXY), NOBODY, NOBODY)
    assert (scopes[0]["client"], scopes[0][PEER]) == (("192.0.2.1", 0), PROXY)


async def test_a_websocket_has_its_client_too() -> None:
    scopes: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        scopes.append(scope)

    await Socket().connect(RealIP(app), headers=[*xff("198.51.100.7:5"), ("x-forwarded-proto", "https")])
    assert (scopes[0]["client"], scopes[0]["scheme"]) == (("198.51.100.7", 5), "wss")


async def test_what_a_client_sends_is_not_kept_however_many_lines_it_has() -> None:
    middleware: Any = RealIP(answering)

    async def come(number: int) -> Any:
        lines = [(bytes(bytearray(b"x-forwarded-for")), b"") for _ in range(3000)]
        scope = http_scope("/", client=PROXY) | {"headers": [*lines, (b"x-forwarded-for", b"1.2.3.%d" % number)]}
        await middleware(scope, None, None)
        return scope["client"]

    tracemalloc.start()
    try:
        for number in range(50):
            assert await come(number) == (f"1.2.3.{number}", 0)
        assert tracemalloc.get_traced_memory()[0] < 1_000_000
    finally:
        tracemalloc.stop()


async def answering(scope: Any, receive: Any, send: Any) -> None:
    """Do nothing."""


# -- the examples of the documentation


def from_peer(peer: Any, app: Any) -> Any:
    async def server(scope: Any, receive: Any, send: Any) -> None:
        await app({**scope, "client": peer}, receive, send)

    return server


async def test_the_default_example() -> None:
    app = Express()
    app.use(RealIP())
    app.get("/", lambda req, res: res.json([req.ip, req.protocol, req.scope[PEER][0]]))
    headers = [*xff("1.1.1.1, 198.51.100.7"), ("x-forwarded-proto", "https")]
    assert (await ask(from_peer(PROXY, app), headers=headers)).json == ["198.51.100.7", "https", "10.0.0.1"]
    assert (await ask(from_peer(STRANGER, app), headers=headers)).json == ["203.0.113.9", "http", "203.0.113.9"]


async def test_the_customised_example() -> None:
    app = Express()
    app.get("/early", lambda req, res, next: (req.headers, next())[1])
    app.use(RealIP(trusted_subnets=["203.0.113.0/24", "unix"], header="Forwarded", host=True))
    app.use(lambda req, res: res.json([req.ip, req.hostname, req.headers["host"]]))
    headers = {"host": "inner", "forwarded": 'for="[2001:db8::7]";host=example.com;proto=https'}
    for peer in (STRANGER, None):
        answer = await ask(from_peer(peer, app), "/early", headers=headers)
        assert answer.json == ["2001:db8::7", "example.com", "example.com"]
    answer = await ask(from_peer(PROXY, app), "/early", headers=headers)
    assert answer.json == ["10.0.0.1", "inner", "inner"]
