"""CSRF: what a page of somebody else makes a browser send is refused; what the user does is not."""

from __future__ import annotations

import asyncio
import logging
import re
from typing import Any

import pytest
from fastapi import FastAPI
from hypothesis import given, settings
from hypothesis import strategies as st

from asgi_express import Express, Router
from asgi_express.middleware.cors import CORS
from asgi_express.middleware.csrf import CSRF, REFUSAL
from asgi_express.security import OriginPolicy, cross_site
from tests.asgi import Socket, ask, http_scope

APP, EVIL, OWN = "https://app.example.com", "https://evil.example", "https://testserver"
COOKIE = ("cookie", "session=1")


class Inner:
    """The app inside: counts."""

    def __init__(self) -> None:
        self.ran = 0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.ran += 1
        if scope["type"] == "websocket":
            await send({"type": "websocket.accept"})
            await send({"type": "websocket.close"})
        else:
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b"ok"})


def request_headers(*more: tuple[str, str]) -> list[tuple[str, str]]:
    return [("host", "testserver"), *more]


async def passes(
    *headers: tuple[str, str], method: str = "POST", target: str = "/", scheme: str = "https", **options: Any
) -> bool:
    """Put a request to an app with CSRF around it; tell whether it got through."""
    inner = Inner()
    answer = await ask(CSRF(inner, **options), target, method, headers=request_headers(*headers), scheme=scheme)
    assert answer.status == (200 if inner.ran else 403)
    return bool(inner.ran)


# -- what the browser says

SITES: list[tuple[list[tuple[str, str]], bool]] = [
    ([("sec-fetch-site", "same-origin")], True),
    ([("sec-fetch-site", "none")], True),
    ([("sec-fetch-site", "same-site")], False),
    ([("sec-fetch-site", "cross-site")], False),
    ([("sec-fetch-site", "")], False),
    ([("sec-fetch-site", "Same-Origin")], False),
    ([("sec-fetch-site", "same-origin, cross-site")], False),
    ([("sec-fetch-site", "same-origin"), ("sec-fetch-site", "cross-site")], False),
    ([("sec-fetch-site", "same-origin"), ("sec-fetch-site", "same-origin")], False),
    # A page with no-referrer sends this with its own forms.
    ([("sec-fetch-site", "same-origin"), ("origin", "null")], True),
    # A proxy may have changed the host.
    ([("sec-fetch-site", "same-origin"), ("origin", "https://public.example")], True),
    ([("sec-fetch-site", "cross-site"), ("origin", APP)], True),
    ([("sec-fetch-site", "same-site"), ("origin", APP)], True),
    ([("sec-fetch-site", "cross-site"), ("origin", EVIL)], False),
    ([("sec-fetch-site", "cross-site"), ("origin", "null")], False),
    ([("sec-fetch-site", "cross-site"), ("origin", APP), ("origin", APP)], False),
    ([("sec-fetch-site", "cross-site"), ("referer", APP + "/page")], True),
    ([("sec-fetch-site", "cross-site"), ("referer", EVIL + "/page")], False),
    # http://testserver is another site than https://testserver, and the browser knows.
    ([("sec-fetch-site", "cross-site"), ("origin", OWN)], False),
]


@pytest.mark.parametrize(("headers", "expected"), SITES)
async def test_what_the_browser_says_of_the_site_decides(headers: list[tuple[str, str]], expected: bool) -> None:
    assert await passes(*headers, origins=APP) is expected
    assert await passes(*headers, COOKIE, origins=APP) is expected


ORIGINS: list[tuple[list[tuple[str, str]], str, bool]] = [
    ([("origin", OWN)], "https", True),
    ([("origin", APP)], "https", True),
    ([("origin", EVIL)], "https", False),
    ([("origin", "null")], "https", False),
    ([("origin", "")], "https", False),
    ([("origin", "https://testserver.evil.example")], "https", False),
    ([("origin", "https://eviltestserver")], "https", False),
    ([("origin", "https://testserver:8443")], "https", False),
    ([("origin", "https://testserver:443")], "https", False),
    ([("origin", "https://testserver/")], "https", False),
    ([("origin", "testserver")], "https", False),
    ([("origin", OWN), ("origin", EVIL)], "https", False),
    ([("origin", OWN), ("origin", OWN)], "https", False),
    # Whoever is on the way can change a page that came over http.
    ([("origin", "http://testserver")], "https", False),
    ([("origin", "http://testserver")], "http", True),
    # Behind a proxy that speaks TLS.
    ([("origin", OWN)], "http", True),
    ([("origin", EVIL), ("referer", OWN + "/")], "https", False),
    ([("origin", OWN), ("referer", EVIL + "/")], "https", True),
    ([("referer", OWN + "/page?a=1")], "https", True),
    ([("referer", OWN)], "https", True),
    ([("referer", APP + "/page")], "https", True),
    ([("referer", EVIL + "/page")], "https", False),
    ([("referer", EVIL + "/?" + OWN)], "https", False),
    ([("referer", "https://testserver@evil.example/")], "https", False),
    ([("referer", "http://testserver/")], "https", False),
    ([("referer", "about:blank")], "https", False),
    ([("referer", "")], "https", False),
    ([("referer", "https://[")], "https", False),
    ([("referer", OWN), ("referer", OWN)], "https", False),
]


@pytest.mark.parametrize(("headers", "scheme", "expected"), ORIGINS)
async def test_else_its_origin_is_compared_with_the_host(
    headers: list[tuple[str, str]], scheme: str, expected: bool
) -> None:
    assert await passes(*headers, origins=APP, scheme=scheme) is expected
    assert await passes(*headers, COOKIE, origins=APP, scheme=scheme, allow_unknown=True) is expected


SILENT: list[tuple[list[tuple[str, str]], bool]] = [
    ([], True),
    ([("authorization", "Bearer token")], True),
    ([("x-api-key", "key")], True),
    ([COOKIE], False),
    ([COOKIE, ("authorization", "Bearer token")], False),
    ([("authorization", "Basic YTpi")], False),
    ([("authorization", "basic YTpi")], False),
    ([("authorization", "Digest username=a")], False),
    ([("authorization", "Negotiate YTpi")], False),
    ([("authorization", "Basic YTpi"), ("authorization", "Bearer token")], False),
]


@pytest.mark.parametrize(("headers", "expected"), SILENT)
async def test_what_says_nothing_passes_if_it_has_nothing_that_a_browser_adds_unasked(
    headers: list[tuple[str, str]], expected: bool
) -> None:
    assert await passes(*headers) is expected
    assert await passes(*headers, allow_unknown=True) is True


def lines(name: str, *values: str) -> Any:
    """Return a strategy of no, one or two headers of a name."""
    return st.lists(st.tuples(st.just(name), st.sampled_from(values)), max_size=2)


FOREIGN = st.tuples(
    lines("sec-fetch-site", "cross-site", "same-site", "", "none ", "SAME-ORIGIN", "same-origin;x"),
    st.lists(st.tuples(st.just("origin"), st.sampled_from([EVIL, "null", "", OWN + ".evil.example"])), min_size=1),
    lines("referer", OWN + "/", APP, EVIL, ""),
    lines("cookie", "a=1"),
    lines("authorization", "Bearer x", "Basic x"),
    lines("accept", "text/event-stream", "*/*"),
    lines("x-forwarded-host", "evil.example"),
    lines("x-requested-with", "XMLHttpRequest"),
    lines("content-type", "application/json", "text/plain"),
)


@settings(deadline=None)
@given(FOREIGN, st.sampled_from(["POST", "PUT", "DELETE", "PATCH", "post"]), st.booleans(), st.randoms())
def test_whatever_else_it_says_a_request_of_another_origin_is_refused(
    parts: Any, method: str, allow_unknown: bool, random: Any
) -> None:
    headers = [header for part in parts for header in part]
    random.shuffle(headers)
    assert asyncio.run(passes(*headers, method=method, origins=APP, allow_unknown=allow_unknown)) is False


# -- which requests

METHODS: list[tuple[str, bool]] = [
    *((method, True) for method in ("GET", "HEAD", "OPTIONS", "TRACE")),
    *((method, False) for method in ("POST", "PUT", "PATCH", "DELETE", "QUERY", "PROPFIND", "get", "GETS", "")),
]


@pytest.mark.parametrize(("method", "expected"), METHODS)
async def test_methods_that_change_nothing_are_not_checked(method: str, expected: bool) -> None:
    assert await passes(("origin", EVIL), COOKIE, method=method) is expected
    assert await passes(("origin", OWN), COOKIE, method=method) is True


@pytest.mark.parametrize(
    "accept", ["text/event-stream", "Text/Event-Stream", "text/event-stream, */*;q=0.1", "*/*, text/event-stream"]
)
async def test_event_streams_are_checked(accept: str) -> None:
    stream = ("accept", accept)
    assert await passes(stream, ("origin", EVIL), COOKIE, method="GET") is False
    assert await passes(stream, ("sec-fetch-site", "cross-site"), method="GET") is False
    assert await passes(stream, ("sec-fetch-site", "same-origin"), COOKIE, method="GET") is True
    assert await passes(stream, ("origin", APP), COOKIE, method="GET", origins=APP) is True
    assert await passes(("accept", "text/html, */*"), ("origin", EVIL), COOKIE, method="GET") is True


HANDSHAKES: list[tuple[list[tuple[str, str]], bool]] = [
    ([("origin", "http://testserver")], True),
    ([("origin", OWN)], True),
    ([("origin", APP)], True),
    ([("origin", EVIL)], False),
    ([("origin", EVIL), COOKIE], False),
    ([("origin", "null")], False),
    ([("sec-fetch-site", "cross-site"), ("origin", EVIL)], False),
    ([("sec-fetch-site", "same-origin"), ("origin", OWN)], True),
    ([], True),
    ([COOKIE], False),
]


@pytest.mark.parametrize(("headers", "expected"), HANDSHAKES)
@pytest.mark.parametrize("denial", [True, False])
async def test_a_websocket_of_another_site_is_refused(
    headers: list[tuple[str, str]], expected: bool, denial: bool
) -> None:
    inner = Inner()
    app = CSRF(inner, origins=APP)
    socket = await Socket().connect(app, headers=request_headers(*headers), denial=denial)
    assert inner.ran == expected
    if expected:
        assert socket.types == ["websocket.accept", "websocket.close"]
    elif denial:
        assert (socket.types[0], socket.sent[0]["status"]) == ("websocket.http.response.start", 403)
    else:
        assert socket.sent == [{"type": "websocket.close", "code": 1008}]


# -- whose pages


@pytest.mark.parametrize(
    ("origins", "origin", "expected"),
    [
        ("https://*.example.com", APP, True),
        ("https://*.example.com", "https://example.com", False),
        (re.compile(r"https://pr-\d+\.example\.com"), "https://pr-7.example.com", True),
        (re.compile(r"https://pr-\d+\.example\.com"), "https://pr-7.example.com.evil.example", False),
        (lambda origin: origin == APP, APP, True),
        (lambda origin, scope: scope["path"] == "/b", APP, False),
        (lambda origin, scope: scope["path"] == "/", APP, True),
        (OriginPolicy(APP, credentials=True), APP, True),
    ],
)
async def test_the_pages_of_others_are_trusted_by_any_origin_policy(origins: Any, origin: str, expected: bool) -> None:
    assert await passes(("origin", origin), COOKIE, origins=origins) is expected
    assert await passes(("origin", origin), ("sec-fetch-site", "cross-site"), origins=origins) is expected


async def test_a_function_may_ask_a_database() -> None:
    async def is_tenant(origin: str) -> bool:
        return origin == APP

    assert await passes(("origin", APP), COOKIE, origins=is_tenant) is True
    assert await passes(("origin", EVIL), COOKIE, origins=is_tenant) is False


async def test_what_a_function_raises_is_raised() -> None:
    def fail(origin: str) -> bool:
        raise LookupError("the database is away")

    inner = Inner()
    with pytest.raises(LookupError):
        await ask(CSRF(inner, origins=fail), "/", "POST", headers={"origin": EVIL})
    assert inner.ran == 0


async def test_one_policy_serves_cors_csrf_and_whoever_asks() -> None:
    policy = OriginPolicy("https://*.example.com", credentials=True)
    inner = Inner()
    app = CORS(CSRF(inner, origins=policy), allow_origins=policy, allow_credentials=True)
    allowed = await ask(app, "/", "POST", headers=request_headers(("origin", APP)))
    assert (allowed.status, allowed.headers["access-control-allow-origin"]) == (200, APP)
    refused = await ask(app, "/", "POST", headers=request_headers(("origin", EVIL)))
    assert (refused.status, "access-control-allow-origin" in refused.headers) == (403, False)
    asked = {"access-control-request-method": "POST"}
    preflight = await ask(app, "/", "OPTIONS", headers={"origin": APP, **asked})
    assert (preflight.status, inner.ran) == (204, 1)
    for origin, expected in ((APP, True), (EVIL, False)):
        scope = {**http_scope(headers=request_headers(("origin", origin))), "type": "websocket", "scheme": "wss"}
        assert (await cross_site(scope, policy) is None) is expected


# -- exemptions

EXEMPT = ["/hooks/paid", "/in/*", "/"]
PATHS: list[tuple[str, bool]] = [
    ("/", True),
    ("/?a=1", True),
    ("//", False),
    ("/hooks/paid", True),
    ("/hooks/paid?a=1", True),
    ("/hooks/paid/", False),
    ("/hooks/paid/x", False),
    ("/hooks", False),
    ("/Hooks/paid", False),
    ("/hooks%2Fpaid", False),
    ("/hooks/p%61id", False),
    ("//hooks/paid", False),
    ("/in/", False),
    ("/in", False),
    ("/in/a", True),
    ("/in/a/b", True),
    ("/in/a/", True),
    ("/in/a.b", True),
    ("/in/..a", True),
    ("/inside", False),
    ("/in/../admin", False),
    ("/in/a/..", False),
    ("/in/.", False),
    ("/in/./a", False),
    ("/in/%2e%2e/admin", False),
    ("/in/..%2fadmin", False),
    ("/in//admin", False),
    ("/in/a\\..\\admin", False),
    ("/in/..;/admin", True),
    ("/x/in/a", False),
]


@pytest.mark.parametrize(("target", "expected"), PATHS)
async def test_a_path_is_exempt_to_the_letter_or_not_at_all(target: str, expected: bool) -> None:
    assert await passes(("origin", EVIL), COOKIE, target=target, exempt=EXEMPT) is expected


async def test_one_path_may_stand_alone() -> None:
    assert await passes(("origin", EVIL), target="/hooks", exempt="/hooks") is True
    assert await passes(("origin", EVIL), target="/anything", exempt="/*") is True


async def test_the_prefix_of_a_mount_does_not_count() -> None:
    inner = Inner()
    app = CSRF(inner, exempt="/hooks")
    await ask(app, "/api/hooks", "POST", headers={"origin": EVIL}, root_path="/api")
    await ask(app, "/api/other", "POST", headers={"origin": EVIL}, root_path="/api")
    assert inner.ran == 1


async def test_a_function_may_say_what_is_exempt() -> None:
    def signed(scope: Any) -> bool:
        return any(name == b"stripe-signature" for name, _ in scope["headers"])

    assert await passes(("origin", EVIL), ("stripe-signature", "x"), exempt=signed) is True
    assert await passes(("origin", EVIL), exempt=signed) is False
    assert await passes(("origin", EVIL), exempt=lambda scope: "yes") is False


# -- refusing


async def test_the_refusal_says_why(caplog: pytest.LogCaptureFixture) -> None:
    reason = f"its origin '{EVIL}' is neither that of this host nor one that is trusted"
    answer = await ask(CSRF(Inner()), "/a\n", "POST", headers=request_headers(("origin", EVIL)))
    assert (answer.status, answer.text) == (403, f"CSRF: {reason}\n")
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert caplog.messages == [f"'/a\\n': refused: {reason}"]


@pytest.mark.parametrize(
    ("headers", "reason"),
    [
        (
            [("sec-fetch-site", "cross-site"), ("origin", EVIL)],
            f"it is 'cross-site', and its origin '{EVIL}' is not one",
        ),
        ([("sec-fetch-site", "none"), ("sec-fetch-site", "none")], "it has several Sec-Fetch-Site headers"),
        ([COOKIE], "it has cookies or a password, and neither Sec-Fetch-Site nor Origin nor Referer"),
        ([("origin", "\xfc\r\nX: 1")], "its origin '\\xfc\\r\\nX: 1' is"),
        ([("origin", "x" * 9000)], "its origin '" + "x" * 200 + "' is"),
    ],
)
async def test_every_reason_has_its_words(headers: list[tuple[str, str]], reason: str) -> None:
    answer = await ask(CSRF(Inner()), "/", "POST", headers=request_headers(*headers))
    assert answer.text.startswith(f"CSRF: {reason}")
    assert answer.text.count("\n") == 1


async def test_another_app_may_answer() -> None:
    async def sorry(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 418, "headers": []})
        await send({"type": "http.response.body", "body": scope[REFUSAL].encode()})

    answer = await ask(CSRF(Inner(), on_refused=sorry), "/", "POST", headers={"origin": EVIL})
    assert answer.status == 418
    assert answer.text.startswith("its origin")


async def test_it_can_watch_without_refusing(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        assert await passes(("origin", EVIL), enforce=False) is True
    assert "'/': would be refused: its origin" in caplog.messages[0]


# -- in hosts


async def test_in_a_router_it_guards_what_comes_after() -> None:
    app, guarded = Express(), Router()
    app.post("/hooks", lambda req, res: res.send("hook"))
    guarded.use(CSRF())
    guarded.post("/pay", lambda req, res: res.send("paid"))
    app.use("/user", guarded)
    headers = request_headers(("origin", EVIL))
    assert (await ask(app, "/hooks", "POST", headers=headers)).text == "hook"
    assert (await ask(app, "/user/pay", "POST", headers=headers)).status == 403
    assert (await ask(app, "/user/pay", "POST", headers=request_headers(("origin", OWN)))).text == "paid"


async def test_in_fastapi_it_guards_all_routes() -> None:
    app = FastAPI()
    app.add_middleware(CSRF, origins=[APP])
    app.post("/pay")(lambda: "paid")
    for origin, status in ((APP, 200), (OWN, 200), (EVIL, 403)):
        assert (await ask(app, "/pay", "POST", headers=request_headers(("origin", origin)))).status == status


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"origins": "*"}, r"CSRF: origins: '\*' with credentials"),
        ({"origins": "null"}, "CSRF: origins: any site can make"),
        ({"origins": "http://app.example.com"}, "is not secure"),
        ({"origins": "*.github.io"}, "trusts strangers"),
        ({"origins": OriginPolicy(APP)}, r"made without credentials=True"),
        ({"tolerate": ["all"]}, "tolerate takes"),
        ({"exempt": ["hooks"]}, "exempt: 'hooks' is no path"),
        ({"exempt": ["/hooks*"]}, r"exempt: '/hooks\*' is no path"),
        ({"exempt": ["/a*/*"]}, "is no path"),
        ({"exempt": ["/a/../*"]}, "is no path"),
        ({"exempt": ["//*"]}, "is no path"),
        ({"exempt": ["/a/../b"]}, "is no path"),
        ({"exempt": ["/a%20b"]}, "is no path"),
        ({"exempt": [7]}, "exempt: 7 is no path"),
        ({"exempt": [""]}, "is no path"),
        ({"allow_unknown": "no"}, "allow_unknown must be True or False"),
        ({"enforce": 0}, "enforce must be True or False"),
        ({"on_refused": 403}, "on_refused must be an ASGI app"),
    ],
)
def test_an_option_that_cannot_be_is_refused(options: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        CSRF(**options)


def test_an_asynchronous_exemption_is_refused() -> None:
    async def exempt(scope: Any) -> bool:
        return False

    wrong: Any = exempt
    with pytest.raises(ValueError, match="exempt must be a function that is not async"):
        CSRF(exempt=wrong)
