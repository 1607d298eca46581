"""Compare the full recommended stack with Starlette's, with CORS and GZip alone and with a peer of each part.

Ours is an application with ``RealIP``, ``CORS``, ``Compress``, ``RateLimit``, ``TokenAuth`` and ``EndpointFirewall``. A
request comes from a page of another origin, through one proxy, with a token; the answer is small JSON that nobody
compresses, or 2 KiB of JSON that everybody does, with gzip.

    python -m benchmarks.full_stack [--rounds 30] [--requests 1000]
"""

import asyncio
import logging
import zlib
from typing import Any

from slowapi import Limiter
from slowapi.middleware import SlowAPIASGIMiddleware
from slowapi.util import get_remote_address
from starlette.applications import Starlette
from starlette.authentication import requires
from starlette.middleware import Middleware
from starlette.middleware.authentication import AuthenticationMiddleware
from starlette.middleware.cors import CORSMiddleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request as StarletteRequest
from starlette.responses import JSONResponse
from starlette.routing import Route
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from asgi_express import Express, Request, Response
from asgi_express.middleware import CORS, Compress, EndpointFirewall, RateLimit, RealIP, TokenAuth
from asgi_express.security import Actor, Policy, TokenStore
from asgi_express.stores.memory import MemoryStore
from benchmarks.calls import Case, check
from benchmarks.in_process import Entry, arguments, compare, label_of, report
from benchmarks.middleware import Backend
from benchmarks.middleware_ratelimit import MANY
from benchmarks.turns import machine, ratios, spread, table

ORIGIN = "https://app.example.com"
ITEMS = [{"id": number, "name": f"item {number}", "tags": ["a", "b", "c"]} for number in range(45)]


MIDDLEWARE = ("RealIP", "CORS", "Compress", "RateLimit", "TokenAuth", "EndpointFirewall")


def express(tokens: TokenStore, count: int = len(MIDDLEWARE)) -> Express:
    """Return an application with the first so many of the middleware."""
    app = Express()
    limit = RateLimit(requests=MANY, window="1h")
    for middleware in (RealIP(), CORS(allow_origins=[ORIGIN]), Compress(), limit, TokenAuth(store=tokens))[:count]:
        app.use(middleware)
    if count == len(MIDDLEWARE):
        policies = [Policy("users", "access", "/users/*"), Policy("items", "access", "/items")]
        app.post_match(EndpointFirewall(policies=policies))
    app.get("/users/:id", _user)
    app.get("/items", lambda req, res: res.json(ITEMS))
    return app


def _user(req: Request, res: Response) -> None:
    res.json({"id": req.params["id"]})


async def _starlette_user(request: StarletteRequest) -> JSONResponse:
    return JSONResponse({"id": request.path_params["id"]})


async def _starlette_items(request: StarletteRequest) -> JSONResponse:
    return JSONResponse(ITEMS)


def starlette(*middleware: Middleware, guarded: bool = False) -> Starlette:
    guard: Any = requires("authenticated") if guarded else lambda endpoint: endpoint
    routes = [Route("/users/{id}", guard(_starlette_user)), Route("/items", guard(_starlette_items))]
    return Starlette(routes=routes, middleware=middleware)


async def entries(token_of: TokenStore, token: str) -> list[Entry]:
    two = (Middleware(CORSMiddleware, allow_origins=[ORIGIN]), Middleware(GZipMiddleware))
    six = starlette(
        Middleware(ProxyHeadersMiddleware),
        *two,
        Middleware(SlowAPIASGIMiddleware),
        Middleware(AuthenticationMiddleware, backend=Backend({token})),
        guarded=True,
    )
    six.state.limiter = Limiter(key_func=get_remote_address, default_limits=[f"{MANY}/hour"], headers_enabled=True)
    ours, theirs = label_of("asgi_express"), label_of("starlette")
    return [
        Entry("two", f"{theirs}, CORS and GZip", {"stack": starlette(*two)}),
        Entry("ours", f"{ours}, the full stack", {"stack": express(token_of)}),
        Entry("six", f"{theirs}, a peer of each of the six", {"stack": six}),
        Entry("bare", f"{ours}, bare", {"stack": express(token_of, 0)}),
        Entry("their bare", f"{theirs}, bare", {"stack": starlette()}),
    ]


def cases(token: str) -> list[Case]:
    headers = [
        (b"accept-encoding", b"gzip"),
        (b"origin", ORIGIN.encode()),
        (b"x-forwarded-for", b"198.51.100.7"),
        (b"x-forwarded-proto", b"https"),
        (b"authorization", f"Bearer {token}".encode()),
    ]
    return [
        Case("small JSON", "stack", "/users/42", 200, {"id": "42"}, headers=headers),
        Case("2 KiB of JSON", "stack", "/items", 200, headers=headers),
    ]


async def see(entry: Entry, case: Case) -> None:
    """See that the middleware is at work."""
    app = entry.apps["stack"]
    answer = await check(app, case, entry.label)
    headers = dict(answer.headers)
    bare = "bare" in entry.name
    assert (headers.get(b"access-control-allow-origin") == ORIGIN.encode()) is not bare
    coded = headers.get(b"content-encoding") == b"gzip"
    assert coded is (not bare and case.name != "small JSON"), (entry.label, headers)
    if coded:
        assert len(zlib.decompress(answer.body, 31)) > 2000
    if entry.name in ("ours", "six"):
        assert b"x-ratelimit-limit" in headers
        anonymous = Case(case.name, "stack", case.path, 401 if entry.name == "ours" else 403)
        await check(app, anonymous, entry.label)


async def run(rounds: int, requests: int) -> None:
    tokens = TokenStore(MemoryStore(full="refuse"))
    token = await tokens.create(Actor("ada"))
    them, asked = await entries(tokens, token), cases(token)
    for entry in them:
        for case in asked:
            await see(entry, case)
    times = await compare(them, asked, rounds, requests)
    print(f"{machine()} {rounds} rounds of {requests} requests or 50 ms.\n")
    print(report(them, asked, times))
    pairs = (("the full stack / bare, ours", "ours", "bare"), ("six / bare, Starlette's", "six", "their bare"))
    rows = [
        [title, *(spread(ratios(times[a, case.name], times[b, case.name])) for case in asked)] for title, a, b in pairs
    ]
    print("\n" + table(["", *(case.name for case in asked)], rows))


def main() -> None:
    """Read the command line, measure and print."""
    options = arguments(__doc__).parse_args()
    logging.disable(logging.WARNING)
    asyncio.run(run(max(2, options.rounds), options.requests))


if __name__ == "__main__":
    main()
