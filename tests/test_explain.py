"""What is explained is what happens: the same layers, in the same order, with the same parameters."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asgi_express import Express, Router, next_app
from asgi_express._explain import Explanation, Step
from asgi_express.middleware import CORS, EndpointFirewall, RealIP, TokenAuth
from asgi_express.security import Actor, Condition, Policy, TokenStore
from asgi_express.security import Scope as Scoped
from asgi_express.static import static
from asgi_express.stores import MemoryStore
from tests.asgi import ask

CALLED = ("handler", "middleware", "guard", "param", "error", "app")


def ran(explanation: Explanation) -> list[str]:
    return [step.name.rpartition(".")[2] for step in explanation.steps if step.kind in CALLED]


# -- the property

PATHS = ["/", "/a", "/a/b", "/:p", "/:p/b", "/{p}", "/*w", "/a{/:q}", "/b/:n", "/{r...}", ["/a", "/b"]]
TARGETS = ["/", "/a", "/a/b", "/b/7", "/a/b/c", "/b/%E0%A4", "/%61/b", "//a", "/x/y/z", "/a/a/a", "/a/"]
METHODS = ["GET", "POST", "HEAD", "OPTIONS"]

paths = st.sampled_from(PATHS)
leaves = st.one_of(
    st.tuples(st.just("middleware"), paths),
    st.tuples(st.just("ends"), paths),
    st.tuples(st.just("asgi"), paths),
    st.tuples(st.just("app"), paths),
    st.tuples(st.just("error"), paths),
    st.tuples(st.just("param"), st.sampled_from("pqnr")),
    st.tuples(st.just("guard"), st.booleans()),
    st.tuples(st.just("route"), paths, st.sampled_from(["get", "post", "all"]), st.integers(1, 3), st.booleans()),
)


def trees_of(*routers: str) -> st.SearchStrategy[list[Any]]:
    """Return trees with these kinds of routers in them."""
    return st.recursive(
        st.lists(leaves, max_size=7),
        lambda below: st.lists(st.one_of(leaves, st.tuples(st.sampled_from(routers), paths, below)), max_size=7),
        max_leaves=40,
    )


trees = trees_of("router", "express", "inline", "wrapped")
requests = st.lists(st.tuples(st.sampled_from(METHODS), st.sampled_from(TARGETS)), min_size=4, max_size=8)


class Through:
    """An ASGI middleware that notes that it ran."""

    def __init__(self, app: Any, note: Callable[[], None]) -> None:
        self.app = app
        self.note = note

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            self.note()
        await self.app(scope, receive, send)


class Stack:
    """A tree of routers whose callables note that they ran."""

    def __init__(self) -> None:
        self.seen: list[str] = []
        self._count = 0

    def _named(self, fn: Any) -> Any:
        fn.__qualname__ = fn.__name__ = f"f{self._count}"
        return fn

    def noting(self) -> tuple[str, Callable[[], None]]:
        self._count += 1
        name = f"f{self._count}"
        return name, lambda: self.seen.append(name)

    def passing(self) -> Any:
        _, note = self.noting()
        return self._named(lambda req, res, next: (note(), next())[1])

    def ending(self) -> Any:
        _, note = self.noting()
        return self._named(lambda req, res: (note(), res.send("end"))[1])

    def failing(self) -> Any:
        _, note = self.noting()
        return self._named(lambda err, req, res, next: (note(), next(err))[1])

    def watching(self) -> Any:
        _, note = self.noting()
        return self._named(lambda req, res, next, value, name: (note(), next())[1])

    def through(self, app: Any) -> Any:
        name, note = self.noting()
        return type(name, (Through,), {})(app, note)

    def fill(self, router: Any, items: list[Any]) -> Any:
        for kind, at, *rest in items:
            getattr(self, f"_{kind}")(router, at, *rest)
        return router

    def _middleware(self, router: Any, path: Any) -> None:
        router.use(path, self.passing())

    def _ends(self, router: Any, path: Any) -> None:
        router.use(path, self.ending())

    def _asgi(self, router: Any, path: Any) -> None:
        router.use(path, self.through(next_app))

    def _app(self, router: Any, path: Any) -> None:
        router.mount(path, self.through(Express().use(lambda req, res: res.send("app"))))

    def _error(self, router: Any, path: Any) -> None:
        router.use(path, self.failing())

    def _param(self, router: Any, name: str) -> None:
        router.param(name, self.watching())

    def _guard(self, router: Any, is_asgi: bool) -> None:
        router.post_match(self.through(next_app) if is_asgi else self.passing())

    def _route(self, router: Any, path: Any, method: str, count: int, ends: bool) -> None:
        last = self.ending() if ends else self.passing()
        getattr(router, method)(path, *[self.passing() for _ in range(count - 1)], last)

    def _router(self, router: Any, path: Any, items: list[Any]) -> None:
        router.use(path, self.fill(Router(merge_params=True), items))

    def _express(self, router: Any, path: Any, items: list[Any]) -> None:
        router.use(path, self.fill(Express(), items))

    def _inline(self, router: Any, path: Any, items: list[Any]) -> None:
        router.all(path, self.fill(Router(), items))

    def _wrapped(self, router: Any, path: Any, items: list[Any]) -> None:
        router.use(path, self.through(self.fill(Router(), items)))


@settings(max_examples=400, deadline=None)
@given(trees, st.lists(st.tuples(st.sampled_from(METHODS), st.sampled_from(TARGETS)), min_size=4, max_size=8))
async def test_what_is_explained_is_what_runs_on_any_stack(items: list[Any], requests: list[tuple[str, str]]) -> None:
    stack = Stack()
    app = stack.fill(Express(), items)
    for method, target in requests:
        stack.seen.clear()
        explanation = await app.explain(method, target)
        assert stack.seen == []  # nothing ran
        answer = await ask(app, target, method)
        assert ran(explanation) == stack.seen, (method, target, str(explanation))
        if explanation.status is not None:
            assert answer.status == explanation.status
        json.dumps(explanation.to_dict())


# -- what is told


def show(req: Any, res: Any) -> None:
    res.json(req.params)


def outcomes(explanation: Explanation) -> list[tuple[str, str, str]]:
    return [(step.kind, step.path, step.outcome) for step in explanation.steps]


async def test_each_layer_is_told_with_its_place_and_what_it_would_do() -> None:
    app = Express()
    app.use(CORS())
    users = Router()
    users.param("id", lambda req, res, next, value, name: next())
    users.post("/:id", show)
    users.get("/:id", lambda req, res, next: next(), show, name="user")
    app.use("/users", users)
    explanation = await app.explain("get", "/users/7?x=1")
    assert outcomes(explanation) == [
        ("router", "/", "enters"),
        ("middleware", "/", "may answer"),
        ("router", "/users", "enters"),
        ("route", "/users/:id", "other method"),
        ("param", "/users/:id", "may answer"),
        ("route", "/users/:id", "matches"),
        ("handler", "/users/:id", "may answer"),
        ("handler", "/users/:id", "answers"),
    ]
    assert [step.depth for step in explanation.steps] == [0, 1, 1, 2, 2, 2, 2, 2]
    assert explanation.route is not None
    assert (explanation.route.name, explanation.route.methods) == ("user", ("GET",))
    assert explanation.route.params == {"id": "7"}
    assert explanation.status is None
    assert explanation.end == "tests.test_explain.show answers"
    lines = str(explanation).splitlines()
    assert lines[0] == "GET /users/7?x=1"
    assert lines[6] == "      route user /users/:id: matches"
    assert lines[-1] == "  tests.test_explain.show answers"


async def test_a_path_that_is_there_for_other_methods_only_says_for_which() -> None:
    app = Express()
    app.post("/a", show).put("/a", show)
    explanation = await app.explain("GET", "/a")
    assert (explanation.status, explanation.route) == (404, None)
    assert explanation.end == "404 Not Found: nothing answers; the path is there for POST, PUT"
    assert (await app.explain("HEAD", "/a")).end == explanation.end
    assert (await app.explain("GET", "/b")).end == "404 Not Found: nothing answers"


async def test_options_is_answered_by_the_router() -> None:
    app = Express()
    app.get("/a", show)
    explanation = await app.explain("OPTIONS", "/a")
    assert (explanation.status, explanation.end) == (200, "200 OK, with Allow: GET, HEAD")


async def test_a_path_that_cannot_be_decoded_is_refused() -> None:
    app = Express()
    app.get("/:id", show)
    explanation = await app.explain("GET", "/%E0%A4")
    assert explanation.status == 400
    assert explanation.end.startswith("400 Bad Request: ")


async def test_a_mount_without_a_name_of_its_own_answers_for_itself() -> None:
    app = Express()
    app.mount("/old/", CORS(show_app))
    assert outcomes(await app.explain("GET", "/old/x"))[-1] == ("app", "/old", "answers")


async def show_app(scope: Any, receive: Any, send: Any) -> None: ...


async def test_routers_in_middleware_in_routers_are_told_to_a_depth() -> None:
    app = Express()
    inner = Router().get("/x", show)
    for _ in range(60):
        inner = Router().use(CORS(inner))
    app.use(inner)
    steps = (await app.explain("GET", "/x")).steps
    assert (steps[-1].kind, steps[-1].outcome) == ("middleware", "answers")
    assert len([step for step in steps if step.kind == "router"]) == 51


async def test_a_websocket_is_explained_too() -> None:
    app = Express()
    app.ws("/chat", lambda ws, req, next: next())
    app.ws("/:room", lambda ws: None, name="room")
    explanation = await app.explain("WEBSOCKET", "/chat")
    assert outcomes(explanation)[1:] == [
        ("route", "/chat", "matches"),
        ("handler", "/chat", "may answer"),
        ("route", "/:room", "matches"),
        ("handler", "/:room", "answers"),
    ]


async def test_values_that_json_does_not_know_become_text() -> None:
    app = Express()
    app.get("/{u:uuid}", show)
    number = UUID(int=7)
    explanation = await app.explain("GET", f"/{number}")
    assert explanation.route is not None
    assert explanation.route.params == {"u": number}
    assert json.loads(json.dumps(explanation.to_dict()))["steps"][1]["params"] == {"u": str(number)}


async def test_patterns_and_lists_are_shown_as_they_were_written() -> None:
    import re

    app = Express()
    app.use(["/a", re.compile("^/b")], lambda req, res, next: next())
    assert outcomes(await app.explain("GET", "/a"))[1] == ("middleware", "/a|re.compile('^/b')", "may answer")


@pytest.mark.parametrize("path", ["users", "", "/a b", "/é", 7])
async def test_a_path_that_no_request_has_is_refused_with_words(path: Any) -> None:
    with pytest.raises(ValueError, match=r"a path begins with / and is percent-encoded, such as /users/7\?page=2"):
        await Express().explain("GET", path)


@pytest.mark.parametrize("method", ["", "GET /", 7, "GÉT"])
async def test_a_method_that_no_request_has_is_refused_with_words(method: Any) -> None:
    with pytest.raises(ValueError, match="expected a method such as GET"):
        await Express().explain(method, "/")


# -- who may do it


STAFF = Policy("staff", "access", "/admin*", conditions=[Condition("actor.meta.staff", "eq", True)])
BLOCKED = Policy("blocked", "access", "*", "deny", conditions=[Condition("actor.id", "eq", "eve")])


def guarded(store: TokenStore, **options: Any) -> Express:
    app = Express()
    app.use(RealIP(trusted_subnets="127.0.0.1"))
    app.use(TokenAuth(store=store))
    app.post_match(EndpointFirewall(policies=[STAFF, BLOCKED], **options))
    app.get("/admin/:id", show)
    app.get("/open", show, meta={"public": True})
    return app


def guard(explanation: Explanation) -> Step:
    return next(step for step in explanation.steps if step.kind == "guard")


async def test_a_firewall_says_which_policy_answers_for_the_token_of_the_request() -> None:
    store = TokenStore(MemoryStore())
    app = guarded(store)
    token = await store.create(Actor("ada", {"staff": True}))
    headers = {"Authorization": f"Bearer {token}", "X-Forwarded-For": "203.0.113.9"}
    explanation = await app.explain("GET", "/admin/7", headers)
    assert [step.why for step in explanation.steps if step.kind == "middleware"] == [
        "the client is 203.0.113.9",
        "the actor is ada",
    ]
    step = guard(explanation)
    assert (step.outcome, step.why) == ("passes on", "policy staff, actor ada, access on /admin/:id")
    assert step.details is not None
    assert step.details["policy"] == "staff"
    assert explanation.end == "tests.test_explain.show answers"
    assert (await ask(app, "/admin/7", headers=headers)).status == 200


async def test_without_a_token_the_firewall_refuses_and_nothing_after_it_is_told() -> None:
    app = guarded(TokenStore(MemoryStore()))
    explanation = await app.explain("GET", "/admin/7")
    assert guard(explanation).outcome == "refuses"
    assert explanation.steps[-1] == guard(explanation)
    assert explanation.end.endswith("EndpointFirewall refuses: no actor, access on /admin/:id")
    assert [step.why for step in explanation.steps][2] == "there is no actor"
    assert (await app.explain("GET", "/open")).end == "tests.test_explain.show answers"


async def test_an_actor_can_be_tried_out_without_a_token() -> None:
    app = guarded(TokenStore(MemoryStore()))
    denied = await app.explain("GET", "/admin/7", actor=Actor("eve", {"staff": True}))
    assert guard(denied).why == "policy blocked, actor eve, access on /admin/:id"
    allowed = await app.explain("GET", "/admin/7", actor=Actor("bob"), policies=Scoped([Policy("all", "*", "*")]))
    assert guard(allowed).why == "policy all, actor bob, access on /admin/:id"
    undecided = await app.explain("GET", "/admin/7", actor=Actor("bob"))
    assert guard(undecided).why == "default, actor bob, access on /admin/:id"


async def test_a_firewall_that_only_tells_lets_the_request_pass() -> None:
    app = guarded(TokenStore(MemoryStore()), enforce=False)
    explanation = await app.explain("GET", "/admin/7")
    assert guard(explanation).outcome == "passes on"
    assert guard(explanation).why == "no actor, not enforced, access on /admin/:id"
    assert explanation.end == "tests.test_explain.show answers"


class Moody:
    """A middleware of somebody else's that explains itself in text."""

    def __init__(self, app: Any) -> None:
        self.app = app

    def explain(self, scope: Any) -> str:
        return f"in a mood for {scope['path']}"

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None: ...


async def test_any_middleware_may_explain_itself_in_words() -> None:
    app = Express()
    app.use(Moody(next_app)).get("/x", show)
    step = (await app.explain("GET", "/x")).steps[1]
    assert (step.outcome, step.why, step.details) == ("passes on", "in a mood for /x", None)


class Quiet:
    """An enriching middleware that does more than it says, and calls nobody."""

    enriches = True

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        assert await receive() == {"type": "http.disconnect"}
        await send({"type": "http.response.start", "status": 500, "headers": []})


async def test_an_enriching_middleware_that_calls_nobody_changes_nothing() -> None:
    app = Express()
    app.use(Quiet(next_app)).get("/x", show)
    assert (await app.explain("GET", "/x", [("Host", "x")])).end == "tests.test_explain.show answers"


class Failing:
    """A middleware that cannot say what it would do."""

    def __init__(self, app: Any) -> None:
        self.app = app

    def explain(self, scope: Any) -> str:
        raise RuntimeError(f"no mood for {scope['path']}")

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None: ...


class Wrong:
    """An enriching middleware that fails."""

    enriches = True

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        raise ValueError("no such header")


@pytest.mark.parametrize(
    ("middleware", "why"), [(Failing, "RuntimeError: no mood for /x"), (Wrong, "ValueError: no such header")]
)
async def test_a_middleware_that_fails_is_told_and_leads_to_the_error_handlers(middleware: Any, why: str) -> None:
    app = Express()
    app.use(middleware(next_app)).get("/x", show)
    explanation = await app.explain("GET", "/x")
    step = explanation.steps[1]
    assert (step.outcome, step.why) == ("passes on", f"it fails: {why}")
    assert ran(explanation) == [middleware.__name__]
    assert (explanation.status, explanation.end) == (500, f"500 Internal Server Error: {why.partition(': ')[2]}")

    def tell(error: Exception, req: Any, res: Any, next: Any) -> None:
        res.send(str(error))

    app.use(tell)
    assert ran(await app.explain("GET", "/x")) == [middleware.__name__, "tell"]


# -- files

FILES = [
    ("GET", "/files/a.css", (), "answers", "the file a.css"),
    ("HEAD", "/files/sub/", (), "answers", "the file sub/index.html"),
    ("GET", "/files/sub", (), "answers", "a directory: it redirects to the path with a slash at the end"),
    ("GET", "/files/none.css", (), "passes on", "there is no such file"),
    ("GET", "/files/%00", (), "passes on", "Bad Request"),
    ("POST", "/files/a.css", (), "passes on", "files are for GET and HEAD, not for POST"),
    ("GET", "/files/page", {"Accept": "text/html"}, "answers", "the file page.html, for every page that is not there"),
]


@pytest.mark.parametrize(("method", "path", "headers", "outcome", "why"), FILES, ids=[f"{c[0]} {c[1]}" for c in FILES])
async def test_a_directory_of_files_says_whether_it_answers_and_it_does(
    tmp_path: Path, method: str, path: str, headers: Any, outcome: str, why: str
) -> None:
    (tmp_path / "sub").mkdir()
    for name in ("a.css", "page.html", "sub/index.html"):
        (tmp_path / name).write_text(name)
    app = Express()
    app.use("/files", static(tmp_path, spa="page.html"))
    explanation = await app.explain(method, path, headers)
    step = explanation.steps[-1]
    assert (step.name, step.outcome, step.why) == ("asgi_express.static.static", outcome, why)
    status = (await ask(app, path, method, headers=dict(headers))).status
    if outcome == "answers":
        assert explanation.end == f"asgi_express.static.static answers: {why}"
        assert status in (200, 301)
    else:
        assert explanation.status == status == 404


async def test_files_that_do_not_fall_through_lead_to_the_error_handlers(tmp_path: Path) -> None:
    app = Express()
    app.use(static(tmp_path, fallthrough=False))

    def sorry(err: Any, req: Any, res: Any, next: Any) -> None:
        res.status(err.status).send("sorry")

    app.use(sorry)
    explanation = await app.explain("GET", "/none")
    assert [step.why for step in explanation.steps[1:]] == ["it fails: 404 Not Found", None]
    assert ran(explanation)[-1] == "sorry"
    refused = await app.explain("POST", "/none")
    assert refused.end.endswith("answers: files are for GET and HEAD, not for POST")
    assert (await ask(app, "/none", "POST")).status == 405
