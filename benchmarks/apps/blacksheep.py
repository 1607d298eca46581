"""BlackSheep."""

from typing import Any

from blacksheep import Application, FromJSON, Response, Router, json, text

DISTRIBUTION = "blacksheep"


async def _hello() -> Response:
    return text("Hello, world")


async def _user(id: str) -> Response:  # noqa: A002 - the name of the path parameter
    return json({"id": id})


async def _echo(data: FromJSON[dict[str, Any]]) -> Response:
    return json(data.value)


def few() -> Any:
    app = Application(router=Router())
    app.router.add_get("/", _hello)
    app.router.add_get("/users/:id", _user)
    app.router.add_post("/echo", _echo)
    return app


def many(count: int) -> Any:
    app = Application(router=Router())
    for number in range(count):
        app.router.add_get(f"/section{number}/items/:id", _user)
    return app
