"""Registration, mounting, post-match handlers, WebSockets and the record of the match.

How requests are matched and dispatched is replayed from the real Express in ``conformance``.
"""

from __future__ import annotations

import re
from typing import Any

import pytest
from starlette.responses import PlainTextResponse

from asgi_express import Express, MisuseError, PathError, RouteMatch, Router, next_app
from asgi_express._verbs import METHODS
from tests.asgi import Socket, ask


def sends(text: str) -> Any:
    return lambda req, res: res.send(text)


# -- registration


@pytest.mark.parametrize("method", METHODS)
async def test_there_is_a_registration_method_for_every_http_method(method: str) -> None:
    router = Router()
    name = method.lower().replace("-", "_")
    assert getattr(router, name)("/x", lambda req: req.method) is router
    assert getattr(router.route("/y"), name)(lambda req: req.method).methods == (method,)
    for path in ("/x", "/y"):
        assert (await ask(router, path, method)).status == 200
        other = "PUT" if method == "POST" else "POST"
        assert (await ask(router, path, other)).status == 404


async def test_the_decorator_and_the_call_are_the_same_registration() -> None:
    router = Router()

    @router.get("/a", name="a", meta={"public": True})
    def a(req: Any, res: Any) -> None:
        res.send("a")

    @router.route("/b").get()
    def b(req: Any, res: Any) -> None:
        res.send("b")

    @router.all("/c")
    def c(req: Any, res: Any) -> None:
        res.send(req.method)

    @router.use("/d")
    def d(req: Any, res: Any) -> None:
        res.send("d")

    @router.param("id")
    def double(req: Any, res: Any, next: Any, value: str, name: str) -> None:
        req.params[name] = value * 2
        next()

    @router.post_match()
    def guard(req: Any, res: Any, next: Any) -> None:
        res.set("X-Guard", "1")
        next()

    @router.get("/id/:id")
    def show(req: Any) -> Any:
        return req.params["id"]

    @router.use()
    def last(req: Any, res: Any) -> None:
        res.send("last")

    assert all(map(callable, (a, b, c, d, double, last)))
    answers = [(await ask(router, path)).text for path in ("/a", "/b", "/c", "/d/x", "/id/7", "/zzz")]
    assert answers == ["a", "b", "GET", "d", "77", "last"]
    assert (await ask(router, "/a")).headers["x-guard"] == "1"
    assert callable(guard)
    assert callable(show)


ENDLESS: list[Any] = []
ENDLESS.append(ENDLESS)

REFUSED: list[tuple[str, Any, type[Exception], str]] = [
    ("a number", lambda r: r.use(1), TypeError, "must be a function, got 1"),
    ("None", lambda r: r.use("/x", None), TypeError, "must be a function, got None"),
    ("an empty list", lambda r: r.use([]), TypeError, "use() requires a handler function"),
    ("an empty list for a path", lambda r: r.use("/x", []), TypeError, "use() requires a handler function"),
    ("an empty list for a route", lambda r: r.get("/x", []), TypeError, "get() requires a handler function"),
    ("a class", lambda r: r.use(PlainTextResponse), TypeError, "is a class; pass an instance"),
    ("five parameters", lambda r: r.get("/x", lambda a, b, c, d, e: 0), TypeError, "takes 5 positional parameters"),
    ("a keyword", lambda r: r.get("/x", lambda req, *, k: 0), TypeError, "keyword-only parameter 'k'"),
    ("no ASGI app", lambda r: r.mount("/x", lambda a: 0), TypeError, "neither a handler function nor an ASGI app"),
    ("no app at all", lambda r: r.mount("/x", 5), TypeError, "expected an ASGI app, got 5"),
    ("a path with a modifier", lambda r: r.get("/x?", sends("x")), PathError, "Unexpected ?"),
    ("a path that is a number", lambda r: r.route(5), TypeError, "5"),
    ("a param without a name", lambda r: r.param("", sends("x")), TypeError, "name of a parameter"),
    ("a param that is a number", lambda r: r.param(5, sends("x")), TypeError, "name of a parameter"),
    ("a param callback of two", lambda r: r.param("id", sends("x")), TypeError, "(req, res, next, value, name)"),
    ("an app as a param callback", lambda r: r.param("id", Router()), TypeError, "(req, res, next, value, name)"),
    ("a WebSocket handler of none", lambda r: r.ws("/x", lambda: 0), TypeError, "takes 0 positional parameters"),
    ("an empty list of them", lambda r: r.ws("/x", []), TypeError, "requires a handler function"),
    ("a list in itself", lambda r: r.use(ENDLESS), TypeError, "a list of handlers contains itself"),
    ("itself", lambda r: r.use(r), TypeError, "cannot be mounted below itself"),
]


@pytest.mark.parametrize(("register", "error", "words"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_a_wrong_registration_is_refused_with_words_and_leaves_nothing_behind(
    register: Any, error: type[Exception], words: str
) -> None:
    router = Router()
    with pytest.raises(error, match=re.escape(words) if words else None):
        register(router)
    assert router.stack == []


def test_a_cycle_through_other_routers_is_refused() -> None:
    a, b, c = Router(), Router(), Router()
    a.use("/b", b)
    b.use("/c", c)
    with pytest.raises(TypeError, match="below itself"):
        c.use("/a", a)


def test_a_camel_case_name_says_the_snake_case_one() -> None:
    router: Any = Router()
    with pytest.raises(AttributeError, match="'post_match'"):
        _ = router.postMatch
    with pytest.raises(AttributeError, match="'merge_params'"):
        router.mergeParams = True


# -- mounting


async def test_a_router_is_mounted_with_mount_or_use_and_falls_through() -> None:
    inner = Router()
    inner.get("/a", sends("a"))
    app = Router()
    app.mount("/x", inner)
    app.use(sends("outside"))
    assert (await ask(app, "/x/a")).text == "a"
    assert (await ask(app, "/x/b")).text == "outside"


async def test_a_mounted_app_answers_everything_below_its_path() -> None:
    async def shows(scope: Any, receive: Any, send: Any) -> None:
        text = f"{scope['root_path']} {scope['path']} {scope['raw_path'].decode()} {scope['query_string'].decode()}"
        await PlainTextResponse(text)(scope, receive, send)

    app = Router()
    inner = Router()
    app.use("/out/:id", inner)
    inner.mount("/in", shows)
    app.use(sends("outside"))
    assert (await ask(app, "/out/1/in/x%2Fy?q=1")).text == "/out/1/in /out/1/in/x/y /out/1/in/x%2Fy q=1"
    assert (await ask(app, "/out/1/in")).text == "/out/1/in /out/1/in/ /out/1/in/ "
    assert (await ask(app, "/out/1/inner")).text == "outside"


async def test_a_mounted_app_cannot_reach_the_walk_around_it() -> None:
    app = Router()
    app.mount("/x", next_app)
    app.use(sends("outside"))
    assert (await ask(app, "/x")).status == 500


async def test_a_mounted_app_sees_a_method_that_was_rewritten() -> None:
    app = Router()
    app.use(lambda req, res, next: (setattr(req, "method", "PUT"), next())[1])

    async def shows(scope: Any, receive: Any, send: Any) -> None:
        await PlainTextResponse(scope["method"])(scope, receive, send)

    app.mount("/", shows)
    assert (await ask(app, "/", "POST")).text == "PUT"


async def test_a_router_may_be_a_handler_of_a_route_without_trimming() -> None:
    inner = Router()
    inner.get("/a/:id", lambda req: [req.base_url, req.params])
    app = Router()
    app.get("/a/*rest", inner)
    app.use(sends("outside"))
    assert (await ask(app, "/a/1")).json == ["", {"id": "1"}]
    assert (await ask(app, "/a/1/2")).text == "outside"


# -- post-match


async def test_post_match_runs_for_matched_routes_only_outermost_first_whenever_it_was_added() -> None:
    order: list[str] = []

    def notes(word: str) -> Any:
        return lambda req, res, next: (order.append(f"{word} {req.route and req.route.path}"), next())[1]

    outer, inner = Router(), Router()
    outer.get("/before", sends("x"))
    outer.use("/in", inner)
    inner.get("/:id", sends("x"))
    inner.post_match(notes("inner"))
    outer.post_match(notes("outer"), [notes("second")])
    await ask(outer, "/before")
    await ask(outer, "/none")
    await ask(outer, "/before", "OPTIONS")
    await ask(outer, "/in/1")
    assert order == ["outer /before", "second /before", "outer /:id", "second /:id", "inner /:id"]


async def test_post_match_may_refuse_and_its_route_signal_leaves_the_route() -> None:
    router = Router()
    router.post_match(
        lambda req, res, next: next("route") if req.get("X-Skip") else res.status(403).send(req.route.name)
    )
    router.get("/a", sends("secret"), name="a")
    router.use(sends("outside"))
    refused = await ask(router, "/a")
    assert (refused.status, refused.text) == (403, "a")
    assert (await ask(router, "/a", headers={"X-Skip": "1"})).text == "outside"


@pytest.mark.parametrize("method", ["WEBSOCKET", "websocket"])
async def test_no_request_gets_to_a_websocket_handler_by_its_method(method: str) -> None:
    router = Router()

    @router.ws("/ws")
    async def talk(ws: Any) -> None:
        raise AssertionError

    router.all("/x", lambda req, res: res.send("x"))
    assert [(await ask(router, path, method)).status for path in ("/ws", "/x")] == [400, 400]


async def test_post_match_covers_mounted_apps_websockets_and_each_route_that_is_tried() -> None:
    order: list[str] = []
    router = Router()
    router.post_match(lambda req, res, next: (order.append(req.original_url), next())[1])
    router.mount("/app", PlainTextResponse("app"))
    router.get("/two", lambda req, res, next: next())
    router.get("/two", sends("two"))

    @router.ws("/ws")
    async def talk(ws: Any) -> None:
        await ws.accept()

    assert (await ask(router, "/app/x")).text == "app"
    assert (await ask(router, "/two")).text == "two"
    await Socket().connect(router, "/ws")
    assert order == ["/app/x", "/two", "/two", "/ws"]


async def test_post_match_does_not_run_for_head_on_a_route_that_has_no_get() -> None:
    router = Router()
    ran: list[int] = []
    router.post_match(lambda req, res, next: (ran.append(1), next())[1])
    router.post("/x", sends("x"))
    assert (await ask(router, "/x", "HEAD")).status == 404
    assert ran == []


# -- the record


async def test_the_record_of_the_match_is_in_the_scope() -> None:
    inner = Router()

    def show(req: Any, res: Any) -> None:
        scope = req.scope
        match = scope["asgi_express.match"]
        assert isinstance(match, RouteMatch)
        assert scope["route"] is match.route is req.route
        assert scope["endpoint"] is match.endpoint is show
        res.json([match.template, match.name, match.methods, dict(match.meta), scope["path_params"]])

    inner.get("/:id/*rest", show, name="show", meta={"public": True})
    outer = Router()
    outer.use("/users", inner)
    answer = await ask(outer, "/host/users/7/a/b", root_path="/host", path_params={"tenant": "t"})
    assert answer.json == [
        "/host/users/:id/*rest",
        "show",
        ["GET"],
        {"public": True},
        {"tenant": "t", "id": "7", "rest": ["a", "b"]},
    ]


async def test_the_record_knows_its_path_without_what_a_server_has_taken_off() -> None:
    inner, seen = Router(), []

    def show(req: Any, res: Any) -> None:
        seen.append((req.scope["asgi_express.match"].template, req.scope["asgi_express.match"].local))
        res.end()

    await ask(Router().use("/users/", inner.get("/:id", show)), "/tenant%207/users/7", root_path="/tenant 7")
    assert seen == [("/tenant%207/users/:id", "/users/:id")]


async def test_the_host_sees_the_record_even_if_a_middleware_copied_the_scope() -> None:
    class Copies:
        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
            await next_app(dict(scope), receive, send)

    router = Router()
    router.use(Copies())
    router.get(re.compile("^/r(x+)$"), sends("x"))
    seen: dict[str, Any] = {}

    async def host(scope: Any, receive: Any, send: Any) -> None:
        await router(scope, receive, send)
        seen.update(scope)

    await ask(host, "/rxx")
    assert seen["asgi_express.match"].template == "^/r(x+)$"
    assert seen["path_params"] == {"0": "xx"}


async def test_the_parameters_of_the_host_are_merged_in_if_the_router_asks_for_it() -> None:
    for merge, expected in ((True, {"tenant": "t", "id": "7"}), (False, {"id": "7"})):
        router = Router(merge_params=merge)
        router.get("/:id", lambda req: req.params)
        assert (await ask(router, "/7", path_params={"tenant": "t"})).json == expected


def test_a_route_tells_what_it_is() -> None:
    router = Router()
    route = router.route("/x", name="x", meta={"a": 1}).get(sends("x")).all(sends("y"))
    assert (route.path, route.name, route.meta, route.methods) == ("/x", "x", {"a": 1}, ("GET", "*"))
    assert repr(route) == "<Route GET|* '/x'>"
    empty = Router().route("/y")
    assert repr(empty) == "<Route without handlers '/y'>"
    assert empty.endpoint is None


async def test_methods_that_clients_invent_do_not_fill_the_memory() -> None:
    router = Router()
    route = router.route("/x").all(sends("x"))
    for number in range(1000):
        assert (await ask(router, "/x", f"M{number}")).status == 200
    assert len(route._by_method) == 0


# -- WebSockets


async def test_a_websocket_route_has_params_and_closes_when_its_handler_returns() -> None:
    router = Router()

    @router.ws("/rooms/:room", name="room")
    async def talk(ws: Any, req: Any) -> None:
        await ws.accept()
        await ws.send_text(f"{req.params['room']} {ws.path_params['room']} {req.route.name} {await ws.receive_text()}")

    socket = await Socket({"type": "websocket.receive", "text": "hi"}).connect(router, "/rooms/blue")
    assert socket.types == ["websocket.accept", "websocket.send", "websocket.close"]
    assert socket.sent[1]["text"] == "blue blue room hi"
    assert socket.sent[2]["code"] == 1000


async def test_websocket_handlers_chain_and_http_routes_do_not_match() -> None:
    router = Router()
    order: list[str] = []
    router.all("/ws", lambda req, res: order.append("all"))
    router.get("/ws", lambda req, res: order.append("get"))
    router.use(lambda req, res, next: (order.append("use"), next())[1])

    async def talk(ws: Any) -> None:
        order.append("talk")
        await ws.accept()
        await ws.close(4000)

    router.ws("/ws", lambda ws, req, next: (order.append("first"), next())[1], [talk])
    socket = await Socket().connect(router, "/ws")
    assert order == ["use", "first", "talk"]
    assert [message.get("code") for message in socket.sent] == [None, 4000]


@pytest.mark.parametrize("denial", [True, False])
async def test_a_handshake_is_refused_with_an_answer_where_the_server_can_give_one(denial: bool) -> None:
    router = Router()
    router.use("/private", lambda req, res: res.status(401).set("X-Why", "token").json({"error": "no"}))

    @router.ws("/private")
    async def talk(ws: Any) -> None:
        raise AssertionError

    for path, status in (("/private", 401), ("/nowhere", 404)):
        socket = await Socket().connect(router, path, denial=denial)
        if denial:
            assert socket.types == ["websocket.http.response.start", "websocket.http.response.body"]
            assert socket.sent[0]["status"] == status
        else:
            assert socket.types == ["websocket.close"]


async def test_a_client_that_leaves_ends_the_handler_in_peace(caplog: pytest.LogCaptureFixture) -> None:
    router = Router()

    @router.ws("/ws")
    async def talk(ws: Any) -> None:
        await ws.accept()
        await ws.receive_text()

    @router.ws("/iter")
    async def listen(ws: Any) -> None:
        await ws.accept()
        async for _ in ws.iter_text():
            pass

    for path in ("/ws", "/iter"):
        socket = await Socket({"type": "websocket.disconnect", "code": 1001}).connect(router, path)
        assert socket.types == ["websocket.accept"]
    assert caplog.text == ""


async def test_an_error_after_the_handshake_closes_with_1011(caplog: pytest.LogCaptureFixture) -> None:
    router = Router()

    @router.ws("/ws")
    async def talk(ws: Any) -> None:
        await ws.accept()
        raise ValueError("broken talk")

    socket = await Socket().connect(router, "/ws")
    assert socket.sent[-1]["code"] == 1011
    assert "broken talk" in caplog.text


async def test_a_websocket_handler_that_does_not_accept_is_an_error(caplog: pytest.LogCaptureFixture) -> None:
    router = Router()
    router.ws("/ws", lambda ws: None)
    socket = await Socket().connect(router, "/ws", denial=True)
    assert socket.sent[0]["status"] == 500
    assert "returned without an answer" in caplog.text


async def test_an_asgi_app_may_serve_a_websocket_and_its_errors_reach_the_server() -> None:
    class Talks:
        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
            await receive()
            await send({"type": "websocket.accept"})
            if scope["path"].endswith("broken"):
                raise ValueError("broken app")

    router = Router()
    router.ws("/ws{/:how}", Talks())
    router.mount("/app", Talks())
    for path in ("/ws", "/app/x"):
        assert (await Socket().connect(router, path)).types == ["websocket.accept"]
    with pytest.raises(ValueError, match="broken app"):
        await Socket().connect(router, "/ws/broken")


# -- scopes


async def test_a_scope_of_another_type_is_refused() -> None:
    with pytest.raises(MisuseError, match="'telepathy'"):
        await ask(Router(), type="telepathy")


async def test_a_request_target_that_is_no_path_matches_only_what_is_everywhere() -> None:
    router = Router()
    router.get("/", sends("root"))
    assert (await ask(router, "*", "OPTIONS")).status == 404
    router.use(lambda req: req.url)
    assert (await ask(router, "*", "OPTIONS")).text == "*"


async def test_a_nested_application_is_req_app_inside_and_the_outer_one_outside() -> None:
    outer, inner = Express(), Express()
    inner.use(lambda req, res, next: (res.set("X-Inner", str(req.app is inner and res.app is inner)), next())[1])
    outer.use("/in", inner)
    outer.use(lambda req, res: res.send(str(req.app is outer and res.app is outer)))
    answer = await ask(outer, "/in/x")
    assert (answer.headers["x-inner"], answer.text) == ("True", "True")


def test_the_index_of_a_router_is_made_anew_only_when_the_stack_has_grown() -> None:
    router = Router()
    router.get("/", lambda: "one")
    index = router.index
    assert router.index is index
    router.get("/two", lambda: "two")
    assert (router.index is index, router.index.size) == (False, 2)
