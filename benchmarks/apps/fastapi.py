"""FastAPI, written as its documentation writes it: values are returned, the body is a typed parameter."""

from typing import Any

from fastapi import Body, FastAPI
from fastapi.responses import PlainTextResponse

DISTRIBUTION = "fastapi"


async def _user(id: str) -> dict[str, str]:  # noqa: A002 - the name of the path parameter
    return {"id": id}


def few() -> Any:
    app = FastAPI()

    @app.get("/", response_class=PlainTextResponse)
    async def hello() -> str:
        return "Hello, world"

    @app.post("/echo")
    async def echo(body: dict[str, Any] = Body()) -> dict[str, Any]:  # noqa: B008 - FastAPI's way
        return body

    app.get("/users/{id}")(_user)
    return app


def many(count: int) -> Any:
    app = FastAPI()
    for number in range(count):
        app.get(f"/section{number}/items/{{id}}")(_user)
    return app
