"""Say which layers would see a request, in order, and what each would decide, without running a handler.

It is the walk itself, with the calls left out: ``Selection`` chooses what comes next, as it does for a request, and
each handler that could pass the request on is taken to do so. So what is told here cannot drift from what happens;
``tests/test_explain.py`` compares the two on random stacks.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, is_dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, cast
from urllib.parse import unquote

from asgi_express._dispatch import Walk, mark_of
from asgi_express._frames import Frame, RouterFrame
from asgi_express._handlers import APP, ERROR, PARAM, SOCKET, Handler, name_of
from asgi_express._named import wrapped_router
from asgi_express._pattern import Match, Pattern
from asgi_express._places import Kind, depth_of, join, place_of, role_of, written
from asgi_express._scope import ACTOR, MATCH, SECURITY_SCOPE, WALK
from asgi_express._status import REASONS
from asgi_express.errors import HTTPError
from asgi_express.types import Message, Receive, Scope, Send

if TYPE_CHECKING:
    from asgi_express.route import Route
    from asgi_express.router import Router

__all__ = ["Explanation", "Headers", "Outcome", "Step", "explain"]

Headers: TypeAlias = Mapping[str, str] | Sequence[tuple[str, str]]

Outcome: TypeAlias = Literal["enters", "matches", "other method", "passes on", "may answer", "answers", "refuses"]

Foresee: TypeAlias = Callable[[Any], Awaitable[tuple[bool, str]]]

# Routers around routers in ASGI middleware nest calls here, as they do in a request.
_MAX_WRAPPED = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One thing that sees the request.

    Attributes:
        kind: ``"router"``, ``"route"``, and the callables: ``"handler"`` of a route, ``"middleware"``, ``"guard"``
            (``post_match``), ``"param"`` (a callback), ``"error"`` (an error handler), ``"app"`` (an ASGI application
            of its own).
        name: of a route its name, or else its path; of a router its class; of a callable its own.
        depth: how many routers are around it.
        path: where it stands, as it was written, the prefixes of mounts included.
        outcome: ``"enters"`` a router; ``"matches"``, or matches but for the ``"other method"``, a route; a callable
            ``"answers"`` (it can do nothing else), ``"may answer"`` or pass on, ``"passes on"`` or ``"refuses"``
            (it was asked).
        methods: of a route.
        params: what the path gives; decoded.
        why: the reason in words, where there is one.
        details: what a middleware says of its decision: a firewall's verdict, say.
    """

    kind: Kind
    name: str
    depth: int
    path: str
    outcome: Outcome
    methods: tuple[str, ...] = ()
    params: Mapping[str, Any] = field(default_factory=dict)
    why: str | None = None
    details: Mapping[str, Any] | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON can write it."""
        plain: dict[str, Any] = json.loads(json.dumps(asdict(self), default=str))
        return plain


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """The way of a request that was never made.

    Attributes:
        method: the method.
        path: the path, with its query.
        steps: what sees it, in order.
        status: the status of the answer where the routers themselves give it: 404, 400, 200 for ``OPTIONS``.
        end: how it ends, in words.
    """

    method: str
    path: str
    steps: tuple[Step, ...]
    status: int | None
    end: str

    @property
    def route(self) -> Step | None:
        """The first route that matches; ``None`` where none does."""
        return next((step for step in self.steps if step.kind == "route" and step.outcome == "matches"), None)

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON can write it."""
        steps = [step.to_dict() for step in self.steps]
        return {"method": self.method, "path": self.path, "status": self.status, "end": self.end, "steps": steps}

    def __str__(self) -> str:
        lines = [f"{self.method} {self.path}"]
        for step in self.steps:
            why = f" ({step.why})" if step.why else ""
            lines.append(f"{'  ' * (step.depth + 1)}{step.kind} {step.name} {step.path}: {step.outcome}{why}")
        return "\n".join([*lines, f"  {self.end}"])


async def explain(
    router: Router,
    method: str,
    path: str,
    headers: Headers = (),
    *,
    actor: Any = None,
    policies: Any = None,
) -> Explanation:
    """Explain one request to a router; see ``Router.explain``."""
    if not isinstance(path, str) or not path.startswith("/") or not path.isascii() or any(c <= " " for c in path):
        msg = f"explain: a path begins with / and is percent-encoded, such as /users/7?page=2, not {path!r}"
        raise ValueError(msg)
    if not isinstance(method, str) or not method.isascii() or not method.replace("-", "").replace("_", "").isalnum():
        msg = f"explain: expected a method such as GET, got {method!r}"
        raise ValueError(msg)
    scope = _scope(method.upper(), path, headers)
    if actor is not None:
        scope[ACTOR], scope[SECURITY_SCOPE] = actor, policies
    dry = _DryWalk(router, scope, _silence, _nowhere)
    try:
        return await dry.explain(method.upper(), path)
    finally:
        dry.close()


def _scope(method: str, path: str, headers: Headers) -> dict[str, Any]:
    raw, _, query = path.partition("?")
    pairs: Iterable[tuple[str, str]] = headers.items() if isinstance(headers, Mapping) else headers
    lines = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in pairs]
    if not any(name == b"host" for name, _ in lines):
        lines.insert(0, (b"host", b"localhost"))
    is_socket = method == "WEBSOCKET"
    scope: dict[str, Any] = {
        "type": "websocket" if is_socket else "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "scheme": "ws" if is_socket else "http",
        "path": unquote(raw),
        "raw_path": raw.encode("ascii"),
        "query_string": query.encode("ascii"),
        "root_path": "",
        "headers": lines,
        "client": ("127.0.0.1", 0),
        "server": ("localhost", 80),
        "state": {},
    }
    return {**scope, "subprotocols": []} if is_socket else {**scope, "method": method}


async def _silence() -> Message:
    return {"type": "http.disconnect"}


async def _nowhere(message: Message) -> None:
    """Take what is never sent."""


class _DryWalk(Walk):
    """A walk that calls no handler."""

    __slots__ = ("_around", "_end", "_steps")

    def __init__(self, router: Router, scope: Scope, receive: Receive, send: Send, around: int = 0) -> None:
        self._steps: list[Step] = []
        self._end: tuple[int | None, str] | None = None
        self._around = around
        super().__init__(router, scope, receive, send)
        self._note("router", name_of(type(router)), self._base or "/", "enters", depth=around)

    def _note(self, kind: Kind, name: str, path: str, outcome: Outcome, **facts: Any) -> None:
        depth = facts.pop("depth", None)
        depth = self._around + depth_of(self.frame) if depth is None else depth
        self._steps.append(Step(kind=kind, name=name, depth=depth, path=path, outcome=outcome, **facts))

    async def explain(self, method: str, path: str) -> Explanation:
        """Walk to the end."""
        while self._end is None:
            handler = self.select()
            if handler is None:
                self._end = self._exhausted()
            else:
                await self._meet(handler)
        status, end = self._end
        return Explanation(method=method, path=path, steps=tuple(self._steps), status=status, end=end)

    def _exhausted(self) -> tuple[int, str]:
        if self.error is not None:
            status = getattr(self.error, "status", 500)
            return status, f"{status} {REASONS.get(status, '')}: {self.error}"
        if self.res.finished or self.res._ended:
            return 200, f"200 OK, with Allow: {self.res.get('Allow')}"
        others = sorted({m for step in self._steps if step.outcome == "other method" for m in step.methods})
        words = f"; the path is there for {', '.join(others)}" if others else ""
        return 404, "404 Not Found: nothing answers" + words

    # -- what the walk enters

    def _enter_router(self, frame: Frame, router: Router, prefix: Pattern | None) -> None:
        super()._enter_router(frame, router, prefix)
        depth = self._around + depth_of(self.frame) - 1
        self._note("router", name_of(type(router)), place_of(self.frame, self._base), "enters", depth=depth)

    def _record(self, frame: RouterFrame, route: Route, match: Match) -> None:
        super()._record(frame, route, match)
        params = dict(self.req.params)
        template = self._scopes[0][MATCH].template
        self._note("route", route.name or template, template, "matches", methods=route.methods, params=params)

    def _serves(self, frame: RouterFrame, route: Route, method: str) -> bool:
        if not route.serves(method):
            template = join(place_of(frame, self._base), written(route.path))
            self._note("route", route.name or template, template, "other method", methods=route.methods)
        return super()._serves(frame, route, method)

    # -- what it would call

    async def _meet(self, handler: Handler) -> None:
        kind = handler.kind
        role = role_of(handler, self.frame)
        name, place = handler.name, place_of(self.frame, self._base, own=True)
        if kind == APP:
            await self._meet_app(handler, role, name, place)
        elif kind < 3 or (kind == SOCKET and handler.count < 3):
            self._note(role, name, place, "answers")
            self._end = (None, f"{name} answers")
        elif kind == PARAM:
            run = cast("RouterFrame", self.frame).run
            assert run is not None and run.entry is not None  # noqa: S101, PT018 - how PARAM came to be selected
            self._note(role, name, place, "may answer", params={run.name: run.entry.match})
            self.signal(None)
        elif (foresee := getattr(getattr(handler.fn, "__self__", None), "_foresee", None)) is not None:
            await self._meet_files(foresee, role, name, place)
        elif (leaves := getattr(handler.fn, "leaves", None)) is not None:
            self._note(role, name, place, "passes on", why="what comes after it in this router is left out")
            self.signal(leaves)
        else:
            self._note(role, name, place, "may answer")
            self.signal(self.error if kind == ERROR else None)

    async def _meet_files(self, foresee: Foresee, role: Kind, name: str, place: str) -> None:
        """Ask ``static``, which knows without answering."""
        try:
            answers, why = await foresee(self.req)
        except HTTPError as error:
            self._note(role, name, place, "passes on", why=f"it fails: {error.status} {REASONS.get(error.status, '')}")
            self.signal(error)
            return
        self._note(role, name, place, "answers" if answers else "passes on", why=why)
        if answers:
            self._end = (None, f"{name} answers: {why}")
        else:
            self.signal(None)

    async def _meet_app(self, handler: Handler, role: Kind, name: str, place: str) -> None:
        app = handler.fn
        scope = self._scope_for(handler)
        inside = None if handler.opaque else wrapped_router(app)
        if inside is not None and self._around < _MAX_WRAPPED:
            self._note(role, name, place, "may answer", why="it is around a router")
            inner = _DryWalk(inside, scope, _silence, _nowhere, self._around + depth_of(self.frame))
            explained = await inner.explain("", "")
            inner.close()
            self._steps += explained.steps
            self._end = (explained.status, explained.end)
            return
        if handler.opaque or inside is not None:
            self._note(role, name, place, "answers", why="an application of its own")
            self._end = (None, f"{name} answers")
            return
        mark = mark_of(scope)
        ask: Callable[[Scope], Any] | None = getattr(app, "explain", None)
        try:
            if callable(ask):
                self._ask(ask(scope), role, name, place)
            elif getattr(app, "enriches", False) is True:
                scope = await _enriched(app, scope)
                self._note(role, name, place, "passes on", why=_found_out(scope))
            else:
                self._note(role, name, place, "may answer")
        except Exception as error:  # whatever its code does; a request would go on with it too
            self._note(role, name, place, "passes on", why=f"it fails: {type(error).__name__}: {error}")
            self.signal(error)
        else:
            self._adopt(scope, mark)  # what next_app does to the walk

    def _ask(self, decision: Any, role: Kind, name: str, place: str) -> None:
        details = asdict(decision) if is_dataclass(decision) and not isinstance(decision, type) else None
        allowed = getattr(decision, "allowed", True)
        enforced = getattr(decision, "enforced", True)
        why = _words(details or {"decision": str(decision)})
        refuses = not allowed and enforced
        self._note(role, name, place, "refuses" if refuses else "passes on", why=why, details=details)
        if refuses:
            self._end = (None, f"{name} refuses: {why}")


def _words(details: Mapping[str, Any]) -> str:
    """Return what a decision says of itself, in one line."""
    words = [str(details.get("reason") or details.get("decision") or "")]
    if details.get("policy"):
        words = [f"policy {details['policy']}"]
    if "enforced" in details and not details["enforced"] and not details.get("allowed", True):
        words.append("not enforced")
    if details.get("actor"):
        words.append(f"actor {details['actor']}")
    if details.get("action") and details.get("resource"):
        words.append(f"{details['action']} on {details['resource']}")
    return ", ".join(word for word in words if word)


def _found_out(scope: Scope) -> str:
    actor = scope.get(ACTOR)
    if actor is not None:
        return f"the actor is {actor.id}"
    return "there is no actor" if ACTOR in scope else f"the client is {scope['client'][0]}"


class _Door:
    """Stands for the walk while a middleware writes into the scope what it has found out."""

    scope: Scope | None = None
    unhandled: BaseException | None = None

    async def resume(self, scope: Scope, receive: Receive, send: Send) -> None:
        del receive, send
        self.scope = scope


async def _enriched(app: Callable[..., Awaitable[None]], scope: Scope) -> Scope:
    """Run a middleware that only reads the request and writes the scope, and return what it passes on."""
    door = _Door()
    own = cast("dict[str, Any]", scope)
    own[WALK] = door
    try:
        await app(own, _silence, _nowhere)
    finally:
        passed = cast("dict[str, Any]", own if door.scope is None else door.scope)
        for each in (own, passed):
            each.pop(WALK, None)
    return passed
