"""An application whose limits are counted in the Redis of ``LIMITS_REDIS``, for servers with several processes."""

from __future__ import annotations

import os
from typing import Any

from starlette.websockets import WebSocket

from asgi_express import Express
from asgi_express.middleware.ratelimit import RateLimit
from asgi_express.stores import RedisStore

LIMIT = 57
ALGORITHMS = ("token_bucket", "sliding_window", "fixed_window")

store = RedisStore(os.environ.get("LIMITS_REDIS", "unix:///nowhere/redis.sock"), timeout=10)
app = Express()


def tell(_req: Any, res: Any) -> None:
    res.set("X-Worker", str(os.getpid())).send("in")


async def hold(req: Any, res: Any) -> None:
    """Answer when all of the body has come."""
    await req.read()
    tell(req, res)


async def accept(socket: WebSocket) -> None:
    await socket.accept()
    await socket.close()


async def echo(socket: WebSocket) -> None:
    await socket.accept()
    async for text in socket.iter_text():
        await socket.send_text(text)


MESSAGES = {
    "name": "chat",
    "requests": LIMIT,
    "window": "1d",
    "algorithm": "fixed_window",
    "key": "query:room",
    "on_store_failure": "closed",
}


def limit(name: str, **options: Any) -> RateLimit:
    return RateLimit(requests=LIMIT, window="1d", name=name, store=store, on_store_failure="closed", **options)


app.get("/", tell)
for algorithm in ALGORITHMS:
    more = {"burst": LIMIT} if algorithm == "token_bucket" else {}
    app.get(f"/{algorithm}", limit(algorithm, algorithm=algorithm, **more), tell)
app.ws("/handshakes", limit("handshakes", algorithm="fixed_window"), accept)
app.ws("/messages", RateLimit(requests=1000, burst=1000, messages=MESSAGES, store=store), echo)
app.post("/concurrency", limit("concurrency", algorithm="concurrency"), hold)
