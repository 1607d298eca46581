"""Ideas of Express's own suite that no other test has: routes, routers, parameters, mounting, rendering, parsers."""

from __future__ import annotations

import asyncio
import gzip
import re
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from asgi_express import Express, Router, body
from asgi_express._verbs import METHODS
from asgi_express.static import static
from tests.asgi import ask
from tests.body.driver import application, post

DEPTH = 6000

KINDS: dict[str, tuple[Any, str]] = {
    "json": (body.json, "application/json"),
    "urlencoded": (body.urlencoded, "application/x-www-form-urlencoded"),
    "text": (body.text, "text/plain"),
    "raw": (body.raw, "application/octet-stream"),
}


def passes(_req: Any, _res: Any, next: Any) -> None:
    next()


def shows_params(req: Any, res: Any) -> None:
    res.json(req.params)


def fails(words: str) -> Any:
    def fail(_req: Any, _res: Any) -> None:
        raise RuntimeError(words)

    return fail


def tells_error(err: Any, _req: Any, res: Any, _next: Any) -> None:
    res.status(500).send(f"saw {err}")


def hit(name: str) -> Any:
    return lambda req, res, next: (res.set(name, "hit"), next())[1]


# -- routes and routers


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


# -- parsers


@pytest.mark.parametrize("kind", KINDS)
async def test_options_that_are_changed_later_change_nothing(kind: str) -> None:
    make, content_type = KINDS[kind]
    options = {"limit": "1kb"}
    app = application(make(**options))
    options["limit"] = "100kb"
    answer = await post(app, b'["' + b"." * 1025 + b'"]', content_type)
    assert (answer.status, answer.json["error"]["type"]) == (413, "entity.too.large")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("chunked", [False, True])
async def test_a_coded_body_that_is_cut_off_beyond_the_limit_is_too_large(kind: str, chunked: bool) -> None:
    make, content_type = KINDS[kind]
    cut = gzip.compress(b'["' + b"." * 5000 + b'"]')[:-1]
    answer = await post(application(make(limit="1kb")), cut, content_type, chunked=chunked, content_encoding="gzip")
    assert (answer.status, answer.json["error"]["type"]) == (413, "entity.too.large")


@pytest.mark.parametrize("kind", KINDS)
async def test_a_body_of_many_chunks_beyond_the_limit_is_answered(kind: str) -> None:
    make, content_type = KINDS[kind]
    answer = await post(application(make(limit="8kb")), [b"." * 10240] * 3, content_type, chunked=True)
    assert (answer.status, answer.json["error"]["type"]) == (413, "entity.too.large")


@pytest.mark.parametrize("kind", KINDS)
async def test_a_body_that_is_shorter_than_its_length_is_refused(kind: str) -> None:
    make, content_type = KINDS[kind]
    app = Express()

    def lies(req: Any, _res: Any, next: Any) -> None:
        req.headers["content-length"] = "20"
        next()

    app.use(lies)
    app.use(application(make()))
    answer = await post(app, b"stuff", content_type)
    assert answer.status == 400
    assert "size did not match content length" in answer.json["error"]["message"]


@pytest.mark.parametrize("extended", [False, True])
async def test_a_form_may_have_thousands_of_parameters_if_it_may_have_any_number(extended: bool) -> None:
    for limit, count in ((5000, 5000), (float("inf"), 10_000)):
        app = application(body.urlencoded(extended=extended, parameter_limit=limit))
        form = b"&".join(b"%x=%x" % (number, number) for number in range(count))
        answer = await post(app, form, "application/x-www-form-urlencoded")
        assert len(answer.json["body"]) == count


async def test_a_long_list_of_a_form_is_a_list() -> None:
    app = application(body.urlencoded(extended=True))
    form = b"&".join(b"f[%d]=%x" % (number, number) for number in range(500))
    answer = await post(app, form, "application/x-www-form-urlencoded")
    assert answer.json["body"] == {"f": [f"{number:x}" for number in range(500)]}


@pytest.mark.parametrize("kind", ["json", "urlencoded"])
async def test_the_error_of_a_refused_body_keeps_what_was_sent(kind: str) -> None:
    make, content_type = KINDS[kind]
    caught: list[Any] = []

    def refuse(*_facts: Any) -> None:
        raise ValueError("no")

    app = Express()
    app.use(make(verify=refuse))
    app.use(lambda err, req, res, next: (caught.append(err.body), res.send("x"))[1])
    await post(app, b'["tobi"]', content_type)
    assert caught in ([b'["tobi"]'], ['["tobi"]'])


async def test_text_that_names_no_charset_is_in_the_default_one() -> None:
    app = application(body.text(default_charset="koi8-r"))
    assert (await post(app, "name is нет".encode("koi8-r"), "text/plain")).json["body"] == "name is нет"
    assert (await post(app, "name is 论".encode(), "text/plain; charset=utf-8")).json["body"] == "name is 论"


async def test_the_page_of_development_tells_what_is_wrong_with_a_document() -> None:
    app = Express(env="development")
    app.use(body.json())
    for primitive, place in ((b"true", "char 0"), (b"    true", "char 4")):
        answer = await post(app, primitive, "application/json")
        assert answer.status == 400
        assert f"Expecting an object or a list: {place}" in answer.text


# -- static files


@pytest.mark.parametrize(("fallthrough", "told"), [(True, "fell through"), (False, "saw 404")])
async def test_a_root_that_is_too_long_to_exist_is_not_there(tmp_path: Path, fallthrough: bool, told: str) -> None:
    app = Express()
    app.use(static(f"{tmp_path}{'/foobar' * 10_000}", fallthrough=fallthrough))
    app.use(lambda req, res: res.status(404).send("fell through"))
    app.use(lambda err, req, res, next: res.status(err.status).send(f"saw {err.status}"))
    answer = await ask(app, "/")
    assert (answer.status, answer.text) == (404, told)


async def test_a_target_that_looks_like_an_authority_is_not_there(tmp_path: Path) -> None:
    (tmp_path / "todo.txt").write_text("- groceries")
    for path in ("/", "/static"):
        app = Express()
        app.use(path, static(tmp_path))
        assert (await ask(app, f"{path.rstrip('/')}/todo.txt")).status == 200
        assert (await ask(app, "//todo@txt")).status == 404


async def test_the_current_directory_is_a_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "todo.txt").write_text("- groceries")
    monkeypatch.chdir(tmp_path)
    app = Express()
    app.use(static("."))
    assert (await ask(app, "/sub/todo.txt")).text == "- groceries"


async def test_a_way_out_of_the_root_and_back_discloses_nothing(tmp_path: Path) -> None:
    root = tmp_path / "fixtures"
    (root / "users").mkdir(parents=True)
    (root / "todo.txt").write_text("- groceries")
    app = Express()
    app.use(static(root, fallthrough=False))
    assert (await ask(app, "/todo.txt")).status == 200
    for target in ("/users/../../fixtures/todo.txt", "/users/%2e%2e/%2e%2e/todo.txt"):
        assert (await ask(app, target)).status == 403


async def test_without_an_index_a_mount_point_is_redirected_all_the_same(tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text("home")
    app = Express()
    app.use("/static", static(tmp_path, index=False))
    answer = await ask(app, "/static")
    assert (answer.status, answer.headers["location"]) == (301, "/static/")
    assert (await ask(app, "/static/")).status == 404
