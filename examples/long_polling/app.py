"""Webhooks in, long polls out: what is posted to /:name goes to everybody who waits at /:name, or comes later.

uvicorn --app-dir examples/long_polling app:app
REDIS_URL=redis://localhost:6379/0 uvicorn --app-dir examples/long_polling --workers 4 app:app
"""

import asyncio
import json
import logging
import os
import re
from collections import OrderedDict, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any, Protocol

import asgi_express as express
from asgi_express import ClientDisconnect, Express, HTTPError, Request, Response
from asgi_express.channels import Channels, PublishErrors, PubSub
from asgi_express.middleware import RateLimit
from asgi_express.stores import RedisStore
from asgi_express.types import Next

MAX_KEPT = 100  # updates of one name
MAX_NAMES = 10_000
MAX_WAITING = 10_000
MAX_SLEEP = 60.0  # seconds
WEEK = 7 * 24 * 3600

log = logging.getLogger("long_polling")


class Updates(Protocol):
    """The last updates of each name, and how many there ever were: who has seen `total` of them asks from there."""

    async def add(self, name: str, update: Any) -> int:
        """Keep an update, and return how many there were with it."""
        ...

    async def since(self, name: str, seen: int) -> tuple[int, list[Any]]:
        """Return how many there were, and those that are kept and were not seen."""
        ...

    async def aclose(self) -> None:
        """Close what was opened."""
        ...


class InMemory:
    """Updates of one process, gone with it."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, tuple[int, deque[Any]]] = OrderedDict()

    async def add(self, name: str, update: Any) -> int:
        """Keep an update."""
        total, kept = self._kept.pop(name, (0, deque[Any](maxlen=MAX_KEPT)))
        kept.append(update)
        self._kept[name] = (total + 1, kept)
        if len(self._kept) > MAX_NAMES:
            self._kept.popitem(last=False)  # the name that was silent for longest
        return total + 1

    async def since(self, name: str, seen: int) -> tuple[int, list[Any]]:
        """Return what is new."""
        total, kept = self._kept.get(name, (0, deque[Any]()))
        return total, list(kept)[-new:] if (new := unseen(total, seen)) else []

    async def aclose(self) -> None:
        """Nothing was opened."""


class InRedis:
    """Updates of many processes, kept for a week."""

    ADD = f"""
        local total = redis.call('INCR', KEYS[1])
        redis.call('RPUSH', KEYS[2], ARGV[1])
        redis.call('LTRIM', KEYS[2], -{MAX_KEPT}, -1)
        for _, key in ipairs(KEYS) do redis.call('EXPIRE', key, {WEEK}) end
        return total
    """
    READ = "return {redis.call('GET', KEYS[1]) or '0', redis.call('LRANGE', KEYS[2], 0, -1)}"

    def __init__(self, url: str) -> None:
        self._store = RedisStore(url, timeout="2s")

    async def add(self, name: str, update: Any) -> int:
        """Keep an update."""
        total: int = await self._store.execute("EVAL", self.ADD, 2, *self._keys(name), json.dumps(update))
        return total

    async def since(self, name: str, seen: int) -> tuple[int, list[Any]]:
        """Return what is new."""
        command = ("EVAL", self.READ, 2, *self._keys(name))
        total, kept = await self._store.execute(*command, idempotent=True)
        new = unseen(int(total), seen)
        return int(total), [json.loads(update) for update in kept[-new:]] if new else []

    async def aclose(self) -> None:
        """Close the connections."""
        await self._store.aclose()

    def _keys(self, name: str) -> tuple[str, str]:
        return f"lpolling:{{{name}}}:total", f"lpolling:{{{name}}}:updates"


def unseen(total: int, seen: int) -> int:
    """Return how many updates are new; who has seen more than there were speaks of an earlier life of the server."""
    return total - seen if seen <= total else total


class LongPolling:
    """The two handlers of a name."""

    def __init__(self, channels: Channels, updates: Updates) -> None:
        self._channels = channels
        self._updates = updates

    async def poll(self, req: Request, res: Response) -> None:
        """Answer with what is new, or as soon as there is something."""
        name, seen, sleep = req.params["name"], int(number(req, "ts")), min(number(req, "sleep"), MAX_SLEEP)
        if len(self._channels) >= MAX_WAITING:
            raise HTTPError(503, "Too many are waiting", expose=True)
        changed = asyncio.Event()
        # Subscribed before it looks: nothing falls between. However the handler ends, nothing of it stays.
        with self._channels.subscribe(["updates", name], lambda: changed.set()):
            total, news = await self._updates.since(name, seen)
            if total == seen and sleep > 0:
                req.on("aborted", changed.set)
                with suppress(TimeoutError):
                    async with asyncio.timeout(sleep):
                        await changed.wait()
                if await req.disconnected():
                    raise ClientDisconnect
                total, news = await self._updates.since(name, seen)
        res.json({"ok": True, "ts": total, "updates": news})

    async def post(self, req: Request, res: Response) -> None:
        """Keep a webhook, and wake who waits."""
        body = {} if req.body is None else req.body
        if not isinstance(body, dict):
            raise HTTPError(400, "Send a JSON object, or none")
        name = req.params["name"]
        total = await self._updates.add(name, {**dict(req.query), **body})
        try:
            await self._channels.publish(["updates", name], total)
        except PublishErrors:
            # It is kept: who waits at another process has it when his time is over.
            log.exception("not everybody who waits for %s was told", name)
        res.set("X-Total-Updates", str(total)).send("OK")


def create_app(redis_url: str | None = None, *, requests: int = 60) -> Express:
    """Return the server; `requests` is how often one address may ask in a minute."""
    channels = Channels(bus=PubSub(redis_url, prefix="lpolling", timeout="2s") if redis_url else None)
    updates: Updates = InRedis(redis_url) if redis_url else InMemory()
    polling = LongPolling(channels, updates)

    @asynccontextmanager
    async def lifespan(_app: Express) -> AsyncIterator[None]:
        async with channels:
            yield
        await updates.aclose()

    app = Express(lifespan=lifespan, trust_proxy="uniquelocal")
    app.locals["waiting"] = channels
    app.use(RateLimit(requests=requests, window="1m", algorithm="fixed_window"))
    app.param("name", check_name)
    app.route("/:name").get(polling.poll).post(express.json(), polling.post)
    app.use(explain)
    return app


def check_name(_req: Request, _res: Response, next: Next, name: str) -> None:
    """Refuse names that nobody would choose."""
    if not re.fullmatch(r"[\w-]{1,64}", name, re.ASCII):
        raise HTTPError(400, "A name has up to 64 letters, digits, _ and -")
    next()


def explain(err: Exception, _req: Request, res: Response, _next: Next) -> None:
    """Answer an error in the form of the other answers."""
    status = getattr(err, "status", 500)
    if status >= 500:
        log.error("a request failed", exc_info=err)
    told = str(err) if getattr(err, "expose", False) else "It is our fault"
    res.status(status).json({"ok": False, "error_code": status, "error_description": told})


def number(req: Request, name: str) -> float:
    """Return a number of the query that is not negative, 0 if it is not there."""
    text = req.query.get(name, "0")
    if not isinstance(text, str) or not re.fullmatch(r"[0-9]{1,15}(\.[0-9]{1,3})?", text):
        raise HTTPError(400, f"{name} must be a number")
    return float(text)


app = create_app(os.environ.get("REDIS_URL"))
