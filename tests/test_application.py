"""The application: settings, inheritance, mounting and events. ``listen`` and ``serve`` are in test_server."""

from __future__ import annotations

from typing import Any

import pytest

from asgi_express import Express, MisuseError, Router
from tests.asgi import ask


def test_settings_are_set_read_and_tested() -> None:
    app = Express(trust_proxy=1, x_powered_by=False)
    assert app.get_setting("trust proxy") == 1
    assert app.disabled("x-powered-by")
    assert app.get_setting("never set") is None
    assert app.set("title", "x") is app
    assert app.enable("a").disable("b").enabled("a")
    assert app.disabled("b")
    assert app.locals["settings"]["title"] == "x"


def test_the_environment_is_production_unless_said_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ASGI_EXPRESS_ENV", raising=False)
    assert Express().get_setting("env") == "production"
    for value in ("development", "debug"):
        monkeypatch.setenv("ASGI_EXPRESS_ENV", value)
        assert Express().get_setting("env") == "development"
    assert Express(env="test").get_setting("env") == "test"
    assert Express().set("env", "debug").get_setting("env") == "development"


@pytest.mark.parametrize(
    ("name", "value"), [("etag", "medium"), ("etag", None), ("query parser", "deep"), ("etag", [])]
)
def test_a_value_that_a_setting_does_not_know_is_refused(name: str, value: Any) -> None:
    with pytest.raises(ValueError, match=f"unknown value {value!r}".replace("[", "\\[").replace("]", "\\]")):
        Express().set(name, value)


async def test_x_powered_by_is_sent_unless_it_is_disabled() -> None:
    app = Express()
    app.get("/", lambda: "x")
    assert (await ask(app)).headers["x-powered-by"] == "Express"
    app.disable("x-powered-by")
    assert "x-powered-by" not in (await ask(app)).headers


async def test_routing_settings_hold_for_the_routes_and_come_too_late_after_them() -> None:
    app = Express(strict_routing=True).enable("case sensitive routing")
    app.get("/Foo", lambda: "x")
    assert (await ask(app, "/Foo")).status == 200
    assert (await ask(app, "/foo")).status == 404
    assert (await ask(app, "/Foo/")).status == 404
    with pytest.raises(MisuseError, match="too late"):
        app.disable("strict routing")
    app.enable("strict routing")


def test_a_mounted_application_inherits_what_it_has_not_set_itself() -> None:
    parent, child = Express(), Express()
    child.set("own", 1)
    parent.use("/child", child)
    parent.set("json spaces", 2).set("own", 2).set("etag", False)
    assert child.get_setting("json spaces") == 2
    assert child.get_setting("own") == 1
    assert child.get_setting("etag") == "weak"
    assert set(parent.settings) <= set(child.settings)
    assert len(child.settings) == len(set(child.settings))


async def test_a_mounted_application_without_routes_inherits_how_to_match() -> None:
    parent, child = Express(case_sensitive_routing=True, strict_routing=True), Express()
    parent.use("/child", child)
    child.get("/Foo", lambda: "x")
    assert (await ask(parent, "/child/Foo")).status == 200
    assert (await ask(parent, "/child/foo")).status == 404
    assert (await ask(parent, "/child/Foo/")).status == 404


def test_mounting_sets_mountpath_parent_and_path_and_tells_the_child() -> None:
    blog, admin, app = Express(), Express(), Express()
    told: list[Any] = []
    admin.on("mount", told.append)
    app.use("/blog", blog)
    blog.use(["/admin", "/manage"], admin)
    assert (app.mountpath, blog.mountpath, admin.mountpath) == ("/", "/blog", ["/admin", "/manage"])
    assert (app.path(), blog.path(), admin.path()) == ("", "/blog", "/blog/admin,/manage")
    assert (admin.parent, told) == (blog, [blog])


def test_an_application_mounted_on_a_bare_router_keeps_its_own_settings() -> None:
    app = Express()
    Router().mount("/x", app)
    assert app.mountpath == "/x"
    assert app.parent is None


def test_events_of_your_own_are_yours() -> None:
    app = Express()
    heard: list[Any] = []
    assert app.on("ping", heard.append).emit("ping", 1).emit("silence", 2) is app
    assert heard == [1]


async def test_all_of_an_application_answers_options_that_of_a_router_does_not() -> None:
    app, router = Express(), Router()
    for each in (app, router):
        each.all("/x", lambda req, res, next: next() if req.method == "OPTIONS" else res.send("x"))
    assert (await ask(app, "/x", "PURGE")).text == "x"
    assert (await ask(app, "/x", "OPTIONS")).status == 404
    assert (await ask(router, "/x", "OPTIONS")).status == 404
    assert app.stack[0].route is not None
    assert len(app.stack[0].route.methods) == 35


async def test_sub_applications_use_their_own_settings_and_give_them_back() -> None:
    parent, child = Express(etag=False), Express(query_parser=False)
    child.get("/x", lambda req: [req.query])
    child.use(lambda req, res, next: next())
    parent.use("/c", child)
    parent.use(lambda req: [req.query])
    inside = await ask(parent, "/c/x?a=1")
    assert inside.json == [{}]
    assert "etag" in inside.headers
    outside = await ask(parent, "/c/y?a=1")
    assert outside.json == [{"a": "1"}]
    assert "etag" not in outside.headers


async def test_middlewares_run_before_one_that_echoes_the_body() -> None:
    app = Express()
    calls: list[str] = []
    app.use(lambda req, res, next: (calls.append("one"), next())[1])
    app.use(lambda req, res, next: (calls.append("two"), next())[1])

    @app.use
    async def echo(req: Any, res: Any) -> None:
        res.set("Content-Type", "application/json").end(await req.read())

    headers = {"Content-Type": "application/json"}
    answer = await ask(app, "/", "POST", headers=headers, body=[b'{"foo":', b'"bar"}'])
    assert (answer.status, answer.text, calls) == (200, '{"foo":"bar"}', ["one", "two"])
