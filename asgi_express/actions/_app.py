"""``Actions``: a Lapis application, which is a router."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Collection, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from asgi_express._camel import snake_case_only
from asgi_express._handlers import ERROR, Handler, classify
from asgi_express._layer import Layer
from asgi_express._urls import safe_redirect_target
from asgi_express.actions import _callbacks
from asgi_express.actions._calls import Action
from asgi_express.actions._entries import Entries, Entry
from asgi_express.actions._marks import marked
from asgi_express.actions._methods import ActionMethod, split_path
from asgi_express.actions._request import ActionRequest
from asgi_express.actions._serve import handler_of, serve_default
from asgi_express.actions.flow import Flow
from asgi_express.actions.respond import Responder
from asgi_express.application import Express
from asgi_express.errors import MisuseError, PathError
from asgi_express.middleware import Session
from asgi_express.middleware._session_homes import Seal
from asgi_express.router import Lifespan, Router

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Self

    from asgi_express.request import Request
    from asgi_express.response import Response
    from asgi_express.types import Next, PathSpec
    from asgi_express.views import Engine

__all__ = ["Actions"]


@snake_case_only
class Actions(Router):
    """A Lapis application: actions by path, which return what to answer.

    It is a router: ``app.use("/shop", actions)``, ``fastapi_app.mount("/shop", actions)``, or alone. What ``use``,
    ``mount``, ``route``, ``ws`` and the methods that are not redefined here add stands before the actions, error
    handlers after them. Of the actions the one with the fewest captures is tried first.

    Every option but ``lifespan`` and ``raise_errors`` may be an attribute of a subclass instead.

    Args:
        secret: what sessions and CSRF tokens are signed with, 16 characters or more; of several the first signs and
            all are accepted. Without it there are none.
        session_name: the cookie of the session.
        session: further options of :class:`asgi_express.middleware.Session`, such as ``store`` and ``idle``.
        views: the directory of the views, or several.
        view_engine: the extension of views without one.
        layout: the view around every page; an action may name another, or ``False`` for none.
        flows: the flows: classes by name, or the package whose modules have one each.
        redirect_hosts: other hosts that ``redirect_to`` may lead to, with the port if they have one.
        lifespan: as for ``Router``.
        raise_errors: as for ``Router``.

    Raises:
        TypeError: an option is of a wrong type.
        ValueError: the secret is too short, or an option of the session is out of range.

    Example::

        app = Actions(secret=os.environ["SECRET"])

        @app.match("hello", "/hello/:name")
        def hello(self):
            return f"Hello, {escape(self.params['name'])}"
    """

    request_class: type[ActionRequest] = ActionRequest

    secret: str | Sequence[str] | None = None
    session_name: str = "lapis_session"
    session: Mapping[str, Any] | None = None
    views: str | Path | Sequence[str | Path] = "views"
    view_engine: str = "html"
    layout: Any = None
    flows: Mapping[str, type[Flow]] | str | None = None
    redirect_hosts: Collection[str] = ()

    path: str = ""
    name: str = ""
    """The prefixes of path and names where this app is included, unless ``include`` says otherwise."""

    # Callbacks are called with the request object, as actions are; hence Any, whatever a subclass makes of them.
    default_route: Any = staticmethod(_callbacks.default_route)
    handle_404: Any = staticmethod(_callbacks.handle_404)
    handle_error: Any = staticmethod(_callbacks.handle_error)
    cookie_attributes: Any = staticmethod(_callbacks.cookie_attributes)

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        for name in _callbacks.CALLBACKS:
            if inspect.isfunction(vars(cls).get(name)):
                setattr(cls, name, staticmethod(vars(cls)[name]))

    def __init__(
        self,
        *,
        secret: str | Sequence[str] | None = None,
        session_name: str | None = None,
        session: Mapping[str, Any] | None = None,
        views: str | Path | Sequence[str | Path] | None = None,
        view_engine: str | None = None,
        layout: Any = None,
        flows: Mapping[str, type[Flow]] | str | None = None,
        redirect_hosts: Collection[str] | None = None,
        lifespan: Lifespan | None = None,
        raise_errors: bool = False,
    ) -> None:
        super().__init__(lifespan=lifespan, raise_errors=raise_errors)
        given = {
            "secret": secret, "session_name": session_name, "session": session, "views": views, "layout": layout,
            "view_engine": view_engine, "flows": flows, "redirect_hosts": redirect_hosts,
        }  # fmt: skip
        for option, value in given.items():
            if value is not None:
                setattr(self, option, value)
        _check_options(self)
        self._renderer = Express(views=self.views, view_engine=self.view_engine)
        self._actions = Entries(self.stack, partial(handler_of, self))
        self._filters: list[Action] = []
        self._csrf_cookie = self.session_name + "_token"
        self._seal: Seal | None = None
        self.stack.append(Layer("/", end=False, handler=classify([self._serve_default], "Actions")[0]))
        if self.secret is not None:
            self.use(Session(secret=self.secret, cookie=self.session_name, **(self.session or {})))
            secrets = (self.secret,) if isinstance(self.secret, str) else tuple(self.secret)
            self._seal = Seal(secrets, self._csrf_cookie)
        for mark in marked(type(self)):
            if mark.is_filter:
                self._filters.append(mark.fn)
            for method, path in mark.routes:
                self._actions.replace(*split_path(path), method, mark.fn, mark.owner)

    # -- registration

    # ([name], path, action), or a decorator
    match = ActionMethod(None)
    get = ActionMethod("GET")  # type: ignore[assignment] # beside (path, handler) it takes (name, path, action)
    post = ActionMethod("POST")  # type: ignore[assignment] # as for get
    put = ActionMethod("PUT")  # type: ignore[assignment] # as for get
    patch = ActionMethod("PATCH")  # type: ignore[assignment] # as for get
    delete = ActionMethod("DELETE")  # type: ignore[assignment] # as for get

    def before_filter(self, fn: Action) -> Action:
        """Run a function before every action and ``default_route``; if it writes, that is the answer.

        What it returns does not matter, only what it gives to ``self.write``, or sends with ``self.res``. Returns the
        function: it is a decorator.

        Raises:
            TypeError: it is not callable.

        Example::

            @app.before_filter
            def check(self):
                if "user" not in self.session:
                    self.write({"redirect_to": self.url_for("sign_in")})
        """
        if not callable(fn):
            msg = f"before_filter: expected a function of the request object, got {fn!r}"
            raise TypeError(msg)
        self._filters.append(fn)
        return fn

    def include(
        self, other: Actions | type[Actions] | str, *, path: str | None = None, name: str | None = None
    ) -> Self:
        """Take over the actions that another app has now, with its filters before them.

        Its layout, views, flows and callbacks stay behind: the actions run in this app.

        Args:
            other: an app, a class of one, or where to import either from: ``"package.module:name"``.
            path: what to put before its paths; by default its attribute ``path``.
            name: what to put before its names; by default its attribute ``name``.

        Raises:
            MisuseError: a path or a name is taken.
            PathError: the prefix is not like ``/users``.
            TypeError: it is something else.

        Example::

            app.include(users, path="/users", name="user_")
        """
        if isinstance(other, str):
            module, _, attribute = other.partition(":")
            other = getattr(importlib.import_module(module), attribute or "app")
        if isinstance(other, type) and issubclass(other, Actions):
            other = other()
        if not isinstance(other, Actions) or other is self:
            msg = f"include: expected another Actions app, a class of one, or 'package.module:name', got {other!r}"
            raise TypeError(msg)
        path = other.path if path is None else path
        name = other.name if name is None else name
        if path and (not path.startswith("/") or path.endswith("/")):
            msg = f"include: a prefix begins with a slash and does not end with one, got {path!r}"
            raise PathError(msg, path=path)
        for entry in list(other._actions.entries):
            action = entry.action.copy() if entry.joins and isinstance(entry.action, Responder) else entry.action
            filters = (other._filters, *entry.filters)
            own_name = None if entry.name is None else name + entry.name
            self._actions.add(Entry(own_name, path + entry.path, action, filters=filters, meta=entry.meta))
        return self

    def engine(self, extension: str, engine: Engine) -> Self:
        """Register the engine of an extension for views, as ``Express.engine`` does.

        Example::

            app.engine("txt", lambda path, options: Path(path).read_text().format(**options))
        """
        self._renderer.engine(extension, engine)
        return self

    def _push(self, path: PathSpec, *, end: bool, **what: Any) -> None:
        layer = Layer(path, end=end, strict=self.strict and end, case_sensitive=self.case_sensitive, **what)
        handler: Handler | None = what.get("handler")
        if handler is not None and handler.kind == ERROR:
            self.stack.append(layer)
        else:
            self.stack.insert(self._actions.ahead, layer)
            self._actions.ahead += 1

    # -- what requests ask for

    @property
    def _csrf(self) -> tuple[Seal, str]:
        if self._seal is None:
            msg = "CSRF tokens are signed, which takes a secret: Actions(secret=os.environ['SECRET'])"
            raise MisuseError(msg)
        return self._seal, self._csrf_cookie

    def _flow_class(self, name: str) -> type[Flow]:
        if isinstance(self.flows, str):
            module = importlib.import_module(f"{self.flows}.{name}")
            classes = [each for each in vars(module).values() if isinstance(each, type) and issubclass(each, Flow)]
            own = [each for each in classes if each.__module__ == module.__name__]
            if len(own) != 1:
                msg = f"flow({name!r}): expected one subclass of Flow in {module.__name__}, there are {len(own)}"
                raise MisuseError(msg)
            return own[0]
        flows = self.flows or {}
        if name not in flows:
            msg = f"flow({name!r}): there is no such flow; there are {', '.join(map(repr, flows)) or 'none'}"
            raise MisuseError(msg)
        return flows[name]

    async def _serve_default(self, req: Request, res: Response, next: Next) -> None:
        if req.scope["type"] == "http":
            await serve_default(self, req, res, next)
        else:
            next()


def _check_options(app: Actions) -> None:
    if app.session is not None and app.secret is None:
        msg = "Actions: options of the session take a secret to sign it with"
        raise TypeError(msg)
    hosts = app.redirect_hosts
    if isinstance(hosts, str) or not isinstance(hosts, Collection) or not all(isinstance(each, str) for each in hosts):
        msg = f"Actions: redirect_hosts is a list of hosts, got {hosts!r}"
        raise TypeError(msg)
    for host in hosts:
        if not safe_redirect_target(f"https://{host}/", allowed_hosts=[host]):
            msg = f"Actions: redirect_hosts are hosts, 'example.com' or 'example.com:8443', got {host!r}"
            raise ValueError(msg)
    if not (app.layout is None or app.layout is False or isinstance(app.layout, str) or callable(app.layout)):
        msg = f"Actions: layout is the name of a view, a function or class of one, or False, got {app.layout!r}"
        raise TypeError(msg)
    classes = app.flows.values() if isinstance(app.flows, Mapping) else ()
    is_known = app.flows is None or isinstance(app.flows, (str, Mapping))
    if not is_known or not all(isinstance(each, type) and issubclass(each, Flow) for each in classes):
        msg = f"Actions: flows are classes by name, or a package, got {app.flows!r}"
        raise TypeError(msg)
