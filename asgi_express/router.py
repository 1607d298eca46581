"""The router: an ordered stack of middleware, routes and routers, and an ASGI app.

Mounted in a host, standing alone, or used in another router, it is the same object.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Any, TypeAlias, cast, overload

from asgi_express._camel import snake_case_only
from asgi_express._dispatch import Walk
from asgi_express._handlers import ERROR, ROUTER, Handler, app_handler, classify, name_of, param_handler
from asgi_express._index import Index
from asgi_express._layer import Layer
from asgi_express._lifespan import lifespans, serve_lifespan
from asgi_express._named import Names, router_url
from asgi_express._routes import Routes
from asgi_express._settings import Settings
from asgi_express._verbs import Decorator, RouterVerbs
from asgi_express.errors import MisuseError
from asgi_express.route import Route
from asgi_express.types import ASGIApp, HandlerSpec, PathSpec, Receive, Scope, Send

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Self

    from asgi_express._explain import Explanation, Headers
    from asgi_express.application import Express

__all__ = ["Lifespan", "Router"]

Lifespan: TypeAlias = Callable[[Any], AbstractAsyncContextManager[Mapping[str, Any] | None]]


@snake_case_only
class Router(RouterVerbs):
    """An ordered stack, walked by each request.

    Args:
        case_sensitive: whether ``/Foo`` and ``/foo`` are two paths.
        merge_params: whether handlers see the parameters of the routers around this one.
        strict: whether ``/foo`` and ``/foo/`` are two paths.
        raise_errors: hand errors that nobody answered to the host or server instead of answering 500.
        lifespan: an asynchronous context manager function of this router, as in Starlette and FastAPI;
            what it yields is the ``state`` of requests.

    Attributes:
        application: the application that this router is; ``None`` if it is none.

    Example::

        users = Router()

        @users.get("/:id")
        def show(req, res):
            res.json({"id": req.params["id"]})

        fastapi_app.mount("/users", users)
    """

    is_router = True

    # The explorer puts a walk that takes the time in its place; to look it up costs what a global name does.
    _walk: Callable[[Router, Scope, Receive, Send], Walk] = Walk

    case_sensitive: bool
    merge_params: bool
    raise_errors: bool

    def __init__(
        self,
        *,
        case_sensitive: bool = False,
        merge_params: bool = False,
        strict: bool = False,
        raise_errors: bool = False,
        lifespan: Lifespan | None = None,
    ) -> None:
        self.case_sensitive = case_sensitive
        self.merge_params = merge_params
        self.strict = strict
        self.raise_errors = raise_errors
        self.stack: list[Layer] = []
        self._index: Index | None = None
        self._names: Names | None = None
        self.post_handlers: tuple[Handler, ...] = ()
        self.param_callbacks: dict[str, list[Handler]] = {}
        self.settings = Settings()
        self.application: Express | None = None
        self.lifespan_states: dict[int, dict[str, Any]] = {}
        self._lifespan = lifespan

    @property
    def index(self) -> Index:
        """What finds layers by path; made anew when the stack has grown.

        Example: ``router.index.size`` is ``1`` after ``router.get("/", show)``.
        """
        index = self._index
        if index is None or index.size != len(self.stack):
            index = self._index = Index(self.stack)
        return index

    # -- registration

    @overload
    def use(self) -> Decorator: ...
    @overload
    def use(self, path: str | re.Pattern[str], /) -> Decorator: ...  # type: ignore[overload-overlap] # text is a sequence
    @overload
    def use(self, path: PathSpec, handler: HandlerSpec, /, *handlers: HandlerSpec) -> Self: ...
    @overload
    def use(self, handler: HandlerSpec, /, *handlers: HandlerSpec) -> Self: ...
    def use(self, *args: Any) -> Any:
        """Add middleware, error handlers, routers or ASGI apps for a path and all below it.

        ``use(*handlers)``, ``use(path, *handlers)``; as a decorator, ``@use()`` and ``@use(path)``.

        Raises:
            PathError: the path cannot be compiled.
            TypeError: a handler is not one.

        Example::

            app.use(log_requests)
            app.use("/users", users_router)
        """
        path, handlers = _split_path(args)
        if not handlers and (len(args) == 0 or path is not None):
            return Decorator(lambda fn: self.use("/" if path is None else path, fn))
        for handler in classify(handlers, "use()"):
            self._use("/" if path is None else path, handler)
        return self

    def _use(self, path: PathSpec, handler: Handler, name: str | None = None) -> None:
        if isinstance(handler.fn, Router):
            self._check_cycle(handler.fn)
            self._push(path, end=False, router=handler.fn, name=name)
            handler.fn._used_by(self, path)
        else:
            self._push(path, end=False, handler=handler)

    def _used_by(self, parent: Router, path: PathSpec) -> None:
        """Note that another router walks this one."""

    def mount(self, path: PathSpec, app: ASGIApp, name: str | None = None) -> Self:
        """Mount an ASGI app, which answers everything below a path. A router falls through where it has no answer.

        The way in for apps that are functions, and for WSGI apps: ``mount("/old", WsgiToAsgi(flask_app))``.

        Args:
            path: the prefix.
            app: any ASGI 3 app.
            name: what ``url_for`` and tools know the mount by: ``url_for("admin:user", id=7)``.

        Raises:
            PathError: the path cannot be compiled.
            TypeError: ``app`` is not an ASGI app.

        Example::

            app.mount("/admin", admin_app, name="admin")
        """
        if isinstance(app, Router):
            self._use(path, Handler(app, ROUTER), name)
        else:
            self._push(path, end=False, handler=app_handler(app, "mount()", opaque=True), name=name)
        return self

    def route(self, path: PathSpec, *, name: str | None = None, meta: Mapping[str, Any] | None = None) -> Route:
        """Add a route, to be given handlers: ``router.route("/x").get(h1).post(h2)``.

        Raises:
            PathError: the path cannot be compiled.

        Example::

            router.route("/users").get(list_users).post(add_user)
        """
        route = Route(path, name=name, meta=meta)
        self._push(path, end=True, route=route)
        return route

    def _register(self, method: str | None, path: PathSpec, handlers: Any, **facts: Any) -> None:
        # Classified before the route exists, so that a mistake leaves no empty route behind.
        classify(handlers, f"{(method or 'all').lower().replace('-', '_')}()")
        self.route(path, **facts)._add(method, *handlers)

    @overload
    def all(
        self, path: PathSpec, /, *, name: str | None = None, meta: Mapping[str, Any] | None = None
    ) -> Decorator: ...
    @overload
    def all(
        self,
        path: PathSpec,
        handler: HandlerSpec,
        /,
        *handlers: HandlerSpec,
        name: str | None = None,
        meta: Mapping[str, Any] | None = None,
    ) -> Self: ...
    def all(
        self,
        path: PathSpec,
        /,
        *handlers: HandlerSpec,
        name: str | None = None,
        meta: Mapping[str, Any] | None = None,
    ) -> Any:
        """Register handlers for a path and every method; without handlers, be a decorator.

        Raises:
            PathError: the path cannot be compiled.
            TypeError: a handler is not one.

        Example::

            router.all("/health", lambda req, res: res.send("ok"))
        """
        if not handlers:
            return Decorator(lambda fn: self.all(path, fn, name=name, meta=meta))
        self._register(None, path, handlers, name=name, meta=meta)
        return self

    @overload
    def ws(self, path: PathSpec, /, *, name: str | None = None) -> Decorator: ...
    @overload
    def ws(self, path: PathSpec, handler: HandlerSpec, /, *handlers: HandlerSpec, name: str | None = None) -> Self: ...
    def ws(self, path: PathSpec, /, *handlers: HandlerSpec, name: str | None = None) -> Any:
        """Register WebSocket handlers of ``(ws)``, ``(ws, req)`` or ``(ws, req, next)``; without, be a decorator.

        ``ws`` is Starlette's ``WebSocket``. What ``use`` has put before it runs first, and may refuse the
        handshake with an ordinary answer.

        Raises:
            PathError: the path cannot be compiled.
            TypeError: a handler is not one.

        Example::

            @router.ws("/echo")
            async def echo(ws):
                await ws.accept()
        """
        if not handlers:
            return Decorator(lambda fn: self.ws(path, fn, name=name))
        route = Route(path, name=name).ws(*handlers)
        self._push(path, end=True, route=route)
        return self

    @overload
    def post_match(self) -> Decorator: ...
    @overload
    def post_match(self, handler: HandlerSpec, /, *handlers: HandlerSpec) -> Self: ...
    def post_match(self, *handlers: HandlerSpec) -> Any:
        """Add handlers that run after a route was matched, here or in a router below, and before its own.

        Authorisation lives here: the record of the match is in the scope. They cover every route and mounted
        app of the router, those registered before this call too. They do not cover what ``use`` has put before
        the routes: other middleware, ``static``, an ASGI app that was not given to ``mount``. An error of theirs
        leaves the route. Without handlers, be a decorator.

        Raises:
            TypeError: a handler is not one.

        Example::

            router.post_match(require_role)
        """
        if not handlers:
            return Decorator(self.post_match)
        added = classify(handlers, "post_match()")
        for handler in added:
            if handler.kind == ERROR:
                msg = f"post_match(): {handler.name} is an error handler; use() takes those"
                raise TypeError(msg)
        self.post_handlers = (*self.post_handlers, *added)
        return self

    @overload
    def param(self, name: str | list[str], /) -> Decorator: ...
    @overload
    def param(self, name: str | list[str], callback: HandlerSpec, /, *callbacks: HandlerSpec) -> Self: ...
    def param(self, name: str | list[str], /, *callbacks: HandlerSpec) -> Any:
        """Call back when a path has a parameter, once per value and request; without callbacks, be a decorator.

        Args:
            name: the parameter, or several.
            callbacks: functions of ``(req, res, next, value, name)``.

        Raises:
            TypeError: the name is not text, or a callback has another shape.

        Example::

            router.param("id", load_user)  # load_user(req, res, next, value, name)
        """
        names = name if isinstance(name, (list, tuple)) else [name]
        if not names or not all(isinstance(each, str) and each for each in names):
            msg = f"param(): expected the name of a parameter, got {name!r}"
            raise TypeError(msg)
        if not callbacks:
            return Decorator(lambda fn: self.param(name, fn))
        for callback in callbacks:
            handler = param_handler(callback, "param()")
            for each in names:
                self.param_callbacks.setdefault(each, []).append(handler)
        return self

    def _push(self, path: PathSpec, *, end: bool, **what: Any) -> None:
        strict = self.strict if end else False
        self.stack.append(Layer(path, end=end, strict=strict, case_sensitive=self.case_sensitive, **what))

    def _check_cycle(self, router: Router) -> None:
        if any(each is self for each in router._routers()):
            msg = f"use(): {name_of(router)} contains this router; a router cannot be mounted below itself"
            raise TypeError(msg)

    def _routers(self) -> Iterator[Router]:
        """Give this router and all below it."""
        pending: list[Router] = [self]
        seen: set[int] = set()
        while pending:
            router = pending.pop()
            if id(router) in seen:
                continue
            seen.add(id(router))
            yield router
            below: list[Router] = []
            for layer in router.stack:
                if layer.router is not None:
                    below.append(layer.router)
                elif layer.route is not None:
                    below.extend(cast("Router", handler.fn) for handler in layer.route._stack if handler.kind == ROUTER)
            pending.extend(reversed(below))

    # -- names

    def url_for(
        self,
        name: str,
        params: Mapping[str, Any] | None = None,
        /,
        *,
        query: Mapping[str, Any] | str | None = None,
        **values: Any,
    ) -> str:
        """Return the path of a named route, from this router on, through whatever is mounted in it.

        Inside a request, ``req.url_for`` also knows what is around this router.

        Args:
            name: the route's; ``"mount:route"`` for one below a named mount.
            params: parameters by name, for names that are no identifiers or ``query``.
            query: values by name, or text.
            **values: parameters by name: text, numbers, lists for wildcards, objects with ``url_key``.

        Raises:
            UrlError: there is no such route, or a parameter is missing, unknown or unfit.

        Example::

            app.get("/users/:id", show, name="user")
            app.url_for("user", id=7)  # -> "/users/7"
        """
        return router_url(self, name, {**(params or {}), **values}, query)

    @property
    def routes(self) -> Routes:
        """Call it for a description of all routes in the tree; a host iterates over it to find our names.

        Example::

            for route in app.routes():
                print(*route.methods, route.template, route.name)
        """
        return Routes(self)

    async def explain(
        self,
        method: str,
        path: str,
        headers: Headers = (),
        *,
        actor: Any = None,
        policies: Any = None,
    ) -> Explanation:
        """Say which layers would see a request, in order, and what each would decide. No handler is run.

        A middleware that has a method ``explain(scope)``, as the firewalls do, is asked for its decision. One that
        says ``enriches = True``, as ``TokenAuth`` does, only reads the request, and is run. Every other one, and every
        handler that takes ``next``, is taken to pass the request on.

        Args:
            method: ``"GET"``, say; ``"WEBSOCKET"`` for a handshake.
            path: percent-encoded, with the query if there is one.
            headers: by name, or as pairs.
            actor: who asks; by default that is for ``TokenAuth`` to find out.
            policies: the policies of the actor, a ``Scope``.

        Raises:
            ValueError: the method or the path cannot be.

        Example::

            router.get("/users/:id", show)
            explanation = await router.explain("GET", "/users/7")
            explanation.route.params  # -> {"id": "7"}
        """
        from asgi_express._explain import explain

        return await explain(self, method, path, headers, actor=actor, policies=policies)

    # -- lifespan

    def lifespan_context(self, app: Any = None) -> AbstractAsyncContextManager[Any]:
        """Run the lifespans of this router, the routers below it and all mounted ASGI apps around a block.

        Standing alone, the server does this. A host that runs no lifespan of mounted apps is given it by hand.

        Example::

            app = FastAPI(lifespan=router.lifespan_context)

        Args:
            app: what hosts pass to a lifespan function; not used.

        Raises:
            LifespanError: a mounted app failed; those that had started were stopped.
        """
        del app
        return lifespans(self)

    # -- ASGI

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection: HTTP, WebSocket or lifespan.

        Raises:
            MisuseError: the scope is of a type that a router cannot serve.
        """
        kind = scope["type"]
        if kind != "http" and kind != "websocket":
            if kind == "lifespan":
                await serve_lifespan(self.lifespan_context(), scope, receive, send)
                return
            msg = f"a router cannot serve a scope of type {kind!r}"
            raise MisuseError(msg)
        walk = self._walk(self, scope, receive, send)
        try:
            await walk.run()
        finally:
            if walk.req._has_end:
                await walk.req._over()
            walk.close()
        if walk.unhandled is not None:
            raise walk.unhandled


def _split_path(args: tuple[Any, ...]) -> tuple[PathSpec | None, tuple[Any, ...]]:
    """Split the arguments of ``use`` into the path, if the first is one, and the handlers."""
    if args:
        first = args[0]
        around: list[int] = []
        while isinstance(first, (list, tuple)) and first and id(first) not in around:  # flatten() refuses what is
            around.append(id(first))
            first = first[0]
        if isinstance(first, (str, re.Pattern)):
            return args[0], args[1:]
    return None, args
