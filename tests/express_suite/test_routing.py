"""Routes, routers and parameters, as Express's own suite asks for them."""

from __future__ import annotations

import asyncio
import re
from datetime import datetime
from typing import Any

import pytest

from asgi_express import Express, Router
from asgi_express._verbs import METHODS
from tests.asgi import ask
from tests.express_suite.handlers import fails, passes, shows_params, tells_error

DEPTH = 6000


@pytest.mark.parametrize("many", ["handlers of one route", "routes of one path", "middlewares"])
async def test_thousands_of_handlers_run_in_order_without_nesting(many: str) -> None:
    seen: list[int] = []

    def count(_req: Any, _res: Any, next: Any) -> None:
        seen.append(len(seen))
        next()

    router = Router()
    if many == "handlers of one route":
        router.route("/foo").all(*[count] * DEPTH)
    for _ in range(DEPTH if many != "handlers of one route" else 0):
        router.use(count) if many == "middlewares" else router.get("/foo", count)
    router.get("/foo", lambda req, res: res.send("end"))
    assert (await ask(router, "/foo")).text == "end"
    assert len(seen) == DEPTH


async def test_among_thousands_of_routes_the_last_one_is_found() -> None:
    router = Router()
    for number in range(DEPTH):
        router.get(f"/thing{number}", fails("wrong handler"))
    router.get("/", lambda req, res: res.send("root"))
    assert (await ask(router, "/")).text == "root"


@pytest.mark.parametrize("handler", [None, "not a function", 3, datetime(2025, 1, 1)])
def test_no_registration_takes_what_is_no_function(handler: Any) -> None:
    app, router = Express(), Router()
    for verb in ("use", "all", *(method.lower().replace("-", "_") for method in METHODS)):
        for each in (app, router):
            with pytest.raises(TypeError, match="must be a function"):
                getattr(each, verb)("/", handler)
        if verb != "use":
            with pytest.raises(TypeError, match="must be a function"):
                getattr(app.route("/x"), verb)(handler)
    for each in (app, router):
        with pytest.raises(TypeError, match="expected a callback"):
            each.param("id", handler)


async def test_an_error_in_a_handler_after_a_parameter_callback_that_waited_is_handled() -> None:
    router = Router()
    seen = []

    async def find(_req: Any, _res: Any, next: Any, value: str) -> None:
        await asyncio.sleep(0)
        seen.append(value)
        next()

    router.param("user", find)
    router.use("/:user", fails("oh no"))
    router.use(tells_error)
    assert (await ask(router, "/bob")).text == "saw oh no"
    assert seen == ["bob"]


async def test_a_parameter_callback_runs_once_before_several_mounted_routers() -> None:
    def router_with(first: str, second: str) -> tuple[Router, list[str]]:
        router, sub, seen = Router(), Router(), []
        sub.get("/bar", passes)

        def note(_req: Any, _res: Any, next: Any, value: str) -> None:
            seen.append(value)
            next()

        router.param("user", note)
        router.use(first, Router())
        router.use(second, sub)
        return router, seen

    same, seen = router_with("/foo/:user/", "/foo/:user/")
    assert (await ask(same, "/foo/bob/bar")).status == 404
    assert seen == ["bob"]
    other, seen = router_with("/foo/:user/", "/:user/bob/")
    assert (await ask(other, "/foo/bob/bar")).status == 404
    assert seen == ["bob", "foo"]


async def test_once_a_parameter_callback_failed_it_is_not_called_for_another_value() -> None:
    app = Express()
    seen: list[str] = []

    def find(_req: Any, _res: Any, next: Any, value: str) -> None:
        seen.append(value)
        if value == "foo":
            raise LookupError("err!")
        next()

    app.param("user", find)
    app.get("/:user/bob", fails("not here"))
    app.get("/foo/:user", fails("nor here"))
    app.use(tells_error)
    assert (await ask(app, "/foo/bob")).text == "saw err!"
    assert seen == ["foo"]


async def test_a_parameter_stands_beside_literal_parentheses() -> None:
    app = Express()
    app.get(r"/:user\(:op\)", shows_params)
    assert (await ask(app, "/tj(edit)")).json == {"user": "tj", "op": "edit"}


async def test_requests_that_run_side_by_side_do_not_mix() -> None:
    router, sub = Router(), Router()
    doors = {"first": asyncio.Event(), "second": asyncio.Event()}

    async def wait(req: Any, _res: Any, next: Any, value: str) -> None:
        req.door = value
        await doors[value].wait()
        next()

    sub.get("/bar", lambda req, res: res.json([req.door, req.params, req.original_url]))
    router.param("door", wait)
    router.use("/foo/:door/", Router())
    router.use("/foo/:door/", sub)
    first, second = (asyncio.ensure_future(ask(router, f"/foo/{name}/bar")) for name in doors)
    doors["second"].set()
    assert (await second).json == ["second", {}, "/foo/second/bar"]
    assert not first.done()
    doors["first"].set()
    assert (await first).json == ["first", {}, "/foo/first/bar"]


async def test_an_awaited_answer_ends_the_walk_and_its_value_is_nothing() -> None:
    app = Express()

    async def answer(_req: Any, res: Any) -> None:
        res.send("saw it")
        await asyncio.sleep(0)

    async def answer_error(err: Any, _req: Any, res: Any, _next: Any) -> None:
        res.send(f"saw {err}")
        await asyncio.sleep(0)

    async def fail(_req: Any, _res: Any) -> None:
        await asyncio.sleep(0)
        raise RuntimeError("boom")

    app.get("/plain", answer)
    app.route("/route").all(answer).all(fails("not here"))
    app.get("/fails", fail, answer_error, fails("not here"))
    app.use(fails("nor here"))
    app.use(tells_error)
    assert [(await ask(app, path)).text for path in ("/plain", "/route", "/fails")] == ["saw it", "saw it", "saw boom"]


async def test_an_error_of_an_awaited_error_handler_goes_to_the_next_one() -> None:
    async def wraps(err: Any, _req: Any, _res: Any, _next: Any) -> None:
        await asyncio.sleep(0)
        raise RuntimeError(f"caught: {err}")

    async def fail(_req: Any, _res: Any) -> None:
        await asyncio.sleep(0)
        raise RuntimeError("boom")

    app, router = Express(), Router()
    app.route("/route").all(fail).all(passes).all(wraps).all(tells_error)
    router.use(fail, wraps, tells_error)
    app.use(router)
    for path in ("/route", "/"):
        assert (await ask(app, path)).text == "saw caught: boom"


async def test_parameters_that_a_handler_spoiled_do_not_reach_a_router() -> None:
    def spoil(req: Any, _res: Any, next: Any) -> None:
        req.params = 3
        next()

    router = Router(merge_params=True)
    router.get("/user/:name", shows_params)
    app = Express()
    app.get("/user/:id", spoil, router)
    assert (await ask(app, "/user/tj")).json == {"name": "tj"}


async def test_parameters_are_those_of_the_outside_again_after_a_router_that_merges_them() -> None:
    router = Router(merge_params=True)
    router.get(re.compile(r"/user:(\w+)/"), passes)
    app = Express()
    app.use(re.compile(r"/user/id:(\d+)"), router, shows_params)
    assert (await ask(app, "/user/id:42/user:tj/profile")).json == {"0": "42"}
    app = Express()
    router = Router()
    router.use(lambda req, res, next: (res.set("X-Router", str(req.params.get("id"))), next())[1])
    app.get("/user/:id", passes, router, lambda req, res: res.send(req.params["id"]))
    answer = await ask(app, "/user/1")
    assert (answer.headers["x-router"], answer.text) == ("None", "1")


async def test_a_router_that_was_replaced_is_not_used_any_more() -> None:
    def router_that_sets(word: str) -> Router:
        router = Router()
        router.use(lambda req, res, next: (res.set("X-Router", word), next())[1])
        router.use(lambda req, res: res.send("yee"))
        return router

    current = router_that_sets("old")

    async def whichever(scope: Any, receive: Any, send: Any) -> None:
        await current(scope, receive, send)

    app = Express()
    app.mount("/", whichever)
    assert (await ask(app)).headers["x-router"] == "old"
    current = router_that_sets("new")
    assert (await ask(app)).headers["x-router"] == "new"
