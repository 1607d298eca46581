"""What a host runs: the template of a match below its mounts."""

from __future__ import annotations

from typing import Any

import pytest
from fastapi import APIRouter, FastAPI
from starlette.applications import Starlette
from starlette.routing import Host, Mount, Router

from asgi_express import Express
from asgi_express import Router as OurRouter
from asgi_express._host import destination, from_the_top
from asgi_express.types import ASGIApp
from tests.asgi import ask, http_scope
from tests.interop.hosts import PrefixDispatcher


def show(req: Any, res: Any) -> None:
    template = req.scope["asgi_express.match"].template
    assert template == req.scope["asgi_express.match"].template
    res.send(template)


def ours() -> OurRouter:
    return OurRouter().use("/in/:y", OurRouter().get("/users/:id", show))


def included(prefix: str, app: ASGIApp) -> ASGIApp:
    host, outer, inner = FastAPI(), APIRouter(), APIRouter()
    inner.mount(prefix, app)
    outer.include_router(inner, prefix="/v1")
    host.include_router(outer, prefix="/api")
    return host


TEMPLATES: list[tuple[ASGIApp, str, str, str]] = [
    # the app, root_path, the path, the template
    (ours(), "", "/in/1/users/2", "/in/:y/users/:id"),
    (ours(), "/proxy", "/proxy/in/1/users/2", "/proxy/in/:y/users/:id"),
    (Starlette(routes=[Mount("/t/{t}", app=ours())]), "", "/t/acme/in/1/users/2", "/t/{t}/in/:y/users/:id"),
    (Starlette(routes=[Mount("/t/{t}", app=ours())]), "/p", "/p/t/acme/in/1/users/2", "/p/t/{t}/in/:y/users/:id"),
    (Starlette(routes=[Mount("", app=ours())]), "/p", "/in/1/users/2", "/in/:y/users/:id"),  # not in the path
    (
        Starlette(routes=[Mount("/a/{a}", routes=[Mount("/b/{b}", app=ours())])]),
        "",
        "/a/1/b/2/in/1/users/2",
        "/a/{a}/b/{b}/in/:y/users/:id",
    ),
    (Starlette(routes=[Host("{h}.org", app=ours())]), "", "/in/1/users/2", "{h}.org/in/:y/users/:id"),
    (
        Starlette(routes=[Host("{h}.org", app=Router([Mount("/m/{m}", app=ours())]))]),
        "",
        "/m/1/in/1/users/2",
        "{h}.org/m/{m}/in/:y/users/:id",
    ),
    (included("/m/{m}", ours()), "", "/api/v1/m/1/in/1/users/2", "/api/v1/m/{m}/in/:y/users/:id"),
    (Express().get("/in/:a/users/:b", ours()), "", "/in/1/users/2", "/in/:y/users/:id"),
    # what is not known is there as it was sent
    (PrefixDispatcher("/d", ours(), ours()), "", "/d/in/1/users/2", "/d/in/:y/users/:id"),
    (
        Starlette(routes=[Mount("/s/{s}", app=PrefixDispatcher("", ours(), ours()))]),
        "",
        "/s/1/in/1/users/2",
        "/s/1/in/:y/users/:id",
    ),
    (
        Starlette(routes=[Mount("/s/{s}", app=Express().mount("/o", Starlette(routes=[Mount("/t", app=ours())])))]),
        "",
        "/s/1/o/t/in/1/users/2",
        "/s/1/o/t/in/:y/users/:id",
    ),
]


@pytest.mark.parametrize(("app", "root_path", "path", "template"), TEMPLATES, ids=[row[3] for row in TEMPLATES])
async def test_the_template_has_the_paths_of_the_mounts_as_they_were_written(
    app: Any, root_path: str, path: str, template: str
) -> None:
    answer = await ask(app, path, root_path=root_path, headers={"host": "h.org"})
    assert (answer.status, answer.text) == (200, template)


def test_where_no_host_is_around_there_is_no_top() -> None:
    assert from_the_top(http_scope("/")) is None


def test_looking_changes_nothing() -> None:
    app, router = FastAPI(), APIRouter()
    router.add_api_route("/x/{y}", lambda y: y)
    app.include_router(router)
    scope = http_scope("/x/1", fastapi={"kept": 1})
    before = {**scope, "fastapi": {"kept": 1}}
    found = destination(app, scope)
    assert (found.kind, found.template, found.params) == ("route", "/x/{y}", {"y": "1"})
    assert scope == before
