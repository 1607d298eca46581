"""Settings, mounting, middlewares, views, serving and exports, as Express's own suite asks for them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from asgi_express import Express, body
from asgi_express.static import static
from tests.asgi import ask
from tests.body.driver import post
from tests.express_suite.handlers import hit, passes


def test_registrations_and_settings_can_be_chained() -> None:
    app = Express()
    assert app.get("/", passes) is app
    assert app.set("title", "x") is app
    assert app.set("title", None) is app
    assert app.get_setting("title") is None
    assert app.enable("tobi") is app
    assert app.get_setting("tobi") is True
    assert app.disable("tobi") is app
    assert app.get_setting("tobi") is False
    assert (app.enabled("foo"), app.disabled("foo")) == (False, True)
    app.set("foo", "bar")
    assert (app.enabled("foo"), app.disabled("foo")) == (True, False)


@pytest.mark.parametrize("name", ["__class__", "get", "__init__"])
def test_a_setting_may_have_the_name_of_an_attribute(name: str) -> None:
    app = Express()
    assert app.get_setting(name) is None
    assert (app.enabled(name), app.disabled(name)) == (False, True)
    assert app.set(name, 42).get_setting(name) == 42
    assert app.enable(name).get_setting(name) is True
    assert app.disable(name).get_setting(name) is False


async def test_a_child_prefers_its_own_trust_proxy_and_inherits_it_else() -> None:
    def nobody(_address: str, _hop: int) -> bool:
        return False

    def everybody(_address: str, _hop: int) -> bool:
        return True

    parent, own, heir = Express(trust_proxy=nobody), Express(trust_proxy=everybody), Express()
    for path, child in (("/own", own), ("/heir", heir)):
        child.get("/", lambda req, res: res.send(req.ip))
        parent.use(path, child)
    found = [app.get_setting("trust proxy") for app in (parent, own, heir)]
    assert found == [nobody, everybody, nobody]
    headers = {"X-Forwarded-For": "9.9.9.9"}
    assert (await ask(parent, "/own", headers=headers)).text == "9.9.9.9"
    assert (await ask(parent, "/heir", headers=headers)).text != "9.9.9.9"


async def test_several_applications_among_handlers_are_each_told_that_they_are_mounted() -> None:
    blog, other, app = Express(), Express(), Express()
    told: list[Any] = []
    blog.on("mount", lambda parent: told.append(("blog", parent)))
    other.on("mount", lambda parent: told.append(("other", parent)))
    blog.get("/", lambda req, res: res.send("success"))

    app.use("/post/:article", hit("X-1"), other, hit("X-2"), blog)
    assert told == [("other", app), ("blog", app)]
    answer = await ask(app, "/post/once-upon-a-time")
    assert (answer.headers["x-1"], answer.headers["x-2"], answer.text) == ("hit", "hit", "success")


async def test_an_application_is_mounted_without_a_path() -> None:
    blog, app = Express(), Express()
    blog.get("/blog", lambda req, res: res.send("blog"))
    app.use(blog)
    assert (await ask(app, "/blog")).text == "blog"


GROUPS: dict[str, list[Any]] = {
    "arguments": [hit("X-1"), hit("X-2"), hit("X-3")],
    "a list": [[hit("X-1"), hit("X-2"), hit("X-3")]],
    "lists": [[hit("X-1"), hit("X-2")], [hit("X-3")]],
    "nested lists": [[[hit("X-1")], hit("X-2")], [hit("X-3")]],
}


@pytest.mark.parametrize("group", GROUPS)
@pytest.mark.parametrize(
    ("path", "answers"),
    [
        ([], {"/": "saw / through /", "/foo": "saw /foo through /foo"}),
        (["/foo"], {"/": None, "/foo": "saw / through /foo", "/foo/x": "saw /x through /foo/x"}),
        ([["/foo/", "/bar"]], {"/": None, "/foo": "saw / through /foo", "/bar": "saw / through /bar"}),
    ],
    ids=["everywhere", "below a path", "below several"],
)
@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS"])
async def test_middlewares_are_used_however_they_are_grouped(
    group: str, path: list[Any], answers: dict[str, str | None], method: str
) -> None:
    app = Express()
    app.use(*path, *GROUPS[group], lambda req, res: res.send(f"saw {req.url} through {req.original_url}"))
    for target, text in answers.items():
        answer = await ask(app, target, method)
        if text is None:
            assert answer.status == 404
        else:
            assert [answer.headers.get(name) for name in ("x-1", "x-2", "x-3")] == ["hit"] * 3
            assert answer.text == text


async def test_middlewares_are_not_strict_where_routes_are() -> None:
    app = Express(strict_routing=True)
    app.use(hit("X-1"))
    app.use("/user/", hit("X-2"))
    app.get("/user/test/", lambda req, res: res.send("tj"))
    answer = await ask(app, "/user/test/")
    assert (answer.headers["x-1"], answer.headers["x-2"], answer.text) == ("hit", "hit", "tj")
    answer = await ask(app, "/user/test")
    assert (answer.status, answer.headers["x-2"]) == (404, "hit")


# -- views


async def test_what_a_view_raises_is_raised_by_render() -> None:
    class Broken:
        def __init__(self, name: str, **_facts: Any) -> None:
            self.name = name

        def render(self, options: dict[str, Any]) -> str:
            raise LookupError(f"err! {self.name}")

    app = Express()
    app.set("view", Broken)
    with pytest.raises(LookupError, match="err! something"):
        await app.render("something")


async def test_rendering_takes_no_values_as_well(tmp_path: Path) -> None:
    (tmp_path / "user.html").write_text("<p>{{ user }}</p>")
    app = Express(views=tmp_path)
    app.locals["user"] = "tobi"
    assert await app.render("user.html") == await app.render("user.html", None) == "<p>tobi</p>"
    assert await app.render("user.html", {}) == "<p>tobi</p>"
    assert await app.render("user.html", {"user": "jane"}) == "<p>jane</p>"


# -- serving


async def test_a_server_takes_port_host_and_backlog_and_tells_its_address() -> None:
    async with Express().serve(0, "127.0.0.1", backlog=5) as server:
        assert server.port > 0
        assert server.url == f"http://127.0.0.1:{server.port}"


# -- what Express exports


async def test_the_parsers_and_static_are_functions_that_return_middleware(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("a file")
    app = Express()
    app.use(body.json(), body.raw(), body.text(), body.urlencoded(), static(tmp_path))
    app.post("/", lambda req, res: res.send(repr(req.body)))
    for kind, sent, told in (
        ("application/json", b"[1]", "[1]"),
        ("application/octet-stream", b"x", "b'x'"),
        ("text/plain", b"x", "'x'"),
        ("application/x-www-form-urlencoded", b"a=1", "{'a': '1'}"),
    ):
        assert (await post(app, sent, kind)).text == told
    assert (await ask(app, "/a.txt")).text == "a file"
