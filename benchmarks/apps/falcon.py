"""Falcon's ASGI application."""

from typing import Any

from falcon import MEDIA_TEXT
from falcon.asgi import App, Request, Response

DISTRIBUTION = "falcon"


class _Hello:
    async def on_get(self, _req: Request, resp: Response) -> None:
        resp.content_type = MEDIA_TEXT
        resp.text = "Hello, world"


class _User:
    async def on_get(self, _req: Request, resp: Response, id: str) -> None:  # noqa: A002
        resp.media = {"id": id}


class _Echo:
    async def on_post(self, req: Request, resp: Response) -> None:
        resp.media = await req.get_media()


def few() -> Any:
    app = App()
    app.add_route("/", _Hello())
    app.add_route("/users/{id}", _User())
    app.add_route("/echo", _Echo())
    return app


def many(count: int) -> Any:
    app = App()
    for number in range(count):
        app.add_route(f"/section{number}/items/{{id}}", _User())
    return app
