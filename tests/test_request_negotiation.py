"""What a request says of its client: negotiation, proxies, cookies, session. The tables are answers of Express."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from asgi_express import Express, Request, Response, Router
from asgi_express._cookies import sign
from asgi_express._ranges import Ranges
from asgi_express.cookies import cookie_parser
from tests.asgi import ask
from tests.cases import HOSTILE, rows

MEMBERS = ("protocol", "secure", "ip", "ips", "host", "hostname", "subdomains", "xhr")

SNAKE = {
    "accepts": "accepts",
    "acceptsEncodings": "accepts_encodings",
    "acceptsCharsets": "accepts_charsets",
    "acceptsLanguages": "accepts_languages",
    "is": "is_",
    "range": "range",
}


async def told(
    read: Callable[[Request], Any], app: Express | Router | None = None, *, peer: str | None = "127.0.0.1", **asked: Any
) -> Any:
    """Return what a handler reads from a request that comes from some address."""
    seen: list[Any] = []
    reader = Express() if app is None else app

    @reader.use
    def look(req: Request, res: Response) -> None:
        seen.append(read(req))
        res.end()

    async def connected(scope: Any, receive: Any, send: Any) -> None:
        await reader({**scope, "client": peer and (peer, 50000)}, receive, send)

    answer = await ask(connected, **asked)
    assert answer.status == 200, answer.text
    return seen[0]


# -- what the client prefers


@pytest.mark.parametrize(("asked", "want"), rows("request", "negotiation"))
async def test_a_request_is_negotiated_as_express_negotiates_it(asked: dict[str, Any], want: Any) -> None:
    arguments = list(asked["args"])
    options = arguments.pop() if asked["member"] == "range" and isinstance(arguments[-1], dict) else {}
    got: Any = await told(
        lambda req: getattr(req, SNAKE[asked["member"]])(*arguments, **options), headers=asked["headers"]
    )
    if isinstance(got, Ranges):
        got = {"type": got.type, "ranges": [[part.start, part.end] for part in got]}
    assert got == want
    assert type(got) is type(want)


@pytest.mark.parametrize(
    ("header", "members"),
    [
        ("accept", [lambda req: req.accepts("json"), lambda req: req.accepts()]),
        ("accept-encoding", [lambda req: req.accepts_encodings("br"), lambda req: req.accepts_encodings()]),
        ("accept-charset", [lambda req: req.accepts_charsets("utf-8"), lambda req: req.accepts_charsets()]),
        ("accept-language", [lambda req: req.accepts_languages("en"), lambda req: req.accepts_languages()]),
        ("content-type", [lambda req: req.is_("json"), lambda req: req.is_("text/*", "+json")]),
        ("range", [lambda req: req.range(10), lambda req: req.range(10, combine=True)]),
        ("x-forwarded-for", [lambda req: req.ip, lambda req: req.ips]),
        ("x-forwarded-host", [lambda req: req.hostname, lambda req: req.subdomains]),
        ("x-forwarded-proto", [lambda req: req.protocol]),
        ("cookie", [lambda req: req.cookies, lambda req: req.signed_cookies]),
    ],
)
@pytest.mark.parametrize(
    "unit", [",", ";", "a,", "a;q=0.1,", '"', "*/*;", "bytes=0-1,", "1.1.1.1, ", "a=s:x.y;", "é=%zz;"]
)
async def test_a_hostile_header_is_read_in_linear_time(
    header: str, members: list[Callable[[Request], Any]], unit: str
) -> None:
    taken = []
    for size in (HOSTILE // 4, HOSTILE):
        headers = [("host", "h.test"), ("content-length", "1"), (header, (unit * size)[:size])]
        app = Express(trust_proxy=True).use(cookie_parser("secret"))
        req = await told(lambda req: req, app, headers=headers, body=b"x")
        taken.append(min(cpu_time(req, members) for _ in range(3)))
    # Four times the text is sixteen times the work where that is quadratic; less than a millisecond is no measure.
    assert taken[1] < 10 * max(taken[0], 0.001)


def cpu_time(req: Request, members: list[Callable[[Request], Any]]) -> float:
    """Return the seconds that this thread worked, whatever else runs on the machine."""
    req.__dict__.pop("_cookies", None)
    start = time.thread_time()
    for member in members:
        member(req)
    return time.thread_time() - start


@pytest.mark.parametrize(
    ("length", "has_body"), [("0", True), ("12", True), ("", False), ("many", False), ("٣", False), ("-1", True)]
)
async def test_a_body_is_there_if_its_length_is_a_number(length: str, has_body: bool) -> None:
    value = length.encode().decode("latin-1")
    headers = {"content-type": "text/plain", "content-length": value}
    assert await told(lambda req: req.is_("text"), headers=headers) == ("text" if has_body else None)


async def test_a_request_without_headers_prefers_nothing() -> None:
    assert await told(lambda req: (req.is_(), req.range(10), req.xhr, req.host, req.hostname, req.subdomains)) == (
        None,
        None,
        False,
        None,
        None,
        [],
    )


# -- who asks, and whom


def with_settings(trust: Any = "unset", offset: Any = "unset") -> Express:
    app = Express()
    if trust != "unset":
        app.set("trust proxy", trust)
    if offset != "unset":
        app.set("subdomain offset", offset)
    return app


@pytest.mark.parametrize(("given", "want"), rows("request", "facts"))
async def test_express_sees_the_same_client_and_host(given: dict[str, Any], want: dict[str, Any]) -> None:
    app = with_settings(given.get("trust", "unset"), given.get("offset", "unset"))
    target = "/"
    reader = app
    if "child" in given:
        reader = with_settings(given["child"], given.get("child_offset", "unset"))
        app.use("/c", reader)
        target = "/c/"
    reader.get("/", lambda req: {name: getattr(req, name) for name in MEMBERS})
    answer = await ask(app, target, headers=given["headers"], scheme="https" if given.get("secure") else "http")
    assert answer.json == want


async def test_a_function_decides_by_address_and_distance() -> None:
    asked: list[tuple[str, int]] = []

    def trust(address: str, index: int) -> bool:
        asked.append((address, index))
        return index < 2

    headers = {"x-forwarded-for": "3.3.3.3, 2.2.2.2, 1.1.1.1"}
    found = await told(lambda req: (req.ip, req.ips), Express(trust_proxy=trust), headers=headers)
    assert found == ("2.2.2.2", ["2.2.2.2", "1.1.1.1"])
    assert asked[:3] == [("127.0.0.1", 0), ("1.1.1.1", 1), ("2.2.2.2", 2)]


@pytest.mark.parametrize(
    ("value", "words"), [("", "invalid IP address"), ("10.0.0.0/40", "invalid range"), (["localhost"], "invalid IP")]
)
def test_a_proxy_that_cannot_be_read_is_refused_when_it_is_set(value: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Express(trust_proxy=value)
    with pytest.raises(ValueError, match=words):
        Express().set("trust proxy", value)


async def test_trust_is_inherited_live_until_the_child_sets_its_own() -> None:
    app, child, grandchild = Express(), Express(), Express()
    app.use(child.use(grandchild.use(lambda req, res: res.send(req.ip))))
    headers = {"x-forwarded-for": "8.8.8.8"}
    assert (await ask(app, headers=headers)).text == "127.0.0.1"
    app.set("trust proxy", True)
    assert (await ask(app, headers=headers)).text == "8.8.8.8"
    child.set("trust proxy", False)
    assert (await ask(app, headers=headers)).text == "127.0.0.1"


async def test_a_bare_router_trusts_nobody() -> None:
    headers = {"x-forwarded-for": "8.8.8.8", "x-forwarded-proto": "https", "x-forwarded-host": "evil", "host": "own"}
    assert await told(lambda req: (req.ip, req.ips, req.protocol, req.host), Router(), headers=headers) == (
        "127.0.0.1",
        [],
        "http",
        "own",
    )


@pytest.mark.parametrize(
    ("scheme", "protocol"), [("http", "http"), ("https", "https"), ("ws", "http"), ("wss", "https")]
)
async def test_the_protocol_is_that_of_the_connection(scheme: str, protocol: str) -> None:
    found = await told(lambda req: (req.protocol, req.secure), scheme=scheme)
    assert found == (protocol, protocol == "https")


async def test_a_unix_socket_has_no_address() -> None:
    assert await told(lambda req: (req.ip, req.ips), peer=None) == (None, [])
    headers = {"x-forwarded-for": "8.8.8.8"}
    assert await told(lambda req: req.ip, Express(trust_proxy="loopback"), peer=None, headers=headers) is None
    assert await told(lambda req: req.ip, Express(trust_proxy=1), peer=None, headers=headers) == "8.8.8.8"


@pytest.mark.parametrize("peer", ["127.0.0.1", "::1", "::ffff:127.0.0.1"])
async def test_loopback_is_trusted_in_every_spelling(peer: str) -> None:
    app = Express(trust_proxy="loopback")
    headers = {"x-forwarded-for": "8.8.8.8", "x-forwarded-proto": "https"}
    found = await told(lambda req: (req.ip, req.secure), app, peer=peer, headers=headers)
    assert found == ("8.8.8.8", True)


async def test_forwarded_addresses_are_text_of_the_client_and_are_handed_on_as_such() -> None:
    headers = {"x-forwarded-for": "<script>, 1.1.1.1"}
    assert await told(lambda req: req.ip, Express(trust_proxy=True), headers=headers) == "<script>"
    assert await told(lambda req: req.ip, Express(trust_proxy="loopback"), headers=headers) == "1.1.1.1"


# -- cookies and session


@pytest.mark.parametrize(("given", "want"), rows("request", "cookies"))
async def test_cookies_are_those_of_cookie_parser(given: dict[str, Any], want: dict[str, Any]) -> None:
    app = Express()
    if given["secrets"]:
        app.use(cookie_parser(given["secrets"]))
    want["plain"].pop("", None)  # a nameless cookie is skipped here
    headers = {} if given["cookie"] is None else {"cookie": given["cookie"]}
    assert await told(lambda req: {"plain": req.cookies, "signed": req.signed_cookies}, app, headers=headers) == want


async def test_a_key_is_rotated_without_signing_anybody_out() -> None:
    app = Express().use(cookie_parser(["new", "old"]))
    app.get("/", lambda req, res: res.cookie("id", req.signed_cookies["id"], signed=True).json(req.signed_cookies))
    before = await ask(app, headers={"cookie": f"id=s:{sign('7', 'old')}"})
    assert before.json == {"id": "7"}
    renewed = before.headers["set-cookie"].partition(";")[0]
    only_new = Express().use(cookie_parser("new"))
    assert await told(lambda req: req.signed_cookies, only_new, headers={"cookie": renewed}) == {"id": "7"}
    only_new = Express().use(cookie_parser("new"))
    old = {"cookie": f"id=s:{sign('7', 'old')}"}
    assert await told(lambda req: req.signed_cookies, only_new, headers=old) == {"id": False}


async def test_a_forged_cookie_is_false_and_is_not_among_the_plain_ones() -> None:
    app = Express().use(cookie_parser("secret"))
    cookies = await told(
        lambda req: (req.cookies, req.signed_cookies),
        app,
        headers={"cookie": "a=s:admin.forged; b=s:é.x; c=s:; d=s:%F0%9F%92%A3.y; e=plain"},
    )
    assert cookies == ({"e": "plain"}, {"a": False, "b": False, "c": False, "d": False})


async def test_cookies_of_several_lines_are_one_list() -> None:
    headers = [("cookie", "a=1"), ("cookie", "b=2; a=3")]
    assert await told(lambda req: req.cookies, headers=headers) == {"a": "1", "b": "2"}


async def test_cookies_are_parsed_once_and_again_when_something_has_changed() -> None:
    def read(req: Request) -> Any:
        first = req.cookies
        assert req.cookies is first
        req.headers["cookie"] = f"b={sign('x', 'late')}; c=s:{sign('y', 'late')}"
        changed = req.cookies
        req.cookie_secrets = ["late"]
        return first, changed, req.signed_cookies

    first, changed, signed = await told(read, headers={"cookie": "a=1"})
    assert first == {"a": "1"}
    assert list(changed) == ["b", "c"]
    assert signed == {"c": "y"}


async def test_one_secret_may_be_set_as_text() -> None:
    def read(req: Request) -> Any:
        req.cookie_secrets = "keyboard cat"
        return req.cookie_secrets

    assert await told(read) == ("keyboard cat",)


async def test_a_json_cookie_of_a_hostile_depth_is_text() -> None:
    deep = "j:" + "[" * 60_000
    assert await told(lambda req: req.cookies, headers={"cookie": f"a={deep}"}) == {"a": deep}


async def test_the_session_is_that_of_whichever_middleware_keeps_one() -> None:
    assert await told(lambda req: req.session) is None
    assert await told(lambda req: req.session, session={"user": 7}) == {"user": 7}


async def test_the_actor_and_the_policies_are_those_that_were_found_out() -> None:
    assert await told(lambda req: [req.actor, req.security_scope]) == [None, None]
    found: dict[str, Any] = {"asgi_express.actor": {"id": "ada"}, "asgi_express.security_scope": ["readers"]}
    assert await told(lambda req: [req.actor, req.security_scope], **found) == [{"id": "ada"}, ["readers"]]
