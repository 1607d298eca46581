"""Middleware only: one pure-ASGI class in Starlette's own lists, in a router, and around any ASGI app.

uvicorn --app-dir examples/starlette middleware_only:app
"""

import re
import uuid

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request as StarletteRequest
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route

from asgi_express import Request, Response, Router, next_app
from asgi_express.types import ASGIApp, Message, Receive, Scope, Send


class RequestId:
    """Give every request an id: the one that it brings, if it is harmless, or a new one.

    It is in the state of the request and in the header of the answer.

    The first parameter is the app to wrap; `next_app` means "whatever comes next in the router".
    """

    def __init__(self, app: ASGIApp = next_app, *, header: str = "x-request-id") -> None:
        if not re.fullmatch(r"[\w-]+", header, re.ASCII):
            msg = f"RequestId: header must be a header name, not {header!r}"
            raise ValueError(msg)
        self.app = app
        self.header = header.lower().encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Choose the id, and hand it to the rest."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        brought = [value for name, value in scope["headers"] if name == self.header]
        if len(brought) == 1 and re.fullmatch(rb"[\w-]{1,64}", brought[0]):
            request_id = brought[0]
        else:
            request_id = uuid.uuid4().hex.encode()

        async def send_stamped(message: Message) -> None:
            if message["type"] == "http.response.start":
                header = (self.header, request_id)
                message = {**message, "headers": [*message.get("headers", ()), header]}
            await send(message)

        state = {**scope.get("state", {}), "request_id": request_id.decode()}
        await self.app({**scope, "state": state}, receive, send_stamped)


router = Router()
router.use(RequestId())
router.use(GZipMiddleware(next_app, minimum_size=200))  # any ASGI middleware joins this way


@router.get("/long")
def long_answer(_req: Request, res: Response) -> None:
    """Answer with a text that is worth compressing."""
    res.type("text").send("spam " * 200)


@router.get("/id")
def own_id(req: Request, res: Response) -> None:
    """Answer with the id that the middleware left in the state."""
    res.type("text").send(req.scope["state"]["request_id"])


async def home(request: StarletteRequest) -> PlainTextResponse:
    """Answer with the id, as Starlette reads the state."""
    return PlainTextResponse(request.state.request_id)


app = Starlette(
    routes=[
        Route("/", home, middleware=[Middleware(RequestId)]),
        Mount("/api", app=router),
    ]
)
