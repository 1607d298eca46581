"""Registration, precedence, methods, and what happens where no action is for a path."""

from __future__ import annotations

from typing import Any, cast

import pytest

from asgi_express import Express, MisuseError, PathError, Router
from asgi_express.actions import PASS_ON, Actions, respond_to
from tests.asgi import Socket, ask


def says(text: str) -> Any:
    return lambda self: text


def params(self: Any) -> Any:
    return {"json": self.params}


async def test_an_action_is_registered_with_or_without_a_name_by_a_call_or_a_decorator() -> None:
    app = Actions()
    assert app.match("/a", params) is params
    app.match("b", "/b", says("b"))

    @app.match("/c")
    def c(self: Any) -> str:
        return "c"

    @app.match("d", "/d")
    async def d(self: Any) -> str:
        return f"{self.route_name} {self.route_pattern}"

    app.match("/e/:x", says("e"), name="e", meta={"role": "admin"})
    assert [(await ask(app, path)).text for path in ("/a", "/b", "/c", "/d", "/e/1")] == ["{}", "b", "c", "d /d", "e"]
    assert (c.__name__, app.url_for("e", x=1)) == ("c", "/e/1")
    assert [info.meta for info in app.routes() if info.name == "e"] == [{"role": "admin"}]


@pytest.mark.parametrize(
    "args", [("name", params), ("/a", "/b", params), ("a", "b", params), ("/a", params, params), ("/a", 7), (params,)]
)
def test_other_arguments_are_refused_with_words(args: tuple[Any, ...]) -> None:
    with pytest.raises(TypeError, match=r"registered as \(\[name\], path, action\)"):
        Actions().match(*args)


def test_a_path_that_is_not_in_the_grammar_is_refused_when_it_is_registered() -> None:
    with pytest.raises(PathError):
        Actions().match("/(", params)


def test_a_path_or_a_name_that_is_taken_is_refused() -> None:
    app = Actions()
    app.match("user", "/users/:id", params)
    with pytest.raises(MisuseError, match=r"the path '/users/:id' is taken by .*params"):
        app.match("/users/:id", params)
    with pytest.raises(MisuseError, match="the name 'user' is taken by"):
        app.match("user", "/other", params)
    with pytest.raises(MisuseError, match="the path '/users/:id' is taken"):
        app.get("/users/:id", params)


@pytest.mark.parametrize("backwards", [False, True])
async def test_the_path_with_the_fewest_captures_wins_whatever_the_order(backwards: bool) -> None:
    paths = ["/test/me", "/test(/:game)", "/:a/:b", "/test/*", "/:a/*"]
    app = Actions()
    for path in paths[:: -1 if backwards else 1]:
        app.match(path, says(path))
    targets = ["/test/me", "/test/chess", "/x/y", "/test/a/b", "/x/y/z"]
    assert [(await ask(app, target)).text for target in targets] == paths


async def test_of_equal_precedence_the_first_wins() -> None:
    app = Actions()
    app.match("/:a", says("first"))
    app.match("/:b", says("second"))
    assert (await ask(app, "/x")).text == "first"


async def test_several_methods_of_a_path_are_one_route() -> None:
    app = Actions()
    app.get("note", "/notes/:id", says("shown"), meta={"a": 1})
    app.post("note", "/notes/:id", says("updated"), meta={"b": 2})
    app.put("/notes/:id", name="note")(says("put"))
    app.patch("note", "/notes/:id", says("patched"))
    app.delete("note", "/notes/:id", says("deleted"))
    answers = [(await ask(app, "/notes/1", method)).text for method in ("GET", "POST", "PUT", "PATCH", "DELETE")]
    assert answers == ["shown", "updated", "put", "patched", "deleted"]
    app.match("/allowed", lambda self: {"json": [self.req.route.allowed, self.req.route.serves("POST")]})
    assert (await ask(app, "/allowed")).json == [[], True]
    _, info = app.routes()
    assert (info.methods, info.meta) == (("GET", "POST", "PUT", "PATCH", "DELETE"), {"a": 1, "b": 2})
    with pytest.raises(MisuseError, match="GET '/notes/:id' is taken by"):
        app.get("note", "/notes/:id", params)
    with pytest.raises(MisuseError, match="has the name 'note'; GET is to have the same, not None"):
        app.get("/notes/:id", params)


async def test_head_is_get_without_the_body_and_other_methods_are_405_with_allow() -> None:
    app = Actions()
    app.get("/x", lambda self: ("text", {"headers": {"X-A": "1"}}))
    app.post("/x", says("posted"))
    head = await ask(app, "/x", "HEAD")
    assert (head.status, head.body, head.headers["content-length"], head.headers["x-a"]) == (200, b"", "4", "1")
    put = await ask(app, "/x", "PUT")
    assert (put.status, put.headers["allow"]) == (405, "GET, HEAD, POST")
    options = await ask(app, "/x", "OPTIONS")
    assert (options.status, options.headers["allow"]) == (204, "GET, HEAD, POST")


async def test_respond_to_answers_by_method() -> None:
    def check(self: Any) -> None:
        if self.params.get("stop"):
            self.write("stopped")

    app = Actions()
    app.match("/x", respond_to(GET=says("got"), POST=params, before=check))
    app.match("/y", respond_to({"GET": says("got")}, HEAD=False))
    app.match("/z", respond_to(HEAD=says("head"), on_invalid_method=lambda self: {"status": 418}))
    app.match("/none", respond_to())
    app.match("/allowed", respond_to(GET=lambda self: {"json": self.req.route.allowed}, PUT=params))
    assert (await ask(app, "/allowed")).json == ["GET", "PUT", "HEAD"]
    assert (await ask(app, "/x?a=1", "POST")).json == {"a": "1"}
    assert (await ask(app, "/x?stop")).text == "stopped"
    assert (await ask(app, "/x", "HEAD")).status == 200
    assert [(await ask(app, "/y", method)).status for method in ("GET", "HEAD")] == [200, 405]
    assert [(await ask(app, "/z", method)).status for method in ("GET", "HEAD")] == [418, 200]
    assert (await ask(app, "/none")).status == 405
    assert [info.methods for info in app.routes()] == [("GET", "POST"), ("GET",), ("HEAD",), (), ("GET", "PUT")]


@pytest.mark.parametrize("methods", [{"get": params}, {"GET": "text"}, {"POST": False}])
def test_respond_to_refuses_what_is_no_action_by_method(methods: dict[str, Any]) -> None:
    with pytest.raises(TypeError, match="expected an action by method, as in GET=show, got"):
        respond_to(methods)


# -- default_route, handle_404


SLASHES = [
    ("/hello/", "/hello"),
    ("/hello///", "/hello"),
    ("/a/b/?x=1&y", "/a/b?x=1&y"),
    ("/nowhere/", "/nowhere"),
    ("//evil.example/", "/evil.example"),
    ("///evil.example//", "/evil.example"),
    ("/\\evil.example/", "/%5Cevil.example"),
    ("/a%20b/", "/a%20b"),
    ("//", "/"),
]


@pytest.mark.parametrize(("target", "location"), SLASHES)
async def test_a_trailing_slash_is_redirected_to_the_path_without_it(target: str, location: str) -> None:
    app = Actions()
    app.match("/hello", says("hello"))
    got = await ask(app, target)
    assert (got.status, got.headers["location"]) == (301, location)
    assert (await ask(Express().use("/m", app), "/m" + target)).headers["location"].startswith("/m")


async def test_a_redirect_of_another_method_keeps_the_method() -> None:
    assert [(await ask(Actions(), "/x/", method)).status for method in ("HEAD", "POST", "PUT")] == [301, 308, 308]


async def test_what_no_action_is_for_is_404() -> None:
    assert [(await ask(Actions(), path)).status for path in ("/", "/x")] == [404, 404]


async def test_default_route_and_handle_404_can_be_replaced() -> None:
    seen: list[str] = []
    app = Actions(layout=says("the layout"))

    def default_route(self: Any) -> Any:
        seen.append(self.req.parsed_url.path)
        return Actions.default_route(self)

    app.default_route = default_route
    app.handle_404 = lambda self: ({"status": 404, "layout": False}, "Not Found!")
    got = await ask(app, "/nowhere")
    assert (got.status, got.text) == (404, "Not Found!")
    assert (await ask(app, "/nowhere/")).status == 301
    assert seen == ["/nowhere", "/nowhere/"]


async def test_filters_run_for_default_route_too() -> None:
    app = Actions()
    app.before_filter(lambda self: self.write(f"filtered {self.route_name}"))
    assert (await ask(app, "/nowhere")).text == "filtered default_route"


async def test_what_the_app_does_not_answer_goes_on_in_the_router_around() -> None:
    app = Actions()
    app.match("/own", says("own"))
    app.match("/left", lambda self: PASS_ON)
    outer = Express().use(app).get("/left", lambda: "the router").get("/next", lambda: "next")
    assert [(await ask(outer, path)).text for path in ("/own", "/left", "/next")] == ["own", "the router", "next"]
    assert (await ask(outer, "/nowhere")).status == 404
    assert repr(PASS_ON) == "PASS_ON"


async def test_a_form_that_no_action_is_for_is_left_to_whom_it_is_for() -> None:
    app = Actions()
    app.before_filter(lambda self: None)
    outer = Express().use(app)

    @outer.post("/upload")
    async def upload(req: Any) -> str:
        return b"".join([piece async for piece in req.stream()]).decode()

    headers = {"content-type": "multipart/form-data; boundary=b"}
    assert (await ask(outer, "/upload", "POST", headers=headers, body=b"--b--")).text == "--b--"


async def test_default_route_may_read_the_form_itself() -> None:
    async def default_route(self: Any) -> Any:
        await self.req.read_form()
        return {"json": [self.params, self.req.params_post]}

    app = Actions()
    app.default_route = default_route
    headers = {"content-type": "application/x-www-form-urlencoded"}
    assert (await ask(app, "/x?q=1", "POST", headers=headers, body=b"a=1")).json == [{"q": "1"}, {"a": "1"}]


# -- an Actions app is a router


async def test_what_a_router_can_do_stands_before_the_actions_and_error_handlers_after() -> None:
    app = Actions()

    def fail(self: Any) -> Any:
        raise ValueError(self.params["x"])

    app.use(lambda err, req, res, next: res.status(500).send(f"caught {err}"))
    app.match("/:x", fail)
    app.match("/plain", says("an action"))
    app.use("/early", lambda req: "early")
    app.mount("/sub", Router().get("/y", lambda: "y"))
    app.route("/express/:id").get(lambda req: req.params["id"])
    assert (await ask(app, "/boom")).text == "caught boom"
    texts = [(await ask(app, path)).text for path in ("/plain", "/early", "/sub/y", "/express/7")]
    assert texts == ["an action", "early", "y", "7"]


async def test_websockets_pass_the_actions_by() -> None:
    app = Actions()
    app.match("/:any", says("an action"))

    async def accept(ws: Any) -> None:
        await ws.accept()

    app.ws("/chat", accept)
    assert (await Socket().connect(app, "/chat")).types[0] == "websocket.accept"
    after = Express().use(app).ws("/later", accept)
    assert (await Socket().connect(after, "/later")).types[0] == "websocket.accept"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"session": {"idle": 60}}, "take a secret"),
        ({"redirect_hosts": "example.org"}, "redirect_hosts is a list"),
        ({"redirect_hosts": 7}, "redirect_hosts is a list"),
        ({"redirect_hosts": [7]}, "redirect_hosts is a list"),
        ({"layout": True}, "layout is the name of a view"),
        ({"flows": 7}, "flows are classes by name, or a package"),
        ({"flows": {"accounts": dict}}, "flows are classes by name, or a package"),
    ],
)
def test_wrong_options_are_refused_with_words(options: dict[str, Any], words: str) -> None:
    with pytest.raises(TypeError, match=words):
        Actions(**options)


@pytest.mark.parametrize("host", ["https://example.org", "example.org/path", "user@example.org", ""])
def test_a_redirect_host_that_could_never_match_is_refused(host: str) -> None:
    with pytest.raises(ValueError, match="redirect_hosts are hosts"):
        Actions(redirect_hosts=["example.com:8443", host])


def test_a_short_secret_is_refused() -> None:
    with pytest.raises(ValueError, match="16 characters"):
        Actions(secret="short")


async def test_callables_of_every_kind_are_actions() -> None:
    class Callable:
        def __call__(self, request: Any) -> str:
            return "an object"

    app = Actions()
    app.match("/x", Callable())
    assert (await ask(app, "/x")).text == "an object"
    (info,) = app.routes()
    assert info.handlers == (f"{__name__}.{Callable.__qualname__}",)
    with pytest.raises(TypeError, match="expected a function of the request object"):
        app.before_filter(cast("Any", 7))
