"""What tests of RateLimit share: an app, a clock, and short ways to make and to ask one."""

from __future__ import annotations

from typing import Any

from asgi_express.middleware.ratelimit import RateLimit
from tests.asgi import ask


class Clock:
    """Seconds that only the test moves."""

    def __init__(self) -> None:
        self.now = 5000.0

    def __call__(self) -> float:
        return self.now


async def hello(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.accept"})
        while (message := await receive())["type"] == "websocket.receive":
            await send({"type": "websocket.send", "text": message["text"]})
        return
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
    await send({"type": "http.response.body", "body": b"hello"})


async def statuses(app: Any, times: int, target: str = "/") -> list[int]:
    return [(await ask(app, target)).status for _ in range(times)]


def limited(app: Any = hello, **options: Any) -> RateLimit:
    return RateLimit(app, **{"requests": 2, "window": "1m", "clock": Clock(), **options})


def come_from(address: str, app: Any) -> Any:
    async def there(scope: Any, receive: Any, send: Any) -> None:
        await app({**scope, "client": (address, 1)}, receive, send)

    return there


async def later(value: Any) -> Any:
    return value
