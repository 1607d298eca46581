"""Builds the asgi-express application that a recorded program describes.

``record/lib/build.mjs`` builds the same program with the real Express; ``record/README.md`` explains the format.
Whatever can only be said in JavaScript is translated here, in the functions under "JavaScript to Python".
"""

from __future__ import annotations

import asyncio
import re
import zlib
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from asgi_express import Express, Router
from tests.conformance.actions import Action, Call, Handler, Steps, describe_error, given, perform
from tests.conformance.bodies import JSON
from tests.conformance.parsers import parser
from tests.conformance.values import FUNCTIONS, revive, snake_case

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
        target.set(name, revive(value))
    for entry in program["stack"]:
        _register(target, entry, env)


def _register(target: Any, entry: dict[str, JSON], env: _Env) -> None:
    if "set" in entry:
        target.set(*given(entry["set"]))
        return
    if "engine" in entry:
        target.engine(entry["engine"], FUNCTIONS[entry["as"]])
        return
    if "locals" in entry:
        target.locals.update(entry["locals"])
        return
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
    if "parser" in node:
        return parser(node)
    made: Any
    if "router" in node:
        made = Router(**{snake_case(name): value for name, value in node["router"].get("options", {}).items()})
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
        self.quiet: bool = spec.get("quiet", False)
        self.env = env
        self.awaits = env.awaits(spec)

    def steps(self, req: Any, res: Any, *, err: Any = None, value: Any = None, name: str | None = None) -> Steps:
        """Note the call down and perform the actions; see `perform`."""
        if name is not None:
            _note(req, f"{self.id}({name})", value)
        else:
            _note(req, self.id, None if err is None or self.quiet else describe_error(err))
        return perform(self.actions, Call(req, res, err, value, self.env.app))

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


def describe_path(path: Any) -> JSON:
    """Return what ``route.path`` is in a trace; the texts of regular expressions are not compared."""
    if isinstance(path, list | tuple):
        return [describe_path(item) for item in path]
    return "RegExp" if isinstance(path, re.Pattern) else path
