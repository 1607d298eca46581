"""The router that serves the page, the tree, the news of requests, and explanations."""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import Any, Protocol

from asgi_express._dispatch import Walk
from asgi_express._outline import outline
from asgi_express.body import json
from asgi_express.errors import HTTPError, MisuseError
from asgi_express.explorer._page import HEADERS, PAGE
from asgi_express.explorer._recorder import Recorder
from asgi_express.explorer._tracer import TracedWalk
from asgi_express.router import Router
from asgi_express.sse import Event
from asgi_express.types import HandlerSpec

__all__ = ["explorer"]

# Seconds that a stream of events lasts; the browser then asks for the next one. A server that is told to stop waits
# for the streams that are open.
_STREAM = 5.0

# Streams at once: each is a connection.
_MAX_STREAMS = 20

_MAX_KEPT = 10_000
_MAX_HEADERS = 50


class Followed(Protocol):
    """What has another router from time to time: a gateway."""

    def follow(self, look: Callable[[Any], object], service: str | None = None) -> None:
        """Call a function with the router, now and whenever there is another one."""
        ...


class _View:
    """The router that is looked into.

    Attributes:
        router: the one that there is now.
    """

    router: Router

    def __init__(self, recorder: Recorder) -> None:
        self.recorder = recorder

    def turn_to(self, router: Router) -> None:
        if router._walk is not Walk:
            msg = "explorer: this router has an explorer already"
            raise MisuseError(msg)
        self.router = router
        router._walk = partial(TracedWalk, self.recorder)
        self.recorder.replant()


def explorer(
    router: Router | Followed, *, guard: HandlerSpec | None = None, requests: int = 200, service: str | None = None
) -> Router:
    """Return a page that shows what a router is made of and the way each request takes: a router, to be mounted.

    The page has the tree of routers, mounts and middleware, the last requests as they come, with the time that each
    layer took, and a form that explains a request which is never made. Headers and bodies of requests are not kept;
    values in paths and queries that are called a token, a password or the like are not shown.

    From now on the walks of the router are timed. Give it the outermost router of ours: it sees those that are mounted
    in it.

    It is for development. Where ``env`` is ``production``, which is the default, it needs a guard. Without one it
    answers only where it is called ``localhost`` or by an address: a page of somebody else that has pointed its name
    here (DNS rebinding) is refused.

    Args:
        router: the router or application to look into; or a gateway, whose reloads it follows.
        guard: what stands before it: a handler, a middleware, or a list of them.
        requests: how many requests are kept, 1 to 10,000.
        service: of a gateway with several services, the ID of one.

    Raises:
        LookupError: the gateway has no such service, or it has several and none is named.
        MisuseError: it is production and there is no guard; or the router has an explorer already.
        TypeError: ``router`` is neither a router nor a gateway.
        ValueError: ``requests`` is out of range.

    Examples::

        app = Express(env="development")
        app.use("/_explorer", explorer(app))

        app.use("/_explorer", explorer(app, guard=require_admin))
    """
    is_router = isinstance(router, Router)
    if not is_router and not callable(getattr(router, "follow", None)):
        msg = f"explorer: expected a Router, an Express or a gateway, got {router!r}"
        raise TypeError(msg)
    if is_router and service is not None:
        msg = f"explorer: service is for a gateway, not for {router!r}"
        raise TypeError(msg)
    if isinstance(requests, bool) or not isinstance(requests, int) or not 1 <= requests <= _MAX_KEPT:
        msg = f"explorer: requests must be a number from 1 to {_MAX_KEPT}, not {requests!r}"
        raise ValueError(msg)
    view = _View(Recorder(requests))

    def look(found: Router) -> None:
        if guard is None and not found.settings.development:
            msg = (
                "explorer: in production it shows to everybody how the application is made; give it guard=..., "
                "or set env to development (ASGI_EXPRESS_ENV=development)"
            )
            raise MisuseError(msg)
        view.turn_to(found)

    if isinstance(router, Router):
        look(router)
    else:
        router.follow(look, service)
    return _pages(view, _own_hosts if guard is None else guard)


def _pages(view: _View, guard: HandlerSpec) -> Router:
    pages = Router(strict=False)
    open_streams: set[object] = set()
    pages.use(_hide)
    pages.use(guard)

    def page(req: Any, res: Any) -> None:
        res.set(HEADERS).type("html").send(PAGE)

    def tree(req: Any, res: Any) -> None:
        res.set("Cache-Control", "no-store").json({**outline(view.router).to_dict(), "tree": view.recorder.tree})

    async def events(req: Any, res: Any) -> None:
        if len(open_streams) >= _MAX_STREAMS:
            raise HTTPError(503, "too many explorers are open", headers={"Retry-After": "5"})
        mark = object()
        open_streams.add(mark)
        try:
            await res.sse(_news(view.recorder, req.get("Last-Event-ID") or ""))
        finally:
            open_streams.discard(mark)

    async def explain(req: Any, res: Any) -> None:
        method, path, headers, fault = _asked(req.body)
        if fault is None:
            try:
                explanation = await view.router.explain(method, path, headers)
            except ValueError as error:
                fault = str(error).removeprefix("explain: ")
            else:
                res.set("Cache-Control", "no-store").json(explanation.to_dict())
                return
        res.status(400).json({"error": fault})

    pages.get("/", page)
    pages.get("/tree", tree)
    pages.get("/events", events)
    pages.post("/explain", json(limit="64kb"), explain)
    return pages


def _hide(req: Any, res: Any, next: Any) -> None:
    """Leave out of the list what the page itself asks for."""
    if isinstance(req._selection, TracedWalk):
        req._selection.hidden = True
    res.set("X-Content-Type-Options", "nosniff")
    next()


def _own_hosts(req: Any, res: Any, next: Any) -> None:
    """Refuse names that somebody else may have pointed here."""
    name = req.hostname or ""
    try:
        ipaddress.ip_address(name.strip("[]"))
    except ValueError:
        if name != "localhost" and not name.endswith(".localhost"):
            raise HTTPError(
                403,
                f"the explorer answers to localhost and to addresses, not to {name!r}; give it a guard",
                expose=True,
            ) from None
    next()


async def _news(recorder: Recorder, last: str) -> AsyncIterator[Event]:
    """Give the requests that a page has not seen, and those that come, for a while."""
    loop = asyncio.get_running_loop()
    end = loop.time() + _STREAM
    epoch, _, number = last.partition("-")
    seen = int(number) if epoch == recorder.epoch and number.isdecimal() and len(number) < 19 else 0
    tree = recorder.tree
    yield Event({"fresh": not seen, "tree": tree}, event="hello", id=f"{recorder.epoch}-{seen}", retry=0.2)
    while True:
        if tree != recorder.tree:
            tree = recorder.tree
            yield Event({"tree": tree}, event="tree", id=f"{recorder.epoch}-{seen}")
        for trace in recorder.since(seen):
            seen = trace.version
            yield Event(trace.to_dict(), event="request", id=f"{recorder.epoch}-{seen}")
        left = end - loop.time()
        if left <= 0:
            return
        await recorder.wait(seen, tree, left)


def _asked(body: Any) -> tuple[str, str, list[tuple[str, str]], str | None]:
    """Return method, path and headers of what is to be explained, or what is wrong with it."""
    given = body if isinstance(body, dict) else {}
    method, path, headers = given.get("method"), given.get("path"), given.get("headers", [])
    if not isinstance(method, str) or not isinstance(path, str):
        return "", "", [], "expected method and path as text"
    fits = isinstance(headers, list) and len(headers) <= _MAX_HEADERS
    if not fits or not all(_is_header(each) for each in headers):
        return "", "", [], "expected headers as pairs of a name and a value, in ASCII"
    return method, path, [(name, value) for name, value in headers], None


def _is_header(pair: Any) -> bool:
    is_pair = isinstance(pair, list) and len(pair) == 2
    return is_pair and all(isinstance(text, str) and text.isascii() for text in pair) and bool(pair[0])
