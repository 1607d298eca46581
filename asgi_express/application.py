"""The application: a router with settings, locals and a server."""

from __future__ import annotations

import asyncio
from collections import ChainMap
from collections.abc import Mapping
from inspect import isawaitable
from typing import TYPE_CHECKING, Any, cast

from asgi_express._camel import snake_case_only
from asgi_express._events import Events, Listener
from asgi_express._verbs import METHODS
from asgi_express.errors import MisuseError
from asgi_express.router import Lifespan, Router

if TYPE_CHECKING:
    from typing import Self

    from asgi_express.route import Route
    from asgi_express.server import Server
    from asgi_express.types import PathSpec
    from asgi_express.views import Engine

__all__ = ["Express"]

_SETTINGS = frozenset(
    {
        *("case sensitive routing", "env", "etag", "json escape", "json replacer", "json spaces"),
        *("jsonp callback name", "query parser", "strict routing", "subdomain offset", "trust proxy"),
        *("view", "view cache", "view engine", "views", "x-powered-by"),
    }
)

# Names that a client might choose must not fill the memory.
_MAX_VIEWS = 1000


@snake_case_only
class Express(Router):
    """An application: serve it alone, mount it in a host, or use it in another application.

    Args:
        lifespan: an asynchronous context manager function of the application.
        raise_errors: hand errors that nobody answered to the host or server instead of answering 500.
        **settings: settings by name with underscores: ``Express(trust_proxy=1)`` is ``app.set("trust proxy", 1)``.

    Example::

        app = Express()
        app.get("/", lambda req, res: res.send("Hello"))
        app.listen(3000)
    """

    def __init__(self, *, lifespan: Lifespan | None = None, raise_errors: bool = False, **settings: Any) -> None:
        super().__init__(lifespan=lifespan, raise_errors=raise_errors)
        self.application = self
        self.parent: Express | None = None
        self.mountpath: PathSpec = "/"
        self.locals: dict[str, Any] = {"settings": self.settings}
        self.engines: ChainMap[str, Engine] = ChainMap()
        self._views: dict[str, Any] = {}
        self._events = Events()
        for keyword, value in settings.items():
            name = "x-powered-by" if keyword == "x_powered_by" else keyword.replace("_", " ")
            if name not in _SETTINGS:
                msg = f"Express(): there is no setting {keyword!r}; app.set() takes names of your own"
                raise TypeError(msg)
            self.set(name, value)

    # -- settings

    def set(self, name: str, value: Any) -> Self:
        """Set a setting, spelled as in Express: ``app.set("case sensitive routing", True)``.

        Raises:
            MisuseError: the router's ``case sensitive routing`` or ``strict routing`` is set after the first route.
            ValueError: the setting does not know the value.

        Example::

            app.set("trust proxy", 1).set("json spaces", 2)
        """
        if name in ("case sensitive routing", "strict routing"):
            if self.stack and bool(value) != bool(self.settings.get(name)):
                msg = f"set({name!r}) comes too late: the application has routes already"
                raise MisuseError(msg)
            setattr(self, "strict" if name == "strict routing" else "case_sensitive", bool(value))
        self.settings.set(name, value)
        return self

    def get_setting(self, name: str) -> Any:
        """Return a setting, inherited or own; ``None`` if it is not set.

        Example: ``app.get_setting("views")`` is ``"pages"`` after ``app.set("views", "pages")``.
        """
        return self.settings.get(name)

    def enable(self, name: str) -> Self:
        """Set a setting to ``True``.

        Example::

            app.enable("trust proxy")
        """
        return self.set(name, True)  # noqa: FBT003 - what enabling is

    def disable(self, name: str) -> Self:
        """Set a setting to ``False``.

        Example::

            app.disable("x-powered-by")
        """
        return self.set(name, False)  # noqa: FBT003 - what disabling is

    def enabled(self, name: str) -> bool:
        """Tell whether a setting is true.

        Example: ``app.enabled("trust proxy")`` is ``True`` after ``app.set("trust proxy", 1)``.
        """
        return bool(self.get_setting(name))

    def disabled(self, name: str) -> bool:
        """Tell whether a setting is not true.

        Example: ``app.disabled("etag")`` is ``True`` after ``app.set("etag", False)``.
        """
        return not self.enabled(name)

    # -- mounting

    def _used_by(self, parent: Router, path: PathSpec) -> None:
        self.mountpath = path
        if parent.application is not None:
            self.parent = parent.application
            self.settings.parent = parent.settings
            self.engines.maps[1:] = [self.parent.engines]
            if not self.stack:
                # As in Express, whose router is made at its first use: then it reads what is inherited.
                self.strict = self.enabled("strict routing")
                self.case_sensitive = self.enabled("case sensitive routing")
        self.emit("mount", parent)

    def path(self) -> str:
        """Return the path that the application is mounted at, through all applications around it.

        Example::

            admin = Express()
            app.use("/admin", admin)
            admin.path()  # -> "/admin"
        """
        if self.parent is None:
            return ""
        mountpath = self.mountpath
        own = ",".join(map(str, mountpath)) if isinstance(mountpath, (list, tuple)) else str(mountpath)
        return self.parent.path() + own

    def on(self, event: str, listener: Listener) -> Self:
        """Call a listener on an event: ``"mount"``, with the router that this was mounted on, or one of your own.

        Example::

            admin.on("mount", lambda parent: print("mounted on", parent))
        """
        self._events.add(event, listener)
        return self

    def emit(self, event: str, *args: Any) -> Self:
        """Call the listeners of an event.

        Example::

            app.on("ready", print)
            app.emit("ready", "with arguments")
        """
        self._events.emit(event, *args)
        return self

    # -- views

    def engine(self, extension: str, engine: Engine) -> Self:
        """Register the engine of an extension, with or without its dot: a callable of ``(path, options)``.

        Raises:
            TypeError: it is not callable.

        Example::

            app.engine("txt", lambda path, options: Path(path).read_text().format(**options))
        """
        if not callable(engine):
            msg = f"engine(): expected a callable of (path, options), got {engine!r}"
            raise TypeError(msg)
        self.engines["." + extension.lstrip(".")] = engine
        return self

    async def render(self, name: str, options: Mapping[str, Any] | None = None) -> str:
        """Return a rendered view; ``options`` win over ``app.locals``.

        Settings: ``views`` (a directory or several), ``view engine`` (the extension for names without one),
        ``view cache`` (whether a name is looked up once; on in production), ``view`` (another ``View`` class).

        Raises:
            ViewError: there is no such view or engine.

        Example::

            text = await app.render("mail.html", {"name": "Ada"})
        """
        from asgi_express.views import View

        cache = self.get_setting("view cache")
        cached = self.get_setting("env") == "production" if cache is None else bool(cache)
        view: Any = self._views.get(name) if cached else None
        if view is None:
            roots = self.get_setting("views")
            make = self.get_setting("view") or View
            view = await asyncio.to_thread(
                make,
                name,
                default_engine=self.get_setting("view engine"),
                roots=list(roots) if isinstance(roots, (list, tuple)) else [roots or "views"],
                engines=self.engines,
            )
            if cached and len(self._views) < _MAX_VIEWS:
                self._views[name] = view
        result: Any = view.render({**self.locals, **(options or {})})
        text: str = await result if isawaitable(result) else result
        return text

    # -- routing

    def _register(self, method: str | None, path: PathSpec, handlers: Any, **facts: Any) -> None:
        if method is None:
            # As in Express: an application's all() names every method, so it answers OPTIONS too.
            super()._register(METHODS[0], path, handlers, **facts)
            route = cast("Route", self.stack[-1].route)
            for each in METHODS[1:]:
                route._add(each, *handlers)
        else:
            super()._register(method, path, handlers, **facts)

    # -- serving

    def listen(self, port: int = 3000, host: str = "127.0.0.1", **options: Any) -> None:
        """Serve until interrupted, over uvicorn.

        Args:
            port: the TCP port; 0 for any that is free.
            host: the address to bind.
            **options: further options of ``uvicorn.Config``.

        Raises:
            ImportError: the extra ``server`` is not installed; the message names the line to install it.
            OSError: the address cannot be bound.
            RuntimeError: the application failed to start.

        Example::

            app.listen(3000, access_log=False)
        """
        from asgi_express.server import listen

        listen(self, port=port, host=host, **options)

    def serve(self, port: int = 3000, host: str = "127.0.0.1", **options: Any) -> Server:
        """Serve inside a running program: ``async with app.serve(port=0) as server: ...``.

        Args:
            port: the TCP port; 0 for any that is free, to be read from ``server.port``.
            host: the address to bind.
            **options: further options of ``uvicorn.Config``.

        Raises:
            ImportError: the extra ``server`` is not installed; the message names the line to install it.

        Example::

            async with app.serve(port=0) as server:
                print(server.url)
        """
        from asgi_express.server import Server

        return Server(self, port=port, host=host, **options)
