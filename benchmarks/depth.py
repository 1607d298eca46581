"""Compare what depth costs: ten middleware that only pass on, and five routers in one another.

Every application answers the same request, ``/a/b/c/d/e/users/42``, from a flat route, behind the middleware and
inside the routers. What is added is the difference from the flat one of the same framework, within each round.

    python -m benchmarks.depth [--rounds 30] [--requests 1000]
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import falcon.asgi
from blacksheep import Application as BlackSheep
from blacksheep import Router as BlackSheepRouter
from blacksheep import json as blacksheep_json
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request as StarletteRequest
from starlette.responses import JSONResponse
from starlette.routing import BaseRoute, Mount, Route

from asgi_express import Express, Next, Request, Response, Router, next_app
from benchmarks.apps import raw
from benchmarks.calls import App, Case
from benchmarks.in_process import Entry, arguments, compare, label_of, report
from benchmarks.turns import Times, added, machine, spread, table

MIDDLEWARE = 10
PREFIXES = ("/a", "/b", "/c", "/d", "/e")
PREFIX = "".join(PREFIXES)
CASES = tuple(
    Case(name, builder, f"{PREFIX}/users/42", 200, {"id": "42"})
    for name, builder in (
        ("flat", "flat"),
        (f"{MIDDLEWARE} middleware", "deep"),
        (f"{len(PREFIXES)} routers", "nested"),
    )
)


class PassThrough:
    """An ASGI middleware that does nothing."""

    def __init__(self, app: App = next_app) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Pass on."""
        await self.app(scope, receive, send)


def raw_entry() -> Entry:
    few = raw.few()

    async def flat(scope: Any, receive: Any, send: Any) -> None:
        scope["path"] = scope["path"].removeprefix(PREFIX)
        await few(scope, receive, send)

    deep: App = flat
    for _ in range(MIDDLEWARE):
        deep = PassThrough(deep)
    return Entry("raw", label_of("raw"), {"flat": flat, "deep": deep, "nested": flat})


def _express_user(req: Request, res: Response) -> None:
    res.json({"id": req.params["id"]})


def _express(*middleware: Any) -> Express:
    app = Express()
    for one in middleware:
        app.use(one)
    app.get(f"{PREFIX}/users/:id", _express_user)
    return app


def _function(_req: Request, _res: Response, next: Next) -> None:
    next()


async def _around(_req: Request, _res: Response, next: Next) -> None:
    await next()


def express_entries() -> list[Entry]:
    router = Router()
    router.get("/users/:id", _express_user)
    for prefix in reversed(PREFIXES[1:]):
        inner, router = router, Router()
        router.use(prefix, inner)
    nested = Express()
    nested.use(PREFIXES[0], router)
    label = label_of("asgi_express")
    kinds: dict[str, Callable[[], Any]] = {
        "functions": lambda: _function,
        "functions that await next()": lambda: _around,
        "ASGI classes": PassThrough,
    }
    flat = _express()
    return [
        Entry(kind, f"{label}, {kind}", {"flat": flat, "deep": _express(*(make() for _ in range(MIDDLEWARE)))})
        for kind, make in kinds.items()
    ] + [Entry("nested", f"{label}, Router", {"flat": flat, "nested": nested})]


async def _starlette_user(request: StarletteRequest) -> JSONResponse:
    return JSONResponse({"id": request.path_params["id"]})


def starlette_entry() -> Entry:
    def app(middleware: Sequence[Middleware] = ()) -> Starlette:
        return Starlette(routes=[Route(f"{PREFIX}/users/{{id}}", _starlette_user)], middleware=middleware)

    nested: list[BaseRoute] = [Route("/users/{id}", _starlette_user)]
    for prefix in reversed(PREFIXES):
        nested = [Mount(prefix, routes=nested)]
    deep = app([Middleware(PassThrough) for _ in range(MIDDLEWARE)])
    apps = {"flat": app(), "deep": deep, "nested": Starlette(routes=nested)}
    return Entry("starlette", label_of("starlette"), apps)


class _FalconUser:
    async def on_get(self, _req: falcon.asgi.Request, resp: falcon.asgi.Response, id: str) -> None:  # noqa: A002
        resp.media = {"id": id}


class _FalconMiddleware:
    async def process_request(self, req: falcon.asgi.Request, resp: falcon.asgi.Response) -> None:
        """Do nothing."""


def falcon_entry() -> Entry:
    def app(count: int) -> Any:
        made = falcon.asgi.App(middleware=[_FalconMiddleware() for _ in range(count)])
        made.add_route(f"{PREFIX}/users/{{id}}", _FalconUser())
        return made

    return Entry("falcon", label_of("falcon"), {"flat": app(0), "deep": app(MIDDLEWARE)})


def blacksheep_entry() -> Entry:
    async def user(id: str) -> Any:  # noqa: A002 - the name of the path parameter
        return blacksheep_json({"id": id})

    async def around(request: Any, handler: Any) -> Any:
        return await handler(request)

    def app(count: int) -> Any:
        made = BlackSheep(router=BlackSheepRouter())
        made.router.add_get(f"{PREFIX}/users/:id", user)
        made.middlewares.extend([around] * count)
        return made

    return Entry("blacksheep", label_of("blacksheep"), {"flat": app(0), "deep": app(MIDDLEWARE)})


def differences(entries: Sequence[Entry], times: Times[tuple[str, str]]) -> str:
    """Return what each depth adds in each framework."""
    flat, *deeper = CASES

    def cell(entry: Entry, case: Case) -> str:
        own = times.get((entry.name, case.name))
        return "–" if own is None else spread(added(own, times[entry.name, flat.name]))

    rows = [[entry.label, *(cell(entry, case) for case in deeper)] for entry in entries]
    return table(["µs added", *(case.name for case in deeper)], rows)


def main() -> None:
    """Read the command line, measure and print."""
    options = arguments(__doc__).parse_args()
    entries = [raw_entry(), *express_entries(), starlette_entry(), falcon_entry(), blacksheep_entry()]
    rounds = max(2, options.rounds)
    times = asyncio.run(compare(entries, CASES, rounds, options.requests))
    print(f"{machine()} {rounds} rounds of {options.requests} requests or 50 ms.\n")
    print(differences(entries, times), end="\n\n")
    print(report(entries, CASES, times))


if __name__ == "__main__":
    main()
