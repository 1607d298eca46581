"""Starlette."""

from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.routing import Route

DISTRIBUTION = "starlette"


async def _hello(_request: Request) -> PlainTextResponse:
    return PlainTextResponse("Hello, world")


async def _user(request: Request) -> JSONResponse:
    return JSONResponse({"id": request.path_params["id"]})


async def _echo(request: Request) -> JSONResponse:
    return JSONResponse(await request.json())


def few() -> Any:
    return Starlette(
        routes=[
            Route("/", _hello),
            Route("/echo", _echo, methods=["POST"]),
            Route("/users/{id}", _user),
        ]
    )


def many(count: int) -> Any:
    return Starlette(routes=[Route(f"/section{n}/items/{{id}}", _user) for n in range(count)])
