"""Render options, views and layouts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from asgi_express import MisuseError
from asgi_express.actions import Actions, Html
from asgi_express.views import ViewError
from tests.asgi import Answer, ask


async def answered(result: Any, target: str = "/", *, app: Actions | None = None, **more: Any) -> Answer:
    """Ask an app whose one action returns something."""
    app = app or Actions(raise_errors=True)
    app.match("/:any", lambda self: result)
    app.match("home", "/", lambda self: result)
    return await ask(app, target, **more)


@pytest.fixture
def views(tmp_path: Path) -> Path:
    pages = {
        "home.html": "<p>{{ greeting }} {{ params.name }}</p>",
        "layout.html": "<title>{{ content_for('title') }}</title>{{ content_for('inner') }}",
        "other.html": "[{{ content_for('inner') }}]",
        "escaped.html": "{{ params.name }} {{ url_for('home') }} {{ build_url('/x') }} {{ route_name }}",
        "token.html": "{{ csrf_token() }}",
        "all.html": "{{ request.route_pattern }} {{ session is none }} {{ errors is none }} {{ greeting }}",
        "error.html": "error",
    }
    for name, text in pages.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path


async def test_text_is_html() -> None:
    got = await answered("<p>text</p>")
    assert (got.status, got.headers["content-type"], got.text) == (200, "text/html; charset=utf-8", "<p>text</p>")


async def test_nothing_is_an_empty_page() -> None:
    got = await answered(None)
    assert (got.status, got.headers["content-length"]) == (200, "0")


async def test_status_content_type_and_headers() -> None:
    got = await answered(({"status": 418, "content_type": "text/plain", "headers": {"X-A": "1", "X-B": "2"}}, "tea"))
    kind = got.headers["content-type"]
    assert (got.status, kind, got.text) == (418, "text/plain; charset=utf-8", "tea")
    assert (got.headers["x-a"], got.headers["x-b"]) == ("1", "2")


async def test_json() -> None:
    app = Actions(layout=lambda self: "a layout")
    got = await answered({"json": {"hello": "world!"}}, app=app)
    assert (got.headers["content-type"], got.json) == ("application/json; charset=utf-8", {"hello": "world!"})
    typed = await answered({"json": None, "content_type": "application/problem+json", "status": 400})
    assert (typed.status, typed.headers["content-type"]) == (400, "application/problem+json; charset=utf-8")
    assert typed.text == "null"


REDIRECTS: list[tuple[str, dict[str, Any]]] = [
    ("/login", {}),
    ("login?next=1", {}),
    ("http://localhost:3000/x", {}),
    ("https://example.org/x", {"redirect_hosts": ["example.org"]}),
]


@pytest.mark.parametrize(("target", "options"), REDIRECTS)
async def test_redirect_to_takes_relative_and_absolute_addresses(target: str, options: dict[str, Any]) -> None:
    headers = {"host": "localhost:3000"}
    got = await answered({"redirect_to": target}, app=Actions(**options), headers=headers)
    assert (got.status, got.headers["location"]) == (302, target)
    moved = await answered({"redirect_to": target, "status": 301}, app=Actions(**options), headers=headers)
    assert moved.status == 301


@pytest.mark.parametrize(
    "target", ["//evil.example", "https://evil.example", "/\\evil.example", "javascript:alert(1)", "", 7, "/\t/evil"]
)
async def test_a_redirect_does_not_leave_the_site_unless_the_host_is_allowed(target: Any) -> None:
    with pytest.raises(MisuseError, match="does not stay on this site"):
        await answered({"redirect_to": target}, headers={"host": "localhost"})


async def test_skip_render_leaves_the_answer_to_the_action() -> None:
    async def stream(self: Any) -> Any:
        await self.res.write("a")
        await self.res.write("b")
        self.res.end()
        return {"skip_render": True}

    app = Actions()
    app.match("/", stream)
    app.match("/forgotten", lambda self: {"skip_render": True})
    assert (await ask(app, "/")).text == "ab"
    assert (await ask(app, "/forgotten")).status == 500


async def test_an_action_may_answer_with_the_response_of_the_router(caplog: pytest.LogCaptureFixture) -> None:
    async def pushed(self: Any) -> Any:
        return await self.res.status(201).send("pushed")

    def unsent(self: Any) -> Any:
        self.cookies["a"] = "1"
        return self.res.send("a cookie is missing")

    app = Actions()
    app.match("/sent", lambda self: self.res.status(201).send("sent"))
    app.match("/pushed", pushed)
    app.match("/unsent", unsent)
    app.match("/twice", lambda self: (self.res.send("one"), "two"))
    for path in ("/sent", "/pushed"):
        got = await ask(app, path)
        assert (got.status, got.text) == (201, path[1:])
    assert caplog.messages == []
    assert (await ask(app, "/unsent")).text == "a cookie is missing"
    assert caplog.messages == [
        "<cookies: 'a'> were not sent: the action answered itself; self.res.cookie(...) sends them"
    ]
    assert (await ask(app, "/twice")).text == "one"
    assert caplog.messages[1:] == ["GET /twice: HeadersSentError"]


# -- views


async def test_a_view_sees_what_the_action_has_set(views: Path) -> None:
    def home(self: Any) -> Any:
        self.greeting = "Hello"
        return {"render": True}

    app = Actions(views=views)
    app.match("home", "/:name", home)
    app.match("named", "/named/:name", lambda self: {"render": "home", "locals": {"greeting": "Hi"}, "status": 201})
    assert (await ask(app, "/Ada")).text == "<p>Hello Ada</p>"
    named = await ask(app, "/named/%3Cb%3E")
    assert (named.status, named.text) == (201, "<p>Hi &lt;b&gt;</p>")


async def test_a_view_has_the_functions_of_the_request(views: Path) -> None:
    app = Actions(views=views)
    app.match("home", "/:name", lambda self: {"render": "escaped"})
    app.match("/all/x", lambda self: {"render": "all.html"})
    app.match("home2", "/x/home", lambda self: {"render": "escaped.html"})
    with_session = Actions(views=str(views), view_engine=".html", secret="a secret of many characters")
    with_session.match("home", "/", lambda self: ({"render": "token"}, "token: "))
    assert (await ask(app, "/all/x")).text == "/all/x True True "
    token = await ask(with_session, "/")
    assert token.text.startswith("token: ey")
    assert "lapis_session_token=" in token.headers["set-cookie"]


async def test_url_for_and_build_url_work_in_a_view(views: Path) -> None:
    app = Actions(views=views)
    app.match("home", "/", lambda self: {"render": "escaped"})
    got = await ask(app, "/?name=%3Ci%3E", headers={"host": "localhost"})
    assert got.text == "&lt;i&gt; / http://localhost/x home"


async def test_a_layout_is_put_around_views_and_text(views: Path) -> None:
    class Site(Actions):
        layout = "layout"

    app = Site(views=views)

    def home(self: Any) -> Any:
        assert self.content_for("title", "A & ") == "A &amp; "
        self.content_for("title", Html("<B>"))
        return {"render": True, "locals": {"greeting": "Hello"}}

    app.match("home", "/", home)
    app.match("/text", lambda self: "<p>text</p>")
    app.match("/other", lambda self: ({"layout": "other"}, "text"))
    app.match("/none", lambda self: ({"layout": False}, "text"))
    assert (await ask(app, "/?name=x")).text == "<title>A &amp; <B></title><p>Hello x</p>"
    texts = [(await ask(app, path)).text for path in ("/text", "/other", "/none")]
    assert texts == ["<title></title><p>text</p>", "[text]", "text"]


class Widget:
    """A view that is a class."""

    def __init__(self, request: Any) -> None:
        self.request = request

    def render(self) -> str:
        return f"<b>{self.request.params['any']}</b>"


class SlowWidget:
    def __init__(self, request: Any) -> None:
        self.request = request

    async def render(self) -> str:
        return "<slow>"


async def slow_layout(self: Any) -> str:
    return f"({self.content_for('inner')})"


async def test_views_and_layouts_may_be_functions_and_classes() -> None:
    assert (await answered({"render": Widget}, "/x")).text == "<b>x</b>"
    assert (await answered({"render": SlowWidget, "layout": slow_layout}, "/x")).text == "(<slow>)"
    assert (await answered(({"layout": lambda self: self.content_for("inner") + "!"}, "x"))).text == "x!"


async def test_a_view_that_is_not_there_is_an_error_and_leaves_nothing_in_the_answer(views: Path) -> None:
    app = Actions(views=views)

    @app.match("/")
    def home(self: Any) -> Any:
        self.cookies["a"] = "1"
        return {"render": "missing", "headers": {"X-A": "1"}}

    app.handle_error = lambda self, err, trace: f"{type(err).__name__}"
    got = await ask(app, "/")
    assert (got.status, got.text, "x-a" in got.headers, "set-cookie" in got.headers) == (500, "ViewError", False, False)
    with pytest.raises(ViewError):
        await answered({"render": "../secret"}, app=Actions(views=views, raise_errors=True))


async def test_render_true_takes_a_name_and_a_view_is_a_name_or_a_function() -> None:
    with pytest.raises(MisuseError, match="render=True takes the name of the route for the view, and '/:any' has none"):
        await answered({"render": True}, "/x")
    with pytest.raises(TypeError, match=r"a view is a name, or a function or class .*, not 7"):
        await answered({"render": 7})


async def test_an_engine_of_one_s_own_renders_its_extension(tmp_path: Path) -> None:
    (tmp_path / "note.txt").write_text("Hello {params[any]}", encoding="utf-8")
    app = Actions(views=[tmp_path])
    assert app.engine("txt", lambda path, options: Path(path).read_text().format(**options)) is app
    assert (await answered({"render": "note.txt"}, "/Ada", app=app)).text == "Hello Ada"
