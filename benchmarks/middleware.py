"""Compare every middleware of the suite with its fastest peers, in one table.

Each is measured around an application; what it adds is the difference from that application alone, within each round.
The options are those of the documentation, as near to each other as both allow. Where a peer does less than ours,
the row says what it is. The files ``middleware_*.py`` have more requests for those that have one.

    python -m benchmarks.middleware [--rounds 20] [--requests 1000] [--only NAME ...]
"""

import argparse
import asyncio
import hashlib
import hmac
import json
import logging
import time
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import count
from typing import Any

import casbin  # type: ignore[import-untyped]  # it has no types
import itsdangerous
import jwt
from opentelemetry.instrumentation.asgi import OpenTelemetryMiddleware as OpenTelemetryContrib
from opentelemetry.sdk.trace import TracerProvider
from prometheus_client import CollectorRegistry
from prometheus_fastapi_instrumentator.middleware import PrometheusInstrumentatorMiddleware
from starlette.applications import Starlette
from starlette.authentication import AuthCredentials, AuthenticationBackend, SimpleUser, requires
from starlette.middleware.authentication import AuthenticationMiddleware
from starlette.middleware.errors import ServerErrorMiddleware
from starlette.middleware.opentelemetry import OpenTelemetryMiddleware
from starlette.middleware.sessions import SessionMiddleware
from starlette.requests import HTTPConnection, Request
from starlette.responses import Response
from starlette.routing import Route
from starlette_exporter import PrometheusMiddleware
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from asgi_express import Express, middleware
from asgi_express.security import Actor, JWTKey, JWTValidator, Policy, TokenStore
from asgi_express.stores.memory import MemoryStore
from benchmarks import middleware_compress, middleware_cors, middleware_ratelimit
from benchmarks.calls import Answer, App, Body, Case, check, fitting, measure
from benchmarks.turns import Turn, added, machine, ratios, spread, table, take_turns

SECRET = "a secret of the benchmark, 32 bytes long"  # noqa: S105 - it guards nothing
ACTOR = "asgi_express.actor"


@dataclass(frozen=True)
class Candidate:
    """A middleware around an application, and that application alone."""

    label: str
    app: App
    alone: App
    marks: Sequence[tuple[bytes, bytes]] = ()
    headers: Sequence[tuple[bytes, bytes]] = ()


@dataclass(frozen=True)
class Contest:
    """One request that goes through ours and its peers."""

    case: Case
    ours: Candidate
    peers: Sequence[Candidate] = ()


async def plain(_scope: Any, _receive: Any, send: Any) -> None:
    await middleware_cors.inner(_scope, _receive, send)


async def cors() -> list[Contest]:
    apps = middleware_cors.candidates(wildcard=False)
    marks = [(b"access-control-allow-origin", middleware_cors.ORIGIN.encode())]
    simple = middleware_cors.CASES["simple"]
    ours = Candidate("CORS", apps["asgi-express"], middleware_cors.inner, marks)
    return [Contest(simple, ours, [Candidate("Starlette's CORSMiddleware", apps["starlette"], plain, marks)])]


async def compress() -> list[Contest]:
    contests = []
    app = middleware_compress.answering(middleware_compress.document(2048))
    for coding, peers in (("gzip", ("starlette", "starlette-compress")), ("br", ("brotli-asgi",)), ("zstd", ())):
        marks = [(b"content-encoding", coding.encode())]
        case = Case(f"2 KiB of JSON, {coding}", "app", "/", headers=[(b"accept-encoding", coding.encode())])
        makers = middleware_compress.MIDDLEWARE
        candidates = [
            Candidate(name, makers[name, coding](app), app, marks)
            for name in dict.fromkeys(("asgi-express", *peers, "starlette-compress"))
        ]
        contests.append(Contest(case, candidates[0], candidates[1:]))
    return contests


async def ratelimit() -> list[Contest]:
    apps = middleware_ratelimit.CANDIDATES
    peers = [
        Candidate(name, apps[name][0], apps[base][0])
        for name, base in (("slowapi, fixed window", "Starlette"), ("limits, fixed window, three headers", "app"))
    ]
    return [
        Contest(middleware_ratelimit.CASE, Candidate(name, apps[name][0], middleware_ratelimit.inner), peers)
        for name in ("asgi-express, token bucket", "asgi-express, fixed window")
    ]


async def real_ip() -> list[Contest]:
    headers = [(b"x-forwarded-for", b"198.51.100.7"), (b"x-forwarded-proto", b"https")]
    marks = [(b"x-client", b"198.51.100.7"), (b"x-scheme", b"https")]

    async def app(scope: Any, _receive: Any, send: Any) -> None:
        head = [(b"x-client", scope["client"][0].encode()), (b"x-scheme", scope["scheme"].encode())]
        await send({"type": "http.response.start", "status": 200, "headers": head})
        await send({"type": "http.response.body", "body": b"hello"})

    ours = Candidate("RealIP", middleware.RealIP(app), app, marks)
    peer = Candidate("uvicorn's ProxyHeadersMiddleware", ProxyHeadersMiddleware(app), app, marks)
    return [Contest(Case("one proxy", "app", "/", 200, "hello", headers=headers), ours, [peer])]


async def session() -> list[Contest]:
    """Compare sessions in a signed cookie: read only, written with what was there, and changed in every request."""

    async def reading(scope: Any, _receive: Any, send: Any) -> None:
        user = str(scope["session"].get("user", "nobody")).encode()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"x-user", user)]})
        await send({"type": "http.response.body", "body": b"hello"})

    async def writing(scope: Any, receive: Any, send: Any) -> None:
        scope["session"]["user"] = "ada"
        await reading(scope, receive, send)

    numbers = count()

    async def changing(scope: Any, receive: Any, send: Any) -> None:
        scope["session"]["number"] = next(numbers)
        await reading(scope, receive, send)

    async def alone(scope: Any, receive: Any, send: Any) -> None:
        scope["session"] = {"user": "ada"}
        await reading(scope, receive, send)

    def make(app: App) -> tuple[App, App]:
        return middleware.Session(app, secret=SECRET), SessionMiddleware(app, secret_key=SECRET)

    answer = Answer()
    await make(writing)[0](Case("", "app", "/").scope(), Body(b""), answer)
    own = dict(answer.headers)[b"set-cookie"].partition(b";")[0]
    data = b64encode(json.dumps({"user": "ada"}).encode())
    theirs = b"session=" + itsdangerous.TimestampSigner(SECRET).sign(data)
    contests = []
    marks = [(b"x-user", b"ada")]
    for name, app in (("read", reading), ("written, the same", writing), ("changed", changing)):
        ours, peer = make(app)
        contests.append(
            Contest(
                Case(name, "app", "/", 200, "hello"),
                Candidate("Session", ours, alone, marks, [(b"cookie", own)]),
                [Candidate("Starlette's SessionMiddleware", peer, alone, marks, [(b"cookie", theirs)])],
            )
        )
    return contests


class Backend(AuthenticationBackend):
    """Look a token up in a dictionary: the least that a backend of Starlette can do."""

    def __init__(self, tokens: set[str]) -> None:
        self.tokens = tokens

    async def authenticate(self, conn: HTTPConnection) -> tuple[AuthCredentials, SimpleUser] | None:
        """Return whom the token stands for."""
        scheme, _, token = conn.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or token not in self.tokens:
            return None
        return AuthCredentials(["authenticated"]), SimpleUser("ada")


@dataclass(frozen=True)
class Record:
    """What a token stands for."""

    expires: float
    known: tuple[AuthCredentials, SimpleUser]


class Signed(AuthenticationBackend):
    """Do what ``TokenStore`` does: an HMAC in constant time, tokens hashed at rest, expiry."""

    def __init__(self, tokens: set[str]) -> None:
        known = AuthCredentials(["authenticated"]), SimpleUser("ada")
        self.records = {self.key_of(token): Record(time.time() + 3600, known) for token in tokens}

    @staticmethod
    def key_of(token: str) -> str:
        """Return what is kept of a token."""
        return hashlib.sha256(token.encode()).hexdigest()

    async def authenticate(self, conn: HTTPConnection) -> tuple[AuthCredentials, SimpleUser] | None:
        """Return whom the token stands for."""
        scheme, _, token = conn.headers.get("authorization", "").partition(" ")
        text, _, signature = token.rpartition(".")
        expected = urlsafe_b64encode(hmac.digest(SECRET.encode(), text.encode(), "sha256")).decode().rstrip("=")
        if scheme.lower() != "bearer" or not hmac.compare_digest(expected, signature):
            return None
        record = self.records.get(self.key_of(token))
        return record.known if record is not None and time.time() < record.expires else None


class Decoding(AuthenticationBackend):
    """Let PyJWT check a token, its issuer, its audience and its times."""

    async def authenticate(self, conn: HTTPConnection) -> tuple[AuthCredentials, SimpleUser] | None:
        """Return whom the token stands for."""
        scheme, _, token = conn.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            return None
        try:
            claims = jwt.decode(
                token, SECRET, algorithms=["HS256"], issuer="me", audience="you", options={"require": ["exp", "sub"]}
            )
        except jwt.InvalidTokenError:
            return None
        return AuthCredentials(["authenticated"]), SimpleUser(claims["sub"])


async def token_auth() -> list[Contest]:
    async def app(scope: Any, _receive: Any, send: Any) -> None:
        who = scope[ACTOR].id if ACTOR in scope else scope["user"].username
        await send({"type": "http.response.start", "status": 200, "headers": [(b"x-user", who.encode())]})
        await send({"type": "http.response.body", "body": b"hello"})

    async def alone(scope: Any, receive: Any, send: Any) -> None:
        scope["user"] = SimpleUser("ada")
        await app(scope, receive, send)

    def contest(name: str, token: str, store: Any, what: str, backend: AuthenticationBackend) -> Contest:
        marks = [(b"x-user", b"ada")]
        ours = Candidate("TokenAuth", middleware.TokenAuth(app, store=store), alone, marks)
        theirs = AuthenticationMiddleware(app, backend=backend)
        peer = Candidate(f"Starlette's AuthenticationMiddleware, {what}", theirs, alone, marks)
        headers = [(b"authorization", f"Bearer {token}".encode())]
        return Contest(Case(name, "app", "/", 200, "hello", headers=headers), ours, [peer])

    plain, signed = (TokenStore(MemoryStore(full="refuse"), secret=secret) for secret in ((), SECRET))
    token, sealed = await plain.create(Actor("ada")), await signed.create(Actor("ada"))
    now = int(time.time())
    claims = {"sub": "ada", "iss": "me", "aud": "you", "iat": now, "nbf": now, "exp": now + 3600}
    web = jwt.encode(claims, SECRET, "HS256")
    validator = JWTValidator(keys=JWTKey(SECRET, "HS256"), issuer="me", audience="you")
    return [
        contest("bearer token", token, plain, "a set of tokens in plain text", Backend({token})),
        contest("signed bearer token", sealed, signed, "HMAC, hash, expiry", Signed({sealed})),
        contest("JWT, HS256", web, validator, "jwt.decode", Decoding()),
    ]


ACL = """
[request_definition]
r = sub, obj, act
[policy_definition]
p = sub, obj, act, eft
[policy_effect]
e = some(where (p.eft == allow)) && !some(where (p.eft == deny))
[matchers]
m = keyMatch(r.sub, p.sub) && keyMatch(r.obj, p.obj) && r.act == p.act
"""


def enforcer() -> casbin.Enforcer:
    """Return an enforcer with the two policies of ours: patterns, and any deny wins."""
    model = casbin.Enforcer.new_model(text=ACL)
    made = casbin.Enforcer(model)
    made.add_policy("*", "/users/*", "access", "allow")
    made.add_policy("*", "reports", "read", "allow")
    return made


async def firewalls() -> list[Contest]:
    """Compare a decision about an actor who is known."""

    def signed_in(app: App) -> App:
        actor, credentials = Actor("ada"), AuthCredentials(["authenticated"])

        async def known(scope: Any, receive: Any, send: Any) -> None:
            scope[ACTOR], scope["auth"], scope["user"] = actor, credentials, user
            await app(scope, receive, send)

        user = SimpleUser("ada")
        return known

    def audit(_verdict: object) -> None:
        pass

    def express(*guards: Any) -> App:
        app = Express()
        for guard in guards:
            app.post_match(guard)
        app.get("/users/:id", lambda req, res: res.type("text").send("hello"))
        return signed_in(app)

    async def endpoint(request: Request) -> Response:
        return Response("hello")

    rules = enforcer()

    async def enforced(request: Request) -> Response:
        if not rules.enforce(request.user.username, "/users/{id}", "access"):
            return Response(status_code=403)
        return await endpoint(request)

    async def guarding(scope: Any, receive: Any, send: Any) -> None:
        assert rules.enforce(scope["user"].username, "reports", "read")
        await plain(scope, receive, send)

    policies = [Policy("users", "access", "/users/*"), Policy("report", "read", "reports")]
    guard = middleware.EndpointFirewall(policies=policies, audit=audit)
    guarded = requires("authenticated")(endpoint)
    case = Case("one of two policies", "app", "/users/42", 200, "hello")
    wise, free, strict = (
        signed_in(Starlette(routes=[Route("/users/{id}", one)])) for one in (guarded, endpoint, enforced)
    )
    peers = [
        Candidate("casbin's Enforcer in a Starlette endpoint", strict, free),
        Candidate("Starlette's @requires: a scope, no policies", wise, free),
    ]
    resource = middleware.ResourceFirewall(plain, target="reports", action="read", policies=policies, audit=audit)
    return [
        Contest(case, Candidate("EndpointFirewall", express(guard), express()), peers),
        Contest(
            Case("one of two policies", "app", "/"),
            Candidate("ResourceFirewall", signed_in(resource), signed_in(plain)),
            [Candidate("casbin's Enforcer in an ASGI middleware", signed_in(guarding), signed_in(plain))],
        ),
    ]


def routed(*middleware: Any, **options: Any) -> App:
    """Return a host with ten routes, the last of which answers, and a middleware around them."""

    async def endpoint(request: Request) -> Response:
        return Response("hello")

    routes = [Route(f"/{name}/{{id}}", endpoint) for name in (*"abcdefghi", "users")]
    app = Starlette(routes=routes)
    for each in middleware:
        app.add_middleware(each, **options)
    return app


async def metrics() -> list[Contest]:
    alone = routed()
    ours = Candidate("Metrics", routed(middleware.Metrics, registry=CollectorRegistry()), alone)
    exporter = Candidate("starlette_exporter", routed(PrometheusMiddleware, group_paths=True), alone)
    options = {"registry": CollectorRegistry(), "should_instrument_requests_inprogress": True}
    instrumentator = Candidate("instrumentator", routed(PrometheusInstrumentatorMiddleware, **options), alone)
    case = Case("the last of ten routes", "app", "/users/42", 200, "hello")
    return [Contest(case, ours, [exporter, instrumentator])]


async def otel() -> list[Contest]:
    """Compare spans that are made and dropped: what an exporter costs is the same for all."""
    alone, provider = routed(), TracerProvider()
    headers = [
        (b"host", b"api.example.com"),
        (b"user-agent", b"benchmark"),
        (b"traceparent", b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
    ]
    case = Case("the last of ten routes", "app", "/users/42", 200, "hello", headers=headers)
    ours = Candidate("OTel", routed(middleware.OTel, tracer_provider=provider), alone)
    contrib = {"tracer_provider": provider, "exclude_spans": ["send", "receive"]}
    peers = [
        Candidate("instrumentation-asgi, no spans for messages", routed(OpenTelemetryContrib, **contrib), alone),
        Candidate("Starlette's", routed(OpenTelemetryMiddleware, tracer_provider=provider), alone),
    ]
    off = Case("nothing set up", "app", "/users/42", 200, "hello", headers=headers)
    idle = [Candidate("instrumentation-asgi", routed(OpenTelemetryContrib), alone)]
    return [Contest(case, ours, peers), Contest(off, Candidate("OTel", routed(middleware.OTel), alone), idle)]


async def error_handler() -> list[Contest]:
    ours = Candidate("ErrorHandler", middleware.ErrorHandler(plain), plain)
    peer = Candidate("Starlette's ServerErrorMiddleware", ServerErrorMiddleware(plain), plain)
    return [Contest(Case("no error", "app", "/"), ours, [peer])]


CONTESTS: dict[str, Callable[[], Awaitable[list[Contest]]]] = {
    "RealIP": real_ip,
    "CORS": cors,
    "Compress": compress,
    "RateLimit": ratelimit,
    "Session": session,
    "TokenAuth": token_auth,
    "Firewalls": firewalls,
    "ErrorHandler": error_handler,
    "Metrics": metrics,
    "OTel": otel,
}


async def fight(name: str, contest: Contest, rounds: int, requests: int) -> list[list[str]]:
    """Return a row for each peer, or one where there is none."""
    turns: dict[tuple[str, str], Turn] = {}
    for candidate in (contest.ours, *contest.peers):
        case = asking(contest.case, candidate)
        await check(candidate.app, case, candidate.label)
        count = await fitting(candidate.app, case, requests)
        turns[candidate.label, "app"] = partial(measure, candidate.app, case, count)
        turns[candidate.label, "alone"] = partial(measure, candidate.alone, case, count)
    times = await take_turns(turns, rounds)

    def adds(candidate: Candidate) -> list[float]:
        return added(times[candidate.label, "app"], times[candidate.label, "alone"])

    ours = adds(contest.ours)
    head = [name, contest.case.name, spread(ours)]
    if not contest.peers:
        return [[*head, "none", "–", "–"]]
    return [
        [*head, peer.label, spread(adds(peer)), spread(ratios(ours, adds(peer)))]  # a row for each peer
        for peer in contest.peers
    ]


def asking(case: Case, candidate: Candidate) -> Case:
    """Return the request with the candidate's own headers, and what its answer must have."""
    headers = [*case.headers, *candidate.headers]
    return Case(case.name, "app", case.path, case.status, case.answer, headers=headers, marks=candidate.marks)


async def run(names: Sequence[str], rounds: int, requests: int) -> None:
    rows = []
    for name in names:
        for contest in await CONTESTS[name]():
            label = contest.ours.label.removeprefix("asgi-express")
            rows += await fight(f"{name}{label}" if label[:1] in ("", ",") else label, contest, rounds, requests)
    print(f"{machine()} {rounds} rounds of {requests} requests or 50 ms. µs that are added to the application alone.\n")
    print(table(["middleware", "request", "ours", "peer", "the peer's", "ours / the peer's"], rows, texts=2))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--requests", type=int, default=1000)
    parser.add_argument("--only", nargs="+", choices=CONTESTS, default=list(CONTESTS))
    options = parser.parse_args()
    logging.disable(logging.WARNING)
    asyncio.run(run(options.only, max(2, options.rounds), options.requests))


if __name__ == "__main__":
    main()
