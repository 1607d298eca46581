"""What a handler is: told from its parameters when it is registered, and called accordingly."""

from __future__ import annotations

import asyncio
import contextvars
import functools
import threading
from typing import Any

import pytest
from starlette.responses import PlainTextResponse

from asgi_express import Express, Router, blocking
from asgi_express._handlers import name_of
from tests.asgi import Socket, ask


class Methods:
    """Handlers that are not functions."""

    def two(self, req: Any, res: Any) -> None:
        res.send("two")

    @classmethod
    def one(cls, req: Any) -> str:
        return "one"

    @staticmethod
    def three(req: Any, res: Any, next: Any) -> None:
        res.send("three")


class App:
    """An ASGI app that is an object."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await PlainTextResponse("app")(scope, receive, send)


def injects(fn: Any) -> Any:
    @functools.wraps(fn)
    def wrapper(req: Any, res: Any) -> Any:
        return fn("db", req, res, None)

    return wrapper


def logs(fn: Any) -> Any:
    @functools.wraps(fn)
    def wrapper(*args: Any, **options: Any) -> Any:
        return fn(*args, **options)

    return wrapper


def with_default(req: Any, res: Any, next: Any = None) -> None:
    res.send(str(next))


def with_options(req: Any, res: Any, *, loud: bool = False, **more: Any) -> None:
    res.send(str(loud))


@functools.cache
def cached() -> str:
    return "cached"


async def asynchronous(req: Any) -> str:
    await asyncio.sleep(0)
    return "asynchronous"


@pytest.mark.parametrize(
    ("handler", "text"),
    [
        (lambda: "none", "none"),
        (lambda req: req.method, "GET"),
        (lambda req, res: res.send("lambda"), "lambda"),
        (lambda req, res, next: res.send(type(next).__name__), "Continuation"),
        (lambda *args: args[1].send(str(len(args))), "3"),
        (lambda req, *rest: rest[0].send(str(len(rest))), "2"),
        (Methods().two, "two"),
        (Methods().one, "one"),
        (Methods.three, "three"),
        (functools.partial(lambda word, req: word, "partial"), "partial"),
        (functools.partial(lambda req, res, word: res.send(word), word="bound"), "bound"),
        (with_default, "None"),
        (with_options, "False"),
        (cached, "cached"),
        (asynchronous, "asynchronous"),
        (injects(lambda db, req, res, next: db), "db"),
        (logs(lambda req: "logged"), "logged"),
        (logs(lambda req, res, next: res.send("all")), "all"),
        (App(), "app"),
        (blocking(lambda req: "thread"), "thread"),
    ],
)
async def test_a_handler_gets_what_it_has_parameters_for(handler: Any, text: str) -> None:
    assert (await ask(Express().get("/", handler))).text == text


@pytest.mark.parametrize(
    "handler",
    [
        lambda err, req, res, next: res.send(str(err)),
        logs(lambda err, req, res, next: res.send(str(err))),
        functools.partial(lambda word, err, req, res, next: res.send(str(err)), "word"),
        blocking(lambda err, req, res, next: res.send(str(err))),
    ],
)
async def test_four_parameters_make_an_error_handler(handler: Any) -> None:
    app = Express()
    app.use(handler)
    app.get("/fine", lambda: "fine")
    app.get("/bad", lambda: 1 / 0)
    app.use(handler)
    assert (await ask(app, "/fine")).text == "fine"
    assert (await ask(app, "/bad")).text == "division by zero"


def test_lists_of_handlers_may_be_nested_at_will() -> None:
    nested: Any = lambda req, res: res.send("deep")  # noqa: E731
    for _ in range(5000):
        nested = [nested, []]
    app = Express().get("/", [(), [lambda req, res, next: next()]], nested)
    assert asyncio.run(ask(app)).text == "deep"


class WithoutInit:
    pass


class WrongApp:
    def __call__(self, scope: Any, receive: Any, send: Any, more: Any) -> None: ...


class Controller:
    def __call__(self, req: Any) -> None: ...


def keyword_only(req: Any, *, db: Any) -> None: ...


@pytest.mark.parametrize(
    ("handler", "words"),
    [
        (None, "a handler must be a function, got None"),
        ("text", "a handler must be a function, got 'text'"),
        (5, "a handler must be a function, got 5"),
        (lambda a, b, c, d, e: None, "takes 5 positional parameters; expected a handler of"),
        (WithoutInit, r"WithoutInit is a class; pass an instance of it, WithoutInit\(...\)"),
        (App, "App is a class"),
        (WrongApp(), "is neither a handler function nor an ASGI app"),
        (Controller(), "to use one of its methods as a handler, pass the method"),
        (keyword_only, "has the keyword-only parameter 'db', which nobody would pass"),
        (dict.update, "tells no signature; wrap it in a function"),
        ([], "requires a handler function"),
        ([[], ()], "requires a handler function"),
    ],
)
@pytest.mark.parametrize("register", ["use", "get", "all"])
def test_what_is_no_handler_is_refused_with_words_when_it_is_registered(
    register: str, handler: Any, words: str
) -> None:
    with pytest.raises(TypeError, match=words):
        getattr(Express(), register)("/", handler)


@pytest.mark.parametrize(
    ("app", "words"),
    [(App, "is a class"), (None, "expected an ASGI app, got None"), (lambda scope: None, "neither a handler function")],
)
def test_what_is_no_app_cannot_be_mounted(app: Any, words: str) -> None:
    with pytest.raises(TypeError, match=words):
        Router().mount("/", app)


@pytest.mark.parametrize(
    ("callback", "value"),
    [
        (lambda req, res, next, value: res.send(value), "5"),
        (lambda req, res, next, value, name: res.send(value + name), "5id"),
        (lambda *args: args[1].send(str(len(args))), "5"),
        (lambda req, res, next, value, name="none": res.send(value + name), "5none"),
        (lambda req, res, next=None, value="", name="": res.send(value + name), "5id"),
    ],
)
async def test_a_param_callback_gets_what_it_has_parameters_for(callback: Any, value: str) -> None:
    app = Express().param("id", callback)
    app.get("/:id", lambda: "never")
    assert (await ask(app, "/5")).text == value


@pytest.mark.parametrize("callback", [lambda req, res, next: 0, lambda a, b, c, d, e, f: 0, None, App()])
def test_a_param_callback_of_another_shape_is_refused(callback: Any) -> None:
    with pytest.raises(TypeError, match=r"expected a callback of \(req, res, next, value, name\)"):
        Router().param("id", callback)


@pytest.mark.parametrize("arity", [1, 2, 3])
async def test_a_websocket_handler_gets_what_it_has_parameters_for(arity: int) -> None:
    async def full(ws: Any, req: Any = None, next: Any = None) -> None:
        await ws.accept()
        await ws.send_text(f"{req is not None} {next is not None}")

    async def two(ws: Any, req: Any) -> None:
        await full(ws, req)

    async def three(ws: Any, req: Any, next: Any) -> None:
        await full(ws, req, next)

    socket = await Socket().connect(Router().ws("/", (full, two, three)[arity - 1]))
    assert socket.sent[1]["text"] == f"{arity > 1} {arity > 2}"


@pytest.mark.parametrize("handler", [lambda: 0, lambda a, b, c, d: 0, None, 5])
def test_a_websocket_handler_of_another_shape_is_refused(handler: Any) -> None:
    with pytest.raises(TypeError, match=r"expected a WebSocket handler of \(ws\), \(ws, req\) or \(ws, req, next\)"):
        Router().ws("/", handler)


async def test_an_asgi_app_can_serve_a_websocket() -> None:
    class Echo:
        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
            await send({"type": "websocket.accept"})

    assert (await Socket().connect(Router().ws("/", Echo()))).types[0] == "websocket.accept"


@pytest.mark.parametrize(
    ("thing", "name"),
    [
        (functools.partial(functools.partial(name_of, 1)), "asgi_express._handlers.name_of"),
        (Methods.one, "tests.test_handlers.Methods.one"),
        (App(), "tests.test_handlers.App"),
        (App, "tests.test_handlers.App"),
    ],
)
def test_messages_call_a_handler_by_its_module_and_name(thing: Any, name: str) -> None:
    assert name_of(thing) == name


# -- blocking


async def test_a_blocking_handler_runs_in_a_thread_with_the_context_of_the_request() -> None:
    user: contextvars.ContextVar[str] = contextvars.ContextVar("user")
    app = Express()

    async def enter(req: Any, res: Any, next: Any) -> None:
        user.set("Ada")
        await next()

    @blocking
    def report(req: Any, res: Any) -> None:
        """Make the report."""
        res.json([user.get(), threading.current_thread() is threading.main_thread()])

    app.get("/", enter, report)
    assert (await ask(app)).json == ["Ada", False]
    assert (report.__name__, report.__doc__) == ("report", "Make the report.")


async def test_the_loop_goes_on_while_a_blocking_handler_waits() -> None:
    entered, leave = threading.Event(), threading.Event()
    app = Express()

    @app.get("/slow")
    @blocking
    def slowly() -> bool:
        entered.set()
        return leave.wait(10)

    @app.get("/fast")
    def fast() -> str:
        leave.set()
        return "fast"

    slow = asyncio.ensure_future(ask(app, "/slow"))
    assert await asyncio.to_thread(entered.wait, 10)
    assert (await ask(app, "/fast")).text == "fast"
    assert (await slow).json is True


async def test_an_error_and_next_come_out_of_a_thread_as_ever() -> None:
    app = Express()
    app.get("/next", blocking(lambda req, res, next: next()), lambda: "went on")
    app.get("/error", blocking(lambda: 1 / 0))
    app.use(lambda err, req, res, next: res.send(type(err).__name__))
    assert (await ask(app, "/next")).text == "went on"
    assert (await ask(app, "/error")).text == "ZeroDivisionError"


@pytest.mark.parametrize("fn", [asynchronous, functools.partial(asynchronous), App(), App, None, 5])
def test_only_a_plain_function_can_be_blocking(fn: Any) -> None:
    with pytest.raises(TypeError, match="blocking: expected a plain function"):
        blocking(fn)
