"""Views: lookup, engines, locals, caching and inheritance; names and values that a client might choose."""

from __future__ import annotations

import asyncio
import builtins
import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jinja2
import pytest

from asgi_express import Express, Request, Response, Router
from asgi_express.views import Jinja, View, ViewError
from tests.asgi import ask

SECRET = "root:x:0:0"


def write(root: Path, files: dict[str, str]) -> Path:
    """Write files, and the directories that they are in."""
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return root


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Give a views directory with something secret beside it."""
    write(tmp_path, {"secret.html": SECRET, "secret.txt": SECRET, "views-too/secret.html": SECRET})
    return write(tmp_path / "views", {"page.html": "<p>{{ word }}</p>"})


def plain(path: str, options: dict[str, Any]) -> str:
    """An engine that tells the name of the file, what is in it, and the value of ``word``."""
    return f"{Path(path).name}: {Path(path).read_text()} {options.get('word')}"


# -- Jinja2, the default engine


async def test_jinja_renders_html_without_being_registered(root: Path) -> None:
    app = Express(views=root, view_engine="html")
    assert await app.render("page", {"word": "hey"}) == "<p>hey</p>"
    assert await app.render("page.html", {"word": "é"}) == "<p>é</p>"


@pytest.mark.parametrize("extension", ["html", "htm", "xml", "j2", "jinja", "jinja2"])
async def test_values_are_escaped_whatever_the_extension(root: Path, extension: str) -> None:
    write(root, {f"x.{extension}": "<a title='{{ word }}'>{{ word }}</a>"})
    text = await Express(views=root).render(f"x.{extension}", {"word": "<script>'\"&"})
    escaped = "&lt;script&gt;&#39;&#34;&amp;"
    assert text == f"<a title='{escaped}'>{escaped}</a>"


async def test_data_is_never_read_as_a_template(root: Path) -> None:
    app = Express(views=root)
    for word in ("{{ 7 * 7 }}", "{% include 'page.html' %}", "{{ settings }}"):
        text = await app.render("page.html", {"word": word})
        assert "49" not in text
        assert text == f"<p>{jinja2.Environment().from_string('{{ w | e }}').render(w=word)}</p>"


async def test_data_inside_a_script_cannot_end_it(root: Path) -> None:
    write(root, {"script.html": "<script>const data = {{ word | tojson }};</script>"})
    text = await Express(views=root).render("script.html", {"word": "</script>\u2028<!--'&"})
    assert text.count("<") == 2
    assert "\u2028" not in text


async def test_a_template_extends_and_includes_others_of_all_roots(tmp_path: Path) -> None:
    write(
        tmp_path / "a", {"page.html": "{% extends 'layout.html' %}{% block x %}{% include 'in/c.html' %}{% endblock %}"}
    )
    write(tmp_path / "b", {"layout.html": "<{% block x %}{% endblock %}>", "in/c.html": "c"})
    assert await Express(views=[tmp_path / "a", tmp_path / "b"]).render("page.html") == "<c>"


@pytest.mark.parametrize("name", ["../secret.html", "/etc/passwd", "../views-too/secret.html"])
async def test_a_template_cannot_include_what_lies_outside(root: Path, name: str) -> None:
    write(root, {"bad.html": f"{{% include {name!r} %}}"})
    with pytest.raises(jinja2.TemplateNotFound):
        await Express(views=root).render("bad.html")


async def test_a_changed_template_is_read_again(root: Path) -> None:
    app = Express(views=root)
    assert await app.render("page.html", {"word": 1}) == "<p>1</p>"
    write(root, {"page.html": "<b>{{ word }}</b>"})
    os.utime(root / "page.html", (1, 1))
    assert await app.render("page.html", {"word": 2}) == "<b>2</b>"


async def test_an_environment_of_your_own_brings_filters_and_globals(root: Path) -> None:
    environment = jinja2.Environment(loader=jinja2.FileSystemLoader(root), autoescape=True)
    environment.filters["shout"] = lambda text: text.upper() + "!"
    environment.globals["site"] = "Lab"
    write(root, {"own.html": "{{ word | shout }} {{ site }}"})
    app = Express(views=root).engine("html", Jinja(environment))
    assert await app.render("own.html", {"word": "<b>"}) == "&lt;B&gt;! Lab"


async def test_an_environment_may_be_asynchronous(root: Path) -> None:
    environment = jinja2.Environment(loader=jinja2.FileSystemLoader(root), enable_async=True)

    async def value() -> str:
        return "later"

    app = Express(views=root).engine("html", Jinja(environment))
    write(root, {"async.html": "{{ value() }}"})
    assert await app.render("async.html", {"value": value}) == "later"


async def test_an_environment_that_loads_from_elsewhere_says_so(root: Path, tmp_path: Path) -> None:
    environment = jinja2.Environment(loader=jinja2.FileSystemLoader(tmp_path / "other"))
    with pytest.raises(ViewError, match="which is not where the view is"):
        await Express(views=root).engine("html", Jinja(environment)).render("page.html")
    with pytest.raises(TypeError, match=r"needs a jinja2\.FileSystemLoader, got None"):
        Jinja(jinja2.Environment())


async def test_without_jinja_the_error_names_the_line_to_install_it(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = builtins.__import__

    def missing(name: str, *args: Any, **kwargs: Any) -> Any:
        if name == "jinja2":
            raise ImportError(name)
        return original(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", missing)
    with pytest.raises(ImportError, match=r"pip install 'asgi-express\[views\]'"):
        await Express(views=root).render("page.html")


# -- engines


async def test_an_engine_is_any_callable_plain_or_async(root: Path) -> None:
    async def later(path: str, options: dict[str, Any]) -> str:
        return "later " + plain(path, options)

    class Object:
        def __call__(self, path: str, options: dict[str, Any]) -> str:
            return "object " + plain(path, options)

    write(root, {"x.a": "A", "x.b": "B", "x.c": "C"})
    app = Express(views=root).engine("a", plain).engine(".b", later).engine("c", Object())
    assert await app.render("x.a", {"word": 1}) == "x.a: A 1"
    assert await app.render("x.b", {"word": 2}) == "later x.b: B 2"
    assert await app.render("x.c", {"word": 3}) == "object x.c: C 3"


async def test_an_engine_of_your_own_takes_the_place_of_jinja(root: Path) -> None:
    app = Express(views=root).engine("html", plain)
    assert await app.render("page.html") == "page.html: <p>{{ word }}</p> None"


def test_an_engine_must_be_callable() -> None:
    name: Any = "ejs"
    with pytest.raises(TypeError, match=r"expected a callable of \(path, options\), got 'ejs'"):
        Express().engine("html", name)


@pytest.mark.parametrize(
    ("name", "settings", "words"),
    [
        ("page", {}, "No default engine was specified and no extension was provided."),
        ("page.ejs", {}, "There is no engine for '.ejs'"),
        ("page", {"view engine": "ejs"}, "There is no engine for '.ejs'"),
        ("page.", {"view engine": "ejs"}, "There is no engine for"),
        ("none.html", {}, 'Failed to lookup view "none.html" in views directory "{root}"'),
        ("none", {"view engine": ".html"}, 'Failed to lookup view "none" in views directory "{root}"'),
        ("none.html", {"views": ["{root}", "/b", "/c"]}, 'in views directories "{root}", "/b" or "/c"'),
        ("none.html", {"views": []}, "in views directory (none)"),
        ("", {"view engine": "html"}, 'Failed to lookup view ""'),
    ],
)
async def test_what_cannot_be_rendered_is_an_error_with_words(
    root: Path, name: str, settings: dict[str, Any], words: str
) -> None:
    app = Express(views=root)
    for setting, value in settings.items():
        app.set(setting, [v.format(root=root) for v in value] if isinstance(value, list) else value)
    with pytest.raises(ViewError) as caught:
        await app.render(name)
    assert words.format(root=root) in str(caught.value)


# -- lookup


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("both", "both.t: a/both.t"),
        ("both.t", "both.t: a/both.t"),
        ("second", "second.t: b/second.t"),
        ("folder", "index.t: a/folder/index.t"),
        ("deep/er", "index.t: b/deep/er/index.t"),
        ("deep/er/index", "index.t: b/deep/er/index.t"),
        ("dots.in.name.t", "dots.in.name.t: a/dots.in.name.t"),
        ("é ü", "é ü.t: a/é ü.t"),
        ("folder/../both", "both.t: a/both.t"),
        ("both.t/", "both.t: a/both.t"),
    ],
)
async def test_roots_are_searched_in_order_for_the_file_and_then_its_index(
    tmp_path: Path, name: str, found: str
) -> None:
    names = ["a/both.t", "b/both.t", "b/second.t", "a/folder/index.t", "b/folder.t", "b/deep/er/index.t"]
    write(tmp_path, {name: name for name in [*names, "a/dots.in.name.t", "a/é ü.t"]})
    for roots in ([tmp_path / "a", str(tmp_path / "b")], (tmp_path / "a", tmp_path / "b")):
        app = Express(views=roots, view_engine="t").engine("t", plain)
        assert await app.render(name) == f"{found} None"


async def test_the_views_directory_is_the_one_below_the_working_directory(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(root.parent)
    assert await Express().render("page.html", {"word": 1}) == "<p>1</p>"
    assert await Express(views=None).render("page.html", {"word": 1}) == "<p>1</p>"


async def test_an_absolute_name_works_inside_the_views_directories(root: Path) -> None:
    assert await Express(views=root).render(str(root / "page.html"), {"word": 1}) == "<p>1</p>"
    assert await Express(views=root, view_engine="html").render(str(root / "page"), {"word": 1}) == "<p>1</p>"


@pytest.mark.parametrize(
    "name",
    [
        "../secret.html",
        "../secret",
        "x/../../secret.html",
        "../views/../secret.html",
        "../views-too/secret.html",
        "/etc/passwd",
        "/etc/hosts.html",
        "{outside}/secret.html",
        "//etc/passwd.html",
        "..",
        ".",
        "../",
        "page.html\0",
        "\0.html",
        "pa\0ge.html",
        "..\\secret.html",
        "\\\\host\\share.html",
        "%2e%2e/secret.html",
        "link.html",
        "link/secret.html",
        "circle.html",
        "folder.html",
        "\ud800.html",
        "a" * 5000 + ".html",
        "a/" * 5000 + "a.html",
        "page.html/x.html",
    ],
    ids=lambda name: ascii(name)[1:30].replace("\\", "/"),
)
async def test_a_name_never_leads_out_of_the_views_directories(root: Path, name: str) -> None:
    (root / "link.html").symlink_to(root.parent / "secret.html")
    (root / "link").symlink_to(root.parent)
    (root / "circle.html").symlink_to(root / "circle.html")
    (root / "folder.html").mkdir()
    app = Express(views=root, view_engine="html").engine("txt", plain)
    app.get("/", lambda req, res: res.render(name.format(outside=root.parent)))
    answer = await ask(app)
    assert answer.status == 500
    assert "<pre>Internal Server Error</pre>" in answer.text
    with pytest.raises(ViewError):
        await app.render(name.format(outside=root.parent))


async def test_a_link_that_stays_inside_is_followed(root: Path) -> None:
    (root / "alias.html").symlink_to(root / "page.html")
    linked = root.parent / "linked"
    linked.symlink_to(root)
    assert await Express(views=linked).render("alias.html", {"word": 1}) == "<p>1</p>"


# -- locals


async def test_values_of_the_call_win_over_those_of_the_response_and_these_over_the_application(root: Path) -> None:
    seen: list[dict[str, Any]] = []

    def engine(path: str, options: dict[str, Any]) -> str:
        seen.append(options)
        return "x"

    app = Express(views=root).engine("html", engine)
    app.locals.update(a="app", b="app", c="app")

    @app.get("/")
    def handler(req: Request, res: Response) -> None:
        res.locals.update(b="res", c="res")
        res.render("page.html", {"c": "call"})

    await ask(app)
    assert {name: seen[0][name] for name in "abc"} == {"a": "app", "b": "res", "c": "call"}
    assert seen[0]["settings"] is app.settings
    seen[0]["a"] = "changed"
    await app.render("page.html", {"b": 1})
    assert {name: seen[1].get(name) for name in "abc"} == {"a": "app", "b": 1, "c": "app"}


async def test_what_was_rendered_may_be_changed_before_it_is_sent(root: Path) -> None:
    app = Express(views=root)

    @app.get("/{word}")
    async def handler(req: Request, res: Response) -> None:
        res.locals["word"] = req.params["word"]
        text = await req.app.render("page.html", res.locals)
        res.send(text.replace("tobi", "loki"))

    assert (await ask(app, "/tobi")).text == "<p>loki</p>"


async def test_values_from_a_client_are_values_and_nothing_else(root: Path) -> None:
    write(root, {"all.html": "{{ settings }}|{{ cache }}|{{ loader }}|{{ self_ }}|{{ word }}"})
    app = Express(views=root, query_parser="extended")
    app.get("/", lambda req, res: res.render("all.html", req.query))
    hostile = "settings[views]=/etc&settings[view%20options][autoescape]=&cache=false&_locals[word]=x"
    hostile += "&loader=x&environment=x&self=x&__class__=x&autoescape=&word=%3Cb%3E&engine=x&context=y&args=z"
    answer = await ask(app, f"/?{hostile}")
    assert answer.status == 200
    assert answer.text.endswith("|false|x||&lt;b&gt;")
    assert (await ask(app, "/?word=%3Ci%3E")).text.endswith("|&lt;i&gt;")
    assert app.get_setting("views") == root


# -- cache


async def lookups(app: Express, root: Path, times: int = 2) -> int:
    """Return how often a view is made when it is rendered some times."""
    made: list[str] = []

    class Counting(View):
        def __init__(self, name: str, **facts: Any) -> None:
            made.append(name)
            super().__init__(name, **facts)

    app.set("view", Counting).set("views", root)
    for _ in range(times):
        assert await app.render("page.html", {"word": 1, "cache": True}) == "<p>1</p>"
    return len(made)


@pytest.mark.parametrize(
    ("settings", "times"),
    [
        ({"env": "production"}, 1),
        ({"env": "development"}, 2),
        ({"env": "test"}, 2),
        ({"env": "production", "view cache": False}, 2),
        ({"env": "development", "view cache": True}, 1),
    ],
)
async def test_a_view_is_looked_up_once_where_views_are_cached(
    root: Path, settings: dict[str, Any], times: int
) -> None:
    app = Express()
    for name, value in settings.items():
        app.set(name, value)
    assert await lookups(app, root) == times


async def test_names_that_a_client_chooses_do_not_fill_the_cache(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("asgi_express.application._MAX_VIEWS", 2)
    app = Express(view_cache=True)
    for name in ("a", "b", "c"):
        write(root, {f"{name}.html": name})
    assert await lookups(app, root) == 1
    assert [await app.render(f"{name}.html") for name in "abcabc"] == list("abcabc")
    assert list(app._views) == ["page.html", "a.html"]
    for name in ("none.html", "../x.html"):
        with pytest.raises(ViewError):
            await app.render(name)
    assert len(app._views) == 2


# -- a view of your own


async def test_another_view_class_gets_what_it_needs_and_may_render_at_once_or_later() -> None:
    class Stored:
        def __init__(self, name: str, *, default_engine: Any, roots: Any, engines: Any) -> None:
            self.facts = (name, default_engine, roots, sorted(engines))

        def render(self, options: dict[str, Any]) -> Any:
            return f"{self.facts} {options['word']}"

    class Later(Stored):
        async def render(self, options: dict[str, Any]) -> Any:
            return f"later {super().render(options)}"

    app = Express(view=Stored, views=["a", "b"], view_engine="x").engine("x", plain)
    assert await app.render("github/readme", {"word": 1}) == "('github/readme', 'x', ['a', 'b'], ['.x']) 1"
    app.set("view", Later).set("view cache", False)
    assert await app.render("github/readme", {"word": 1}) == "later ('github/readme', 'x', ['a', 'b'], ['.x']) 1"


# -- sub-applications


async def test_a_sub_application_inherits_engines_and_the_view_engine_but_not_the_directory(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(write(tmp_path / "elsewhere", {"views/x.t": "default"}))
    app, child = Express(views=root, view_engine="t"), Express()
    app.use("/child", child)
    app.engine("t", plain)
    assert child.get_setting("views") == "views"
    assert await child.render("x") == "x.t: default None"
    child.engine("t", lambda path, options: "own")
    assert await child.render("x") == "x.t: default None"  # cached
    assert await child.disable("view cache").render("x") == "own"
    write(root, {"x.t": "parent"})
    assert await app.render("x") == "x.t: parent None"


async def test_engines_are_inherited_in_whatever_order_applications_are_mounted(root: Path) -> None:
    write(root, {"x.t": "x", "x.u": "u"})
    app, middle, leaf = Express(), Express(), Express(views=root)
    middle.use(leaf)
    app.use(middle)
    app.engine("t", plain)
    middle.engine("u", plain)
    assert await leaf.render("x.t") == "x.t: x None"
    assert await leaf.render("x.u") == "x.u: u None"
    with pytest.raises(ViewError, match="no engine"):
        await app.render("x.u")


async def test_every_application_renders_html_from_its_own_directory(tmp_path: Path) -> None:
    write(tmp_path, {"a/x.html": "a {{ 1 }}", "b/x.html": "b {{ 2 }}", "c/x.html": "c {{ 3 }}"})
    app, child = Express(views=tmp_path / "a"), Express(views=tmp_path / "b")
    app.use(child)
    assert [await app.render("x.html"), await child.render("x.html")] == ["a 1", "b 2"]
    app.set("views", tmp_path / "c").disable("view cache")
    assert await app.render("x.html") == "c 3"


async def test_res_render_is_that_of_the_application_that_handles_the_request(tmp_path: Path) -> None:
    write(tmp_path, {"a/x.html": "a {{ name }} {{ word }}", "b/x.html": "b {{ name }} {{ word }}"})
    app, child = Express(views=tmp_path / "a"), Express(views=tmp_path / "b")
    app.locals["name"], child.locals["name"] = "app", "child"

    @app.use
    def middleware(req: Request, res: Response, next: Callable[[], None]) -> None:
        res.locals["word"] = "shared"
        next()

    router = Router()
    router.get("/x", lambda req, res: res.render("x.html"))
    app.use("/child", child.use(router))
    app.use("/", router)
    assert (await ask(app, "/child/x")).text == "b child shared"
    assert (await ask(app, "/x")).text == "a app shared"


# -- failures


def recursing(path: str, options: dict[str, Any]) -> str:
    return recursing(path, options)


def failing(path: str, options: dict[str, Any]) -> str:
    raise LookupError("in the engine")


@pytest.mark.parametrize(
    ("template", "engine", "error"),
    [
        ("{{ 1 / 0 }}", None, ZeroDivisionError),
        ("{% for %}", None, jinja2.TemplateSyntaxError),
        ("{% include 'x.html' %}", None, RecursionError),
        ("{{ word.a.b }}", None, jinja2.UndefinedError),
        ("x", failing, LookupError),
        ("x", recursing, RecursionError),
    ],
)
async def test_a_template_that_fails_is_one_clean_500(
    root: Path, template: str, engine: Any, error: type[Exception], caplog: pytest.LogCaptureFixture
) -> None:
    write(root, {"x.html": f"start {template}"})
    app = Express(views=root)
    if engine:
        app.engine("html", engine)
    seen: list[Exception] = []
    app.get("/", lambda req, res: res.set("X-Kept", "1").render("x.html"))

    @app.use
    def note(err: Exception, req: Request, res: Response, next: Callable[[Any], None]) -> None:
        seen.append(err)
        next(err)

    with caplog.at_level(logging.ERROR):
        answer = await ask(app)
    assert answer.status == 500
    assert [message["type"] for message in answer.messages] == ["http.response.start", "http.response.body"]
    assert "start" not in answer.text
    assert str(root) not in answer.text
    assert len(seen) == len(caplog.records) == 1
    assert isinstance(seen[0], error)


async def test_an_error_of_a_view_is_raised_where_it_is_awaited(root: Path) -> None:
    app = Express(views=root)

    @app.get("/")
    async def handler(req: Request, res: Response) -> None:
        try:
            await req.app.render("none.html")
        except ViewError as err:
            res.status(500).send(f"got error: {type(err).__name__}")

    answer = await ask(app)
    assert (answer.status, answer.text) == (500, "got error: ViewError")


async def test_an_error_handler_may_render_the_error(root: Path) -> None:
    write(root, {"error.html": "sorry: {{ message }}"})
    app = Express(views=root)
    app.get("/", lambda req, res: res.render("none.html"))

    @app.use
    async def shown(err: Exception, req: Request, res: Response, next: Any) -> None:
        await res.status(500).render("error.html", {"message": str(err)[:21]})

    answer = await ask(app)
    assert (answer.status, answer.text) == (500, "sorry: Failed to lookup view")


async def test_render_twice_is_one_answer(root: Path, caplog: pytest.LogCaptureFixture) -> None:
    app = Express(views=root)
    app.get("/", lambda req, res: res.render("page.html", {"word": 1}).render("page.html"))
    answer = await ask(app)
    assert answer.status == 500
    assert [message["type"] for message in answer.messages] == ["http.response.start", "http.response.body"]
    assert "HeadersSentError" in caplog.text


async def test_an_error_after_render_is_answered_in_its_place(root: Path) -> None:
    app = Express(views=root)

    @app.get("/")
    def handler(req: Request, res: Response) -> None:
        res.render("page.html")
        raise LookupError("too late")

    app.use(lambda err, req, res, next: res.status(503).send(str(err)))
    answer = await ask(app)
    assert (answer.status, answer.text) == (503, "too late")


async def test_lookup_and_compilation_leave_the_event_loop_free(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The template is not read before the loop has turned: a slow disk holds up one request only."""
    loop_runs = asyncio.Event()
    loop = asyncio.get_running_loop()
    original = jinja2.FileSystemLoader.get_source

    def slow(self: Any, environment: Any, template: str) -> Any:
        # Runs in a worker thread: the loop has to be free to answer.
        asyncio.run_coroutine_threadsafe(turned(), loop).result(timeout=10)
        return original(self, environment, template)

    async def turned() -> None:
        loop_runs.set()

    monkeypatch.setattr(jinja2.FileSystemLoader, "get_source", slow)
    assert await Express(views=root).render("page.html", {"word": 1}) == "<p>1</p>"
    assert loop_runs.is_set()
