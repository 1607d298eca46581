"""Middleware only: one pure-ASGI class, used by FastAPI, by a router in it, and around any ASGI app.

uvicorn --app-dir examples/fastapi middleware_only:app
"""

import time

from fastapi import FastAPI

from asgi_express import Request, Response, Router, next_app
from asgi_express.types import ASGIApp, Message, Receive, Scope, Send


class Timing:
    """Tell in a `Server-Timing` header how long the answer took to start.

    The first parameter is the app to wrap; `next_app` means "whatever comes next in the router".
    """

    def __init__(self, app: ASGIApp = next_app, *, name: str = "app") -> None:
        self.app = app
        self.name = name

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Time the rest, and stamp what it sends."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started = time.perf_counter()

        async def send_timed(message: Message) -> None:
            if message["type"] == "http.response.start":
                taken = (time.perf_counter() - started) * 1000
                header = (b"server-timing", f"{self.name};dur={taken:.3f}".encode())
                message = {**message, "headers": [*message.get("headers", ()), header]}
            await send(message)

        await self.app(scope, receive, send_timed)


router = Router()
router.use(Timing(name="router"))


@router.get("/hello")
def hello(_req: Request, res: Response) -> None:
    """Answer with two timings: the router's and the host's."""
    res.send("Hello")


app = FastAPI()
app.add_middleware(Timing, name="fastapi")


@app.get("/")
async def home() -> dict[str, str]:
    """Answer with the host's timing."""
    return {"hello": "FastAPI"}


app.mount("/api", router)
