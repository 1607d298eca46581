"""Litestar."""

from typing import Any

from litestar import Litestar, MediaType, get, post
from litestar.handlers import HTTPRouteHandler

DISTRIBUTION = "litestar"


@get("/", media_type=MediaType.TEXT)
async def _hello() -> str:
    return "Hello, world"


@get("/users/{id:str}")
async def _user(id: str) -> dict[str, str]:  # noqa: A002 - the name of the path parameter
    return {"id": id}


@post("/echo", status_code=200)
async def _echo(data: dict[str, Any]) -> dict[str, Any]:
    return data


def _section(number: int) -> HTTPRouteHandler:
    @get(f"/section{number}/items/{{id:str}}")
    async def item(id: str) -> dict[str, str]:  # noqa: A002 - the name of the path parameter
        return {"id": id}

    return item


def few() -> Any:
    return Litestar([_hello, _user, _echo], openapi_config=None)


def many(count: int) -> Any:
    return Litestar([_section(number) for number in range(count)], openapi_config=None)
