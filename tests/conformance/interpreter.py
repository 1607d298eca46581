"""Builds the asgi-express application that a recorded program describes.

``record/lib/build.mjs`` builds the same program with the real Express; ``record/README.md`` explains the format.
Whatever can only be said in JavaScript is translated here, in the functions under "JavaScript to Python".
"""

from __future__ import annotations

import asyncio
import re
import zlib
from collections.abc import Awaitable, Callable, Generator, Iterable
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, TypeAlias

from asgi_express import Express, HeadersSentError, Router

JSON: TypeAlias = Any
Action: TypeAlias = list[JSON]
Handler: TypeAlias = Callable[..., Any]
Steps: TypeAlias = Generator[Awaitable[Any], None, tuple[Any, ...] | None]

NOTES = "conformance.notes"
"""The scope key of the `Notes`; without one, nothing is noted down."""


class Style(Enum):
    """How the handlers of a program are written. The answers must not depend on it."""

    PLAIN = "def handlers and next()"
    AWAITED = "async def handlers and await next()"
    MIXED = "now the one, now the other"


@dataclass(slots=True)
class Notes:
    """One request: what was sent, and what the handlers note down about it."""

    method: str
    target: str
    trace: list[list[JSON]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Env:
    """What the nodes of a program need: the application around them, and the nodes that have a name."""

    app: Express
    named: dict[str, Any]
    style: Style

    def awaits(self, spec: dict[str, JSON]) -> bool:
        """Tell whether a handler is to be written with ``async def`` and ``await next()``."""
        if self.style is Style.MIXED:
            return bool(zlib.crc32(spec["id"].encode()) & 1)
        return self.style is Style.AWAITED


class ProgramError(Exception):
    """The error that a program throws; ``more`` has its further properties (``status``, ``headers``)."""

    def __init__(self, text: str, more: dict[str, JSON] | None = None) -> None:
        super().__init__(text)
        for name, value in (more or {}).items():
            setattr(self, _snake_case(name), value)


def build_app(program: dict[str, JSON], style: Style) -> Express:
    """Return the application that a program describes."""
    app = Express()
    _fill(app, program, _Env(app, {}, style))
    return app


def register_alone(on: str, entry: dict[str, JSON]) -> None:
    """Register one entry on a new application or router: the rows of the tables of refused registrations."""
    app = Express()
    _register(Router() if on == "router" else app, entry, _Env(app, {}, Style.PLAIN))


def _fill(target: Any, program: dict[str, JSON], env: _Env) -> None:
    for name, value in program.get("settings", {}).items():
        target.set(name, value)
    for entry in program["stack"]:
        _register(target, entry, env)


def _register(target: Any, entry: dict[str, JSON], env: _Env) -> None:
    nodes = [_node(node, env) for node in entry.get("nodes", ())]
    if "use" in entry:
        if entry["use"] is None:
            target.use(*nodes)
        else:
            target.use(to_path(entry["use"]), *nodes)
    elif "param" in entry:
        target.param(entry["param"], _param_callback(entry, env))
    elif "route" in entry:
        route = target.route(to_path(entry["route"]))
        for method, handlers in entry["verbs"]:
            getattr(route, _verb(method))(*[_node(node, env) for node in handlers])
    else:
        getattr(target, _verb(entry["method"]))(to_path(entry["path"]), *nodes)


def _node(node: JSON, env: _Env) -> Any:
    if isinstance(node, list):
        return [_node(item, env) for item in node]
    if "ref" in node:
        return env.named[node["ref"]]
    if "value" in node:
        return node["value"]  # something that is no handler at all
    made: Any
    if "router" in node:
        made = Router(**{_snake_case(name): value for name, value in node["router"].get("options", {}).items()})
        _fill(made, {"stack": node["router"]["stack"]}, env)
    elif "app" in node:
        made = Express()
        _fill(made, node["app"], _Env(made, env.named, env.style))
    else:
        made = _handler(node, env)
    if "as" in node:
        env.named[node["as"]] = made
    return made


# Handlers. The number of parameters decides what a function is, so each kind has its own signature.


def _handler(spec: dict[str, JSON], env: _Env) -> Handler:
    if spec.get("err"):
        return _error_handler(spec, env)
    run = _Run(spec, env)
    awaits = env.awaits(spec)
    if spec.get("async"):

        async def waiting(req: Any, res: Any, next: Any) -> None:
            await asyncio.sleep(0)
            await run.awaited(run.steps(req, res), res, next)

        return waiting
    if awaits:
        if spec.get("args") == 2:

            async def answering(req: Any, res: Any) -> None:
                await run.awaited(run.steps(req, res), res, None)

            return answering

        async def awaiting(req: Any, res: Any, next: Any) -> None:
            await run.awaited(run.steps(req, res), res, next)

        return awaiting
    if spec.get("args") == 2:

        def short(req: Any, res: Any) -> None:
            run.plain(run.steps(req, res), None)

        return short

    def plain(req: Any, res: Any, next: Any) -> None:
        run.plain(run.steps(req, res), next)

    return plain


def _error_handler(spec: dict[str, JSON], env: _Env) -> Handler:
    run = _Run(spec, env)
    if spec.get("async") or env.awaits(spec):

        async def awaiting(err: Any, req: Any, res: Any, next: Any) -> None:
            if spec.get("async"):
                await asyncio.sleep(0)
            await run.awaited(run.steps(req, res, err=err), res, next)

        return awaiting

    def plain(err: Any, req: Any, res: Any, next: Any) -> None:
        run.plain(run.steps(req, res, err=err), next)

    return plain


def _param_callback(spec: dict[str, JSON], env: _Env) -> Handler:
    run = _Run(spec, env)
    if spec.get("async") or env.awaits(spec):

        async def awaiting(req: Any, res: Any, next: Any, value: Any, name: str) -> None:
            if spec.get("async"):
                await asyncio.sleep(0)
            await run.awaited(run.steps(req, res, value=value, name=name), res, next)

        return awaiting

    def plain(req: Any, res: Any, next: Any, value: Any, name: str) -> None:
        run.plain(run.steps(req, res, value=value, name=name), next)

    return plain


class _Run:
    """The actions of one handler."""

    def __init__(self, spec: dict[str, JSON], env: _Env) -> None:
        self.id: str = spec["id"]
        self.actions: list[Action] = spec["do"]
        self.env = env
        self.awaits = env.awaits(spec)

    def steps(self, req: Any, res: Any, *, err: Any = None, value: Any = None, name: str | None = None) -> Steps:
        """Note the call down and perform the actions; see `_perform`."""
        if name is not None:
            _note(req, f"{self.id}({name})", value)
        else:
            _note(req, self.id, None if err is None else describe_error(err))
        return _perform(self.actions, _Call(req, res, err, value, self.env))

    def plain(self, steps: Steps, next: Any) -> None:
        """Perform the actions without awaiting anything."""
        while True:
            try:
                steps.send(None)
            except StopIteration as end:
                if end.value is not None:
                    next(*end.value)
                return

    async def awaited(self, steps: Steps, res: Any, next: Any) -> None:
        """Perform the actions; await whatever can be awaited, in the style that says so."""
        while True:
            try:
                answer = steps.send(None)
            except StopIteration as end:
                if end.value is not None:
                    going_on = next(*end.value)
                    if self.awaits:
                        await going_on
                return
            if self.awaits:
                await answer


@dataclass(frozen=True, slots=True)
class _Call:
    req: Any
    res: Any
    err: Any
    value: Any
    env: _Env

    def read(self, name: str) -> JSON:
        """Return what an action calls by Express's name."""
        if name.startswith("param:"):
            return self.req.params.get(name[6:])
        if name == "value":
            return self.value
        if name == "headersSent":
            return self.res.headers_sent
        return getattr(self.req, _snake_case(name), None)


_FINISHERS = {"send", "json", "end", "write", "sendStatus", "redirect"}
_SETTERS = {"status", "set", "location"}


def _perform(actions: Iterable[Action], call: _Call) -> Steps:
    """Perform actions up to one that ends the handler.

    Yields:
        the response, after every action that can be awaited.

    Returns:
        what ``next`` is to be called with, or None if it is not to be called.
    """
    req, res = call.req, call.res
    for name, *args in actions:
        if name in _FINISHERS:
            yield getattr(res, _snake_case(name))(*args)
        elif name in _SETTERS:
            getattr(res, name)(*args)
        elif name == "show":
            yield res.json({field: in_javascript_order(call.read(field)) for field in args})
        elif name == "setting":
            yield res.json({args[0]: call.env.app.get_setting(args[0])})
        elif name == "next":
            return tuple(args)
        elif name == "nextErr":
            return (ProgramError(*args),)
        elif name == "forward":
            return (call.err,)
        elif name == "throw":
            raise ProgramError(*args)
        elif name == "rewriteUrl":
            req.url = args[0]
        elif name == "rewriteMethod":
            req.method = args[0]
        elif name == "setParam":
            req.params[args[0]] = args[1]
        elif name == "if":
            wanted = call.read(args[0]) == args[1]
            return (yield from _perform(args[2] if wanted else args[3] if len(args) > 3 else [], call))
        else:
            raise AssertionError(f"unknown action {name}")
    return None


def _note(req: Any, handler: str, extra: JSON) -> None:
    """Append a line to the trace; what the places mean is written down at ``note`` in ``build.mjs``."""
    notes: Notes | None = req.scope.get(NOTES)
    if notes is None:
        return
    params = {name: list(value) if isinstance(value, list) else value for name, value in req.params.items()}
    line: list[JSON] = [
        handler,
        req.url,
        req.base_url,
        None if req.path == req.url else req.path,
        params or None,
        None if req.route is None else describe_path(req.route.path),
        extra,
        None if req.method == notes.method else req.method,
        None if req.original_url == notes.target else req.original_url,
    ]
    while line[-1] is None:
        line.pop()
    notes.trace.append(line)


# JavaScript to Python.


def _snake_case(name: str) -> str:
    """``baseUrl`` and ``base_url``: the one difference in the names."""
    return re.sub("[A-Z]", lambda letter: f"_{letter[0].lower()}", name)


def _verb(method: str) -> str:
    """``m-search`` is no Python identifier."""
    return method.replace("-", "_")


def to_path(path: JSON) -> Any:
    """Return a path argument; a regular expression has other words for named groups, and ASCII classes."""
    if isinstance(path, list):
        return [to_path(item) for item in path]
    if isinstance(path, dict):
        source = re.sub(r"\(\?<(?![=!])", "(?P<", path["regex"])
        return re.compile(source, re.ASCII | (re.IGNORECASE if "i" in path.get("flags", "") else 0))
    return path


def in_javascript_order(value: JSON) -> JSON:
    """Return a value whose JSON text is that of JavaScript: there, keys that are array indexes come first, in order."""
    if not isinstance(value, dict):
        return value
    indexes = sorted((name for name in value if re.fullmatch("0|[1-9][0-9]*", name)), key=int)
    return {name: value[name] for name in [*indexes, *(name for name in value if name not in indexes)]}


def describe_path(path: Any) -> JSON:
    """Return what ``route.path`` is in a trace; the texts of regular expressions are not compared."""
    if isinstance(path, list | tuple):
        return [describe_path(item) for item in path]
    return "RegExp" if isinstance(path, re.Pattern) else path


def describe_error(err: Any) -> str:
    """Return what an error is in a trace: its text, after its status if it has one that is a number."""
    text = str(err)
    if isinstance(err, HeadersSentError):
        text = "Cannot set headers after they are sent to the client"  # Node's words
    elif isinstance(err, bool):
        text = text.lower()  # String(true)
    status = getattr(err, "status", None)
    return f"{status} {text}" if isinstance(status, int) else text
