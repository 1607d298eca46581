"""Classify a handler once, when it is registered, by its number of positional parameters.

========================= ==========================================================
``(err, req, res, next)`` error handler: runs only while an error is pending
``(req, res, next)``      middleware or handler
``(req, res)``            handler
``(req)`` and ``()``      handler whose return value is the response
========================= ==========================================================

As in JavaScript's ``function.length``, parameters with a default and ``*args`` do not count.
Functions, methods, lambdas and partials are handlers; any other callable of three parameters is an ASGI app.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable
from typing import Any

from asgi_express.types import HandlerSpec

__all__ = [
    "APP",
    "ERROR",
    "PARAM",
    "ROUTER",
    "SOCKET",
    "Handler",
    "app_handler",
    "arity",
    "blocking",
    "classify",
    "flatten",
    "is_handler_function",
    "name_of",
    "param_handler",
    "socket_handler",
]

# What a handler is called with. 0 to 3 are the leading ones of (req, res, next).
ERROR = 4
APP = 5
PARAM = 6
SOCKET = 7
ROUTER = 8

_WORDS = (
    "expected a handler of (req, res, next), (req, res), (req) or (), "
    "an error handler of (err, req, res, next), or an ASGI app"
)


class Handler:
    """A callable on a stack and what to call it with.

    Attributes:
        fn: the callable.
        kind: 0 to 3, the number of arguments of ``(req, res, next)``, or ``ERROR``,
            ``APP``, ``PARAM``, ``SOCKET``, ``ROUTER``.
        count: for ``PARAM`` and ``SOCKET``, how many arguments it takes.
        method: on the stack of a route, the one method that it serves; ``None`` for all.
        opaque: for ``APP``, whether it is an application of its own, which always answers (``mount``).
        slow: whether it was logged for holding the event loop.
    """

    __slots__ = ("count", "fn", "kind", "method", "opaque", "slow")

    def __init__(
        self, fn: Callable[..., Any], kind: int, *, count: int = 0, method: str | None = None, opaque: bool = False
    ) -> None:
        self.fn = fn
        self.kind = kind
        self.count = count
        self.method = method
        self.opaque = opaque
        self.slow = False

    @property
    def name(self) -> str:
        """What to call it in a message."""
        return name_of(self.fn)

    def for_method(self, method: str | None) -> Handler:
        """Return the same handler for one method of a route."""
        return Handler(self.fn, self.kind, count=self.count, method=method, opaque=self.opaque)


def name_of(fn: Any) -> str:
    """Return a readable name for a callable: module and qualified name, or its class's."""
    while isinstance(fn, functools.partial):
        fn = fn.func
    owner = fn if hasattr(fn, "__qualname__") else type(fn)
    module = getattr(owner, "__module__", None)  # a method of a built-in type has none
    return f"{module}.{owner.__qualname__}" if module else str(owner.__qualname__)


def flatten(handlers: Iterable[Any]) -> list[Any]:
    """Unnest lists of handlers, to any depth.

    Raises:
        TypeError: a list contains itself.
    """
    flat: list[Any] = []
    pending = [iter(handlers)]
    around: list[int] = []
    while pending:
        for item in pending[-1]:
            if isinstance(item, (list, tuple)):
                if id(item) in around:
                    msg = "a list of handlers contains itself"
                    raise TypeError(msg)
                around.append(id(item))
                pending.append(iter(item))
                break
            flat.append(item)
        else:
            pending.pop()
            del around[-1:]
    return flat


def is_handler_function(fn: Any) -> bool:
    """Tell whether a callable is a handler rather than an ASGI app: a function, method, lambda, builtin or partial."""
    return inspect.isroutine(fn) or isinstance(fn, functools.partial)


def classify(handlers: Iterable[HandlerSpec], what: str) -> list[Handler]:
    """Classify handlers, nested lists included.

    Args:
        handlers: what the user gave.
        what: the registration call, for messages.

    Raises:
        TypeError: there is none, or one is not a handler.
    """
    flat = flatten(handlers)
    if not flat:
        msg = f"{what} requires a handler function"
        raise TypeError(msg)
    return [_classify(handler, what) for handler in flat]


def _classify(fn: Any, what: str) -> Handler:
    if not callable(fn):
        msg = f"{what}: a handler must be a function, got {fn!r}; {_WORDS}"
        raise TypeError(msg)
    if getattr(fn, "is_router", False) is True:
        return Handler(fn, ROUTER)
    if not is_handler_function(fn):
        return app_handler(fn, what)
    if inspect.isasyncgenfunction(inspect.unwrap(fn)):
        msg = f"{what}: {name_of(fn)} is an async generator; give it to res.sse(...), or await res.write(...) in a loop"
        raise TypeError(msg)
    least, most = arity(fn, what)
    if least == ERROR:
        return Handler(fn, ERROR)
    if least > ERROR:
        msg = f"{what}: {name_of(fn)} takes {least} positional parameters; {_WORDS}"
        raise TypeError(msg)
    # *args takes all that there is, as in JavaScript.
    return Handler(fn, 3 if most is None else least)


def app_handler(app: Any, what: str, *, opaque: bool = False) -> Handler:
    """Check that a callable is an ASGI app, as far as its signature tells.

    Raises:
        TypeError: it is a class, or its ``__call__`` does not take ``(scope, receive, send)``.
    """
    if inspect.isclass(app):
        msg = f"{what}: {name_of(app)} is a class; pass an instance of it, {app.__name__}(...)"
        raise TypeError(msg)
    if not callable(app):
        msg = f"{what}: expected an ASGI app, got {app!r}"
        raise TypeError(msg)
    least, most = arity(app, what)
    if next(iter(inspect.signature(app).parameters), "") in ("req", "request"):
        least = 4  # its words say that it is no ASGI app
    if least > 3 or (most is not None and most < 3):
        msg = (
            f"{what}: {name_of(app)} is neither a handler function nor an ASGI app of (scope, receive, send); "
            "to use one of its methods as a handler, pass the method"
        )
        raise TypeError(msg)
    return Handler(app, APP, opaque=opaque)


def param_handler(fn: Any, what: str) -> Handler:
    """Classify a callback of ``param``: ``(req, res, next, value)`` or ``(req, res, next, value, name)``.

    Raises:
        TypeError: it is something else.
    """
    return _counted(fn, PARAM, (4, 5), f"{what}: expected a callback of (req, res, next, value, name)")


def socket_handler(fn: Any, what: str) -> Handler:
    """Classify a handler of ``ws``: ``(ws)``, ``(ws, req)`` or ``(ws, req, next)``, or an ASGI app.

    Raises:
        TypeError: it is something else.
    """
    if callable(fn) and not is_handler_function(fn):
        return app_handler(fn, what)
    return _counted(fn, SOCKET, (1, 3), f"{what}: expected a WebSocket handler of (ws), (ws, req) or (ws, req, next)")


def _counted(fn: Any, kind: int, bounds: tuple[int, int], words: str) -> Handler:
    if not is_handler_function(fn):
        msg = f"{words}, got {fn!r}"
        raise TypeError(msg)
    least, most = arity(fn, words)
    count = bounds[1] if most is None or least < bounds[0] <= most else least
    if not bounds[0] <= count <= bounds[1]:
        msg = f"{words}; {name_of(fn)} takes {least} positional parameters"
        raise TypeError(msg)
    return Handler(fn, kind, count=count)


def arity(fn: Any, what: str) -> tuple[int, int | None]:
    """Return how many positional arguments a callable needs and takes (``None``: any number)."""
    try:
        parameters = _parameters(fn)
    except ValueError:
        msg = f"{what}: {name_of(fn)} tells no signature; wrap it in a function"
        raise TypeError(msg) from None
    least = most = 0
    unbounded = False
    for parameter in parameters:
        if parameter.kind is parameter.VAR_POSITIONAL:
            unbounded = True
        elif parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD):
            most += 1
            least += parameter.default is parameter.empty
        elif parameter.kind is parameter.KEYWORD_ONLY and parameter.default is parameter.empty:
            msg = f"{what}: {name_of(fn)} has the keyword-only parameter {parameter.name!r}, which nobody would pass"
            raise TypeError(msg)
    return least, None if unbounded else most


def _parameters(fn: Any) -> Iterable[inspect.Parameter]:
    """Return the parameters of what is called: of a wrapper, unless it passes on whatever comes."""
    try:
        own = inspect.signature(fn, follow_wrapped=False).parameters.values()
        if all(parameter.kind is not parameter.VAR_POSITIONAL for parameter in own):
            return own
    except ValueError:  # functools.cache has a signature only through the function in it
        pass
    return inspect.signature(fn).parameters.values()


def blocking(fn: Callable[..., Any]) -> Callable[..., Any]:
    """Return a handler that runs a plain function in a worker thread.

    A plain ``def`` handler runs on the event loop, as in Express; one that waits (a database
    driver without ``async``, a big computation) belongs here.

    Example::

        app.get("/report", blocking(make_report))

    There is no event loop in the thread: what needs one, such as ``req.on``, belongs in an ``async`` handler.
    The threads are those of the loop's default executor, the context variables those of the request.

    Raises:
        TypeError: ``fn`` is not a plain function.
    """
    if inspect.iscoroutinefunction(fn) or not is_handler_function(fn):
        msg = f"blocking: expected a plain function, got {name_of(fn)}"
        raise TypeError(msg)
    from asgiref.sync import sync_to_async

    in_thread = sync_to_async(fn, thread_sensitive=False)

    @functools.wraps(fn)
    async def run_in_thread(*args: Any) -> Any:
        return await in_thread(*args)

    return run_in_thread
