"""CORS: preflights, marks on every answer, policies by path, WebSockets; in hosts, and the documented examples."""

from __future__ import annotations

import re
import time
from typing import Any

import pytest
from fastapi import FastAPI, HTTPException
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.middleware import Middleware

from asgi_express import Express, HTTPError, Router
from asgi_express.middleware._cors_policy import mark, read_names
from asgi_express.middleware.cors import CORS, CORSPolicy, OriginPolicy
from asgi_express.middleware.error_handler import ErrorHandler
from tests.asgi import Answer, Socket, ask

APP, EVIL = "https://app.example.com", "https://evil.example"
OF_CORS = ("access-control-", "vary", "x-cors-reason")


class Inner:
    """An app that answers with given headers, and counts its calls."""

    def __init__(self, *headers: tuple[str, str], status: int = 200) -> None:
        self.headers = [(name.encode(), value.encode()) for name, value in headers]
        self.status = status
        self.calls = 0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.calls += 1
        if scope["type"] == "websocket":
            await send({"type": "websocket.accept"})
            return
        await send({"type": "http.response.start", "status": self.status, "headers": self.headers})
        await send({"type": "http.response.body", "body": b"inner"})


def of_cors(answer: Answer) -> dict[str, str]:
    return {name: value for name, value in answer.headers.items() if name.startswith(OF_CORS)}


async def preflight(app: Any, origin: str = APP, method: str = "PUT", target: str = "/", **more: str) -> Answer:
    headers = {"origin": origin, "access-control-request-method": method}
    headers |= {f"access-control-request-{name.replace('_', '-')}": value for name, value in more.items()}
    return await ask(app, target, "OPTIONS", headers=headers)


# -- options


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"allow_origins": "*", "allow_credentials": True}, r"allow_origins: '\*' with credentials"),
        ({"allow_origins": "example.com"}, "CORS: allow_origins: 'example.com' has no scheme"),
        ({"allow_origins": OriginPolicy(APP), "allow_credentials": True}, "was made without credentials=True"),
        ({"allow_origins": "*", "allow_private_network": True}, "opens the network to every site"),
        ({"allow_methods": "GET, PO ST"}, "allow_methods: 'PO ST' is not a name"),
        ({"allow_methods": ["GET", ""]}, "allow_methods: '' is not a name"),
        ({"allow_methods": ["patch"]}, "methods are case-sensitive: 'PATCH', not 'patch'"),
        ({"allow_methods": ["Connect"]}, "browsers refuse Connect whatever a server says"),
        ({"allow_headers": ["X-A\r\nSet-Cookie: a=1"]}, "allow_headers: .* is not a name"),
        ({"allow_headers": [b"X-A"]}, "allow_headers: b'X-A' is not a name"),
        ({"expose_headers": "X-Ä"}, "expose_headers: 'X-Ä' is not a name"),
        ({"expose_headers": "Set-Cookie"}, "browsers show Set-Cookie to no page"),
        (
            {"expose_headers": "*", "allow_origins": APP, "allow_credentials": True},
            r"with credentials '\*' is the name",
        ),
        ({"max_age": -1}, "max_age must be 0 to 86400 whole seconds"),
        ({"max_age": "2d"}, "max_age must be 0 to 86400 whole seconds .*, not '2d'"),
        ({"max_age": 0.5}, "max_age must be"),
        ({"max_age": "soon"}, "invalid duration"),
        ({"policies": {"public": None}}, "a prefix is a path such as '/public', decoded, not 'public'"),
        ({"policies": {"/public/": None}}, "a prefix is a path"),
        ({"policies": {"/a//b": None}}, "a prefix is a path"),
        ({"policies": {1: None}}, "a prefix is a path"),
        ({"policies": {"/a": {"allow_origins": "*"}}}, "'/a' needs a CORSPolicy or None"),
        ({"policies": {"/a": None, "/A": None}}, "two prefixes differ only in letter case"),
    ],
)
def test_options_that_cannot_be_are_refused(options: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        CORS(**options)


def test_a_duration_of_a_wrong_type_is_refused() -> None:
    never: Any = None
    with pytest.raises(TypeError, match="a duration is"):
        CORS(max_age=never)


# -- preflights

ANY_VARY = "Access-Control-Request-Method, Access-Control-Request-Headers"
VARY = f"Origin, {ANY_VARY}"
LISTS = {
    "access-control-allow-methods": "GET, POST, PUT, DELETE, OPTIONS, PATCH",
    "access-control-allow-headers": "Origin, Content-Type, Accept, Authorization, X-Requested-With",
    "access-control-max-age": "86400",
}


@pytest.mark.parametrize(
    ("options", "asks", "status", "headers"),
    [
        ({"allow_origins": APP}, {}, 204, {"vary": VARY, "access-control-allow-origin": APP, **LISTS}),
        ({"allow_origins": "*"}, {}, 204, {"vary": ANY_VARY, "access-control-allow-origin": "*", **LISTS}),
        ({"allow_origins": APP}, {"origin": EVIL}, 403, {"vary": VARY}),
        ({"allow_origins": APP}, {"origin": "null"}, 403, {"vary": VARY}),
        ({}, {}, 403, {"vary": VARY}),
        (
            {
                "allow_origins": APP,
                "allow_credentials": True,
                "max_age": "10m",
                "allow_methods": [],
                "allow_headers": "",
            },
            {"method": "POST"},
            204,
            {
                "vary": VARY,
                "access-control-allow-origin": APP,
                "access-control-allow-credentials": "true",
                "access-control-max-age": "600",
            },
        ),
        (
            {"allow_origins": APP, "allow_methods": "*", "allow_headers": "*", "allow_credentials": True, "max_age": 0},
            {"method": "PURGE", "headers": "X-B, authorization,,x-a,x-b"},
            204,
            {
                "vary": VARY,
                "access-control-allow-origin": APP,
                "access-control-allow-credentials": "true",
                "access-control-max-age": "0",
                "access-control-allow-methods": "PURGE",
                "access-control-allow-headers": "x-b, authorization, x-a",
            },
        ),
        (
            {"allow_origins": APP, "allow_private_network": True},
            {"private_network": "true"},
            204,
            {
                "vary": f"{VARY}, Access-Control-Request-Private-Network",
                "access-control-allow-origin": APP,
                "access-control-allow-private-network": "true",
                **LISTS,
            },
        ),
        (
            {"allow_origins": APP, "allow_private_network": True},
            {"private_network": "false"},
            204,
            {
                "vary": f"{VARY}, Access-Control-Request-Private-Network",
                "access-control-allow-origin": APP,
                **LISTS,
            },
        ),
    ],
)
async def test_a_preflight_is_answered_here(options: Any, asks: Any, status: int, headers: dict[str, str]) -> None:
    inner = Inner()
    answer = await preflight(CORS(inner, **options), **asks)
    assert (answer.status, answer.body, inner.calls) == (status, b"", 0)
    assert of_cors(answer) == headers
    assert answer.headers.get("content-length") == ("0" if status == 403 else None)


@pytest.mark.parametrize(
    ("options", "asks", "status", "reason"),
    [
        ({}, {"origin": EVIL}, 403, "the origin 'https://evil.example' is not allowed"),
        ({}, {"origin": "é\x1b[1m"}, 403, r"the origin '\xe9\x1b[1m' is not allowed"),
        ({}, {"method": "PURGE"}, 204, "the method 'PURGE' is not allowed"),
        ({}, {"method": "put"}, 204, "the method 'put' is not allowed"),
        ({"allow_methods": "*"}, {"method": "a b"}, 204, "the method is not a token"),
        ({}, {"headers": "accept, X-Secret"}, 204, "the header x-secret is not allowed"),
        ({"allow_headers": "*"}, {"headers": "x a"}, 204, "Access-Control-Request-Headers is malformed"),
        ({"allow_headers": "*"}, {"headers": "," * 60_000}, 204, "or lists more than 128 headers"),
        ({"allow_headers": "*"}, {"headers": ",".join(f"x-{n}" for n in range(129))}, 204, "lists more than 128"),
        ({}, {"private_network": "true"}, 204, "requests from a public to a private network are not allowed"),
        (
            {},
            {"method": "PURGE", "headers": "x-a"},
            204,
            "the method 'PURGE' is not allowed; the header x-a is not allowed",
        ),
    ],
)
async def test_a_refused_preflight_says_why_in_development_and_in_the_log(
    options: Any, asks: Any, status: int, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG", "asgi_express.cors")
    app = CORS(Inner(), allow_origins=APP, **options)
    silent = await preflight(app, **asks)
    assert (silent.status, silent.body, "x-cors-reason" in silent.headers) == (status, b"", False)
    assert reason in caplog.text
    spoken = await preflight(CORS(Inner(), allow_origins=APP, debug=True, **options), **asks)
    assert (spoken.status, reason in spoken.headers["x-cors-reason"]) == (status, True)
    assert spoken.text == (f"CORS: {spoken.headers['x-cors-reason']}\n" if status == 403 else "")
    # What was refused is not among what is allowed: the browser refuses, whatever the status.
    assert asks.get("method", "PUT") == "PUT" or asks["method"] not in silent.headers.get(
        "access-control-allow-methods", ""
    ).split(", ")
    assert "x-secret" not in silent.headers.get("access-control-allow-headers", "").lower()
    assert "access-control-allow-private-network" not in silent.headers


@pytest.mark.parametrize(
    ("method", "headers"),
    [
        ("OPTIONS", {}),
        ("OPTIONS", {"origin": APP}),
        ("OPTIONS", {"access-control-request-method": "PUT"}),
        ("GET", {"origin": APP, "access-control-request-method": "PUT"}),
    ],
)
async def test_what_is_no_preflight_goes_to_the_app(method: str, headers: Any) -> None:
    answer = await ask(CORS(Inner(), allow_origins=APP), "/", method, headers=headers)
    assert answer.text == "inner"


ASKED = st.fixed_dictionaries(
    {
        "origin": st.sampled_from([APP, EVIL, "https://a.app.example.com", "http://app.example.com", "null", "é"]),
        "method": st.sampled_from(["PUT", "PATCH", "put", "a b"]),
    },
    optional={
        "headers": st.sampled_from(["authorization", "authorization,x-a", "X-A , authorization", "a b", "," * 300]),
        "private_network": st.sampled_from(["true", "false"]),
    },
)
OPTIONS: list[dict[str, Any]] = [
    {"allow_origins": [APP, "https://*.app.example.com"], "allow_methods": ["PUT"], "debug": True},
    {"allow_origins": "*", "allow_methods": "*", "allow_headers": "*", "debug": True},
    {"allow_origins": [re.compile(r"https://.*\.example\.com")], "allow_credentials": True, "expose_headers": "X-A"},
    {"allow_origins": [lambda origin: origin == EVIL], "allow_headers": "*", "allow_private_network": True},
]


@pytest.mark.parametrize("options", OPTIONS, ids=range(len(OPTIONS)))
@settings(deadline=None)
@given(asked=st.lists(ASKED, max_size=10))
async def test_no_preflight_is_answered_with_what_another_one_asked(options: Any, asked: Any) -> None:
    one_for_all = CORS(Inner(), **options)
    for ask_for in [*asked, *reversed(asked)]:
        answers = [await preflight(app, **ask_for) for app in (one_for_all, CORS(Inner(), **options))]
        assert (answers[0].status, answers[0].headers, answers[0].body) == (
            answers[1].status,
            answers[1].headers,
            answers[1].body,
        )


async def test_what_is_remembered_of_preflights_is_bounded_whatever_they_ask() -> None:
    policy = CORSPolicy(allow_origins="https://*.example.com")
    app = CORS(Inner(), policies={"/": policy})
    for number in range(1500):
        assert (await preflight(app, f"https://{number}.example.com", f"M{number}")).status == 204
    assert 0 < len(policy._verdicts) <= 512
    assert 0 < len(policy.origins._known) <= 1024
    policy._verdicts.clear()
    policy.origins._known.clear()
    assert (await preflight(app, f"https://{'a' * 200}.example.com", "PUT", headers="x" * 200)).status == 204
    assert (len(policy._verdicts), len(policy.origins._known)) == (0, 0)


@given(st.text(st.sampled_from('ab-,: \t"\r\nÄ'), max_size=60))
def test_what_is_reflected_is_a_list_of_header_names(listed: str) -> None:
    names = read_names(listed)
    assert names is None or re.fullmatch(r"[a-z-]*(?:,[a-z-]+)*", ",".join(names))


def test_a_flood_of_commas_costs_nothing() -> None:
    started = time.process_time()
    for _ in range(100):
        assert read_names("," * 8192) == []
        assert read_names("a," * 60_000) is None
    assert time.process_time() - started < 2


# -- marks


@pytest.mark.parametrize(
    ("options", "origin", "headers"),
    [
        ({"allow_origins": APP}, APP, {"access-control-allow-origin": APP, "vary": "Origin"}),
        ({"allow_origins": APP}, EVIL, {"vary": "Origin"}),
        ({"allow_origins": APP}, None, {"vary": "Origin"}),
        ({"allow_origins": APP}, "null", {"vary": "Origin"}),
        ({}, APP, {"vary": "Origin"}),
        ({"allow_origins": "*"}, APP, {"access-control-allow-origin": "*"}),
        ({"allow_origins": "*"}, None, {"access-control-allow-origin": "*"}),
        ({"allow_origins": "*"}, "null", {"access-control-allow-origin": "*"}),
        (
            {"allow_origins": "*", "expose_headers": "*"},
            None,
            {"access-control-allow-origin": "*", "access-control-expose-headers": "*"},
        ),
        (
            {"allow_origins": "https://*.example.com", "allow_credentials": True, "expose_headers": ["X-A", "X-B"]},
            APP,
            {
                "access-control-allow-origin": APP,
                "access-control-allow-credentials": "true",
                "access-control-expose-headers": "X-A, X-B",
                "vary": "Origin",
            },
        ),
        (
            {"allow_origins": "*", "allow_credentials": True, "tolerate": "any"},
            EVIL,
            {"access-control-allow-origin": EVIL, "access-control-allow-credentials": "true", "vary": "Origin"},
        ),
        ({"allow_origins": "*", "allow_credentials": True, "tolerate": "any"}, "null", {"vary": "Origin"}),
        (
            {"allow_origins": "null", "tolerate": ["null"]},
            "null",
            {"access-control-allow-origin": "null", "vary": "Origin"},
        ),
    ],
)
@pytest.mark.parametrize("status", [200, 304, 401, 429, 500])
async def test_every_answer_is_marked(options: Any, origin: Any, headers: dict[str, str], status: int) -> None:
    asked = {} if origin is None else {"origin": origin}
    for method in ("GET", "POST"):
        answer = await ask(CORS(Inner(status=status), **options), "/", method, headers=asked)
        assert (of_cors(answer), answer.status) == (headers, status)


async def test_several_origin_headers_are_refused() -> None:
    app = CORS(Inner(), allow_origins=[APP, EVIL], debug=True)
    headers = [("origin", APP), ("origin", APP)]
    assert of_cors(await ask(app, headers=headers)) == {"vary": "Origin"}
    answer = await ask(app, "/", "OPTIONS", headers=[*headers, ("access-control-request-method", "PUT")])
    assert (answer.status, answer.text) == (403, "CORS: the request has several Origin headers\n")


@pytest.mark.parametrize(
    ("given_", "marked"),
    [
        ([], {"vary": "Origin"}),
        ([("Vary", "Accept")], {"vary": "Accept, Origin"}),
        ([("vary", "Accept, ORIGIN")], {"vary": "Accept, ORIGIN"}),
        ([("vary", "X-Origin")], {"vary": "X-Origin, Origin"}),
        ([("vary", "Accept"), ("vary", "*")], {"vary": "Accept, *"}),
        ([("Access-Control-Allow-Origin", "*"), ("access-control-allow-credentials", "true")], {"vary": "Origin"}),
        (
            [("access-control-expose-headers", "X-A")],
            {"access-control-expose-headers": "X-A, X-Own", "vary": "Origin"},
        ),
    ],
)
@pytest.mark.parametrize("origin", [APP, EVIL])
async def test_what_the_app_has_said_stays_but_for_origin_and_credentials(
    given_: Any, marked: dict[str, str], origin: str
) -> None:
    app = CORS(Inner(*given_), allow_origins=APP, expose_headers="X-Own")
    expected = {**marked}
    if origin == APP:
        expected |= {"access-control-allow-origin": APP}
        expected.setdefault("access-control-expose-headers", "X-Own")
    elif "access-control-expose-headers" in expected:
        expected["access-control-expose-headers"] = "X-A"
    assert of_cors(await ask(app, headers={"origin": origin})) == expected


async def test_the_vary_of_the_request_is_not_repeated() -> None:
    answer = await ask(CORS(Inner(), allow_origins=APP), headers={"vary": "*", "origin": EVIL})
    assert of_cors(answer) == {"vary": "Origin"}


def test_headers_may_come_as_any_iterable_of_pairs() -> None:
    pairs = [(b"Vary", b"Accept"), (b"x-a", b"1")]
    for kind in (list, tuple, iter):
        assert mark(kind(pairs), [], vary=True) == [*pairs, (b"vary", b"Origin")]


async def test_two_of_them_leave_one_answer_and_the_outer_decides() -> None:
    inner = CORS(Inner(), allow_origins="*")
    outer = CORS(inner, allow_origins=APP, allow_credentials=True)
    allowed = {"access-control-allow-origin": APP, "access-control-allow-credentials": "true", "vary": "Origin"}
    assert of_cors(await ask(outer, headers={"origin": APP})) == allowed
    assert of_cors(await ask(outer, headers={"origin": EVIL})) == {"vary": "Origin"}


async def test_functions_are_asked_with_the_scope() -> None:
    tenants = {"a.tenant.example": APP}

    async def is_tenant(origin: str, scope: Any) -> bool:
        return tenants.get(dict(scope["headers"])[b"host"].decode()) == origin

    app = CORS(Inner(), allow_origins=[is_tenant])
    headers = {"host": "a.tenant.example", "origin": APP}
    assert of_cors(await ask(app, headers=headers))["access-control-allow-origin"] == APP
    assert of_cors(await ask(app, headers={**headers, "host": "b"})) == {"vary": "Origin"}


# -- policies by path

PUBLIC = {"access-control-allow-origin": "*"}
DEFAULT = {"access-control-allow-origin": APP, "vary": "Origin"}
NOBODY = {"vary": "Origin"}
POLICIES = {
    "/public": CORSPolicy(allow_origins="*"),
    "/public/not": CORSPolicy(),
    "/hooks": None,
    "/grüße": CORSPolicy(allow_origins="*"),
}


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("/", DEFAULT),
        ("/public", PUBLIC),
        ("/public/", PUBLIC),
        ("/public/a/b?c=/d", PUBLIC),
        ("/public/not", NOBODY),
        ("/public/not/a", NOBODY),
        ("/publicity", DEFAULT),
        ("/hooks/a", {}),
        ("/a/public", DEFAULT),
        ("/gr%C3%BC%C3%9Fe/a", PUBLIC),
        ("/p%75blic/a", PUBLIC),
        ("/a%20b", DEFAULT),
        ("/public/no%74/a", NOBODY),
        # routers do not agree on these
        ("/Public", NOBODY),
        ("/PUBLIC/not", NOBODY),
        ("/public%2Fnot", NOBODY),
        ("/hooks%2Fa", NOBODY),
        ("//public", NOBODY),
        ("/public//a", PUBLIC),
        ("/public/../admin", NOBODY),
        ("/public/..%2fadmin", NOBODY),
        ("/public%2f%2e%2e/admin", NOBODY),
        ("/public/a/../b", PUBLIC),
        ("/a/./b", DEFAULT),
    ],
)
async def test_the_longest_prefix_decides_on_borders_of_segments(target: str, expected: dict[str, str]) -> None:
    app = CORS(Inner(), allow_origins=APP, policies=POLICIES)
    assert of_cors(await ask(app, target, headers={"origin": APP})) == expected


async def test_the_prefix_of_a_mount_does_not_count() -> None:
    app = CORS(Inner(), allow_origins=APP, policies=POLICIES)
    answer = await ask(app, "/api/public", headers={"origin": APP}, root_path="/api")
    assert of_cors(answer) == PUBLIC
    everything = CORS(Inner(), policies={"/": CORSPolicy(allow_origins="*")})
    assert of_cors(await ask(everything, "/any/where")) == PUBLIC


async def test_a_preflight_has_the_policy_of_its_path_or_goes_on() -> None:
    inner = Inner()
    app = CORS(inner, allow_origins=APP, policies=POLICIES)
    assert (await preflight(app, EVIL, target="/public/x")).headers["access-control-allow-origin"] == "*"
    assert (await preflight(app, EVIL, target="/x")).status == 403
    assert (await preflight(app, EVIL, target="/hooks/x")).text == "inner"


# -- WebSockets


@pytest.mark.parametrize(
    ("origin", "passes"),
    [
        (APP, True),
        (None, True),
        ("http://testserver", True),
        (EVIL, False),
        ("null", False),
        ("https://testserver", True),
    ],
)
@pytest.mark.parametrize("denial", [True, False])
async def test_websockets_of_other_origins_are_refused_on_demand(origin: Any, passes: bool, denial: bool) -> None:
    headers = {"host": "testserver"} | ({} if origin is None else {"origin": origin})
    socket = await Socket().connect(CORS(Inner(), allow_origins=APP), headers=headers, denial=denial)
    assert socket.types == ["websocket.accept"]
    app = CORS(Inner(), allow_origins=APP, check_websockets=True)
    socket = await Socket().connect(app, headers=headers, denial=denial)
    if passes:
        assert socket.types == ["websocket.accept"]
    elif denial:
        assert (socket.types[0], socket.sent[0]["status"]) == ("websocket.http.response.start", 403)
    else:
        assert socket.sent == [{"type": "websocket.close", "code": 1008}]


async def test_one_policy_object_serves_several() -> None:
    policy = OriginPolicy(["https://*.example.com"], credentials=True)
    app = CORS(Inner(), allow_origins=policy, allow_credentials=True)
    assert of_cors(await ask(app, headers={"origin": APP}))["access-control-allow-credentials"] == "true"
    assert policy.settled(EVIL) is False


# -- in hosts


async def fails(scope: Any, receive: Any, send: Any) -> None:
    raise LookupError("the app's own")


async def test_an_error_of_the_app_is_the_hosts_to_answer_and_it_is_marked_on_its_way_out() -> None:
    app = CORS(Starlette(routes=[]).build_middleware_stack(), allow_origins=APP)
    assert of_cors(await ask(app, headers={"origin": APP})) == DEFAULT
    host = FastAPI()

    @host.get("/fails")
    def route() -> None:
        raise LookupError

    answer = Answer()
    with pytest.raises(LookupError):
        await ask(CORS(host, allow_origins=APP), "/fails", headers={"origin": APP}, answer=answer)
    assert (answer.status, answer.text, of_cors(answer)) == (500, "Internal Server Error", DEFAULT)
    with pytest.raises(LookupError, match="the app's own"):
        await ask(CORS(fails, allow_origins=APP), headers={"origin": APP})


async def test_added_to_fastapi_with_the_error_handler_inside_no_error_is_without_headers() -> None:
    host = FastAPI()
    host.add_middleware(ErrorHandler, log=False)
    host.add_middleware(CORS, allow_origins=[APP])

    @host.get("/fails")
    def route() -> None:
        raise LookupError

    @host.get("/refuses")
    def refuses() -> None:
        raise HTTPException(401)

    for target, status in (("/fails", 500), ("/refuses", 401), ("/missing", 404)):
        answer = await ask(host, target, headers={"origin": APP})
        assert (answer.status, answer.headers["access-control-allow-origin"]) == (status, APP)


async def test_in_starlette_it_is_a_middleware_like_any_other() -> None:
    host = Starlette(middleware=[Middleware(CORS, allow_origins=[APP])])
    answer = await ask(host, "/missing", headers={"origin": APP})
    assert (answer.status, of_cors(answer)) == (404, DEFAULT)


async def test_in_an_application_every_answer_is_marked_also_the_404_and_the_error() -> None:
    app = Express()
    app.set("env", "test")
    app.use(CORS(allow_origins=[APP]))
    app.get("/", lambda req, res: res.send("hello"))

    def refuse(req: Any, res: Any) -> None:
        raise HTTPError(429)

    def fail(req: Any, res: Any) -> None:
        raise LookupError

    app.get("/busy", refuse)
    app.get("/fails", fail)
    for target, status in (("/", 200), ("/busy", 429), ("/fails", 500), ("/missing", 404)):
        answer = await ask(app, target, headers={"origin": APP})
        assert (answer.status, of_cors(answer)) == (status, DEFAULT)


async def test_a_router_and_a_route_can_have_their_own() -> None:
    public = Router()
    public.use(CORS(allow_origins="*"))
    public.get("/a", lambda req, res: res.send("a"))
    app = Express()
    app.use("/public", public)
    app.all("/one", CORS(allow_origins=[APP]), lambda req, res: res.send("one"))
    app.get("/none", lambda req, res: res.send("none"))
    assert of_cors(await ask(app, "/public/a", headers={"origin": EVIL})) == PUBLIC
    assert (await preflight(app, EVIL, target="/public/a")).status == 204
    assert (await preflight(app, APP, target="/one")).status == 204
    assert (await preflight(app, EVIL, target="/one")).status == 403
    assert of_cors(await ask(app, "/none", headers={"origin": APP})) == {}


# -- the examples of the documentation


async def test_the_default_example() -> None:
    app = Express()
    app.use(CORS(allow_origins=["https://app.example.com"]))
    app.put("/", lambda req, res: res.send("put"))
    assert (await preflight(app, APP, headers="content-type")).headers["access-control-allow-origin"] == APP
    assert of_cors(await ask(app, "/", "PUT", headers={"origin": APP})) == DEFAULT


async def test_the_customised_example() -> None:
    app = Express()
    app.use(
        CORS(
            allow_origins=["https://*.example.com", "http://localhost:5173"],
            allow_credentials=True,
            allow_headers=["Content-Type", "X-CSRF-Token"],
            expose_headers=["X-Total-Count"],
            max_age="10m",
            policies={"/public": CORSPolicy(allow_origins="*"), "/webhooks": None},
        )
    )
    app.all("/*path", lambda req, res: res.send("all"))
    answer = await preflight(app, "http://localhost:5173", "POST", headers="x-csrf-token", target="/x")
    assert of_cors(answer) == {
        "vary": VARY,
        "access-control-allow-origin": "http://localhost:5173",
        "access-control-allow-credentials": "true",
        "access-control-allow-methods": LISTS["access-control-allow-methods"],
        "access-control-allow-headers": "Content-Type, X-CSRF-Token",
        "access-control-max-age": "600",
    }
    assert of_cors(await ask(app, "/public/x", headers={"origin": EVIL})) == PUBLIC
    assert of_cors(await ask(app, "/webhooks/x", headers={"origin": APP})) == {}
    answer = await ask(app, "/x", headers={"origin": APP})
    assert answer.headers["access-control-expose-headers"] == "X-Total-Count"
