"""Luxure's server as a thin face over ``Express``: options, an own socket, a blocking loop; events by a builder.

What Luxure does that nobody wants is not done here: middleware runs in the order of registration, not the last first;
a request is handled by the first route that answers, not by every one that matches; a production server does not
tell the client what went wrong.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from asgi_express import sse
from asgi_express._verbs import RouterVerbs
from asgi_express.application import Express
from asgi_express.errors import MisuseError
from asgi_express.types import Duration, Receive, Scope, Send

if TYPE_CHECKING:
    from typing import Self

    from asgi_express.request import Request
    from asgi_express.response import Response
    from asgi_express.types import Next

__all__ = ["Event", "Opts", "Server", "Sse"]

_ENVS = {"production": "production", "debug": "development"}

# Connections that wait to be accepted, where nobody says: what uvicorn takes.
_BACKLOG = 2048


@dataclass
class Opts:
    """The options of a server.

    Attributes:
        env: ``"production"`` or ``"debug"``, where errors are shown with their traceback.
        backlog: how many connections may wait to be accepted; ``None`` for the usual number.

    Raises:
        ValueError: a value is not one of these.

    Example::

        opts = Opts().set_env("debug").set_backlog(64)
        (opts.env, opts.backlog)  # -> ("debug", 64)
    """

    env: str = "production"
    backlog: int | None = None

    def __post_init__(self) -> None:
        self.set_env(self.env).set_backlog(self.backlog)

    def set_env(self, env: str) -> Self:
        """Set the environment.

        Raises:
            ValueError: it is neither ``"production"`` nor ``"debug"``.

        Example: ``Opts().set_env("debug").env`` is ``"debug"``.
        """
        if env not in _ENVS:
            msg = f"Opts: env must be 'production' or 'debug', not {env!r}"
            raise ValueError(msg)
        self.env = env
        return self

    def set_backlog(self, backlog: int | None) -> Self:
        """Set the backlog.

        Raises:
            ValueError: it is not a number of 1 or more.

        Example: ``Opts().set_backlog(64).backlog`` is ``64``.
        """
        if backlog is not None and (isinstance(backlog, bool) or not isinstance(backlog, int) or backlog < 1):
            msg = f"Opts: backlog must be an integer of 1 or more, or None, not {backlog!r}"
            raise ValueError(msg)
        self.backlog = backlog
        return self


class Server(RouterVerbs):
    """A server: middleware, a handler for each path and method, a socket. Also an ASGI app.

    Every HTTP method has a method: ``server.get("/", handler)``, ``server.m_search(...)``; each returns the server.

    Args:
        opts: the options.
        sock: a TCP socket of your own, not bound yet; else one is made by ``listen``.

    Attributes:
        app: the application, for all that Express has and Luxure has not.
        ip: the address to bind: all of the machine's, as in Luxure, until ``set_ip`` says otherwise.
        port: the port, once it listens.
        env: ``"production"`` or ``"debug"``.
        backlog: how many connections may wait to be accepted.

    Raises:
        TypeError: ``sock`` is not a TCP socket.

    Example::

        server = Server(Opts(env="debug"))
        server.use(lambda req, res, next: next()).get("/", lambda req, res: res.send("Hello"))
        app = server.app
    """

    def __init__(self, opts: Opts | None = None, *, sock: socket.socket | None = None) -> None:
        opts = opts or Opts()
        if sock is not None and (not isinstance(sock, socket.socket) or sock.type != socket.SOCK_STREAM):
            msg = f"Server: expected a TCP socket, not {sock!r}"
            raise TypeError(msg)
        self.app = Express(env=_ENVS[opts.env])
        self.ip = "0.0.0.0"  # noqa: S104 - Luxure's own default; set_ip narrows it
        self.port: int | None = None
        self.env = opts.env
        self.backlog = opts.backlog
        self._sock = sock

    @classmethod
    def new(cls, opts: Opts | None = None) -> Self:
        """Return a server that makes its own socket.

        Example: ``Server.new(Opts(env="debug")).env`` is ``"debug"``.
        """
        return cls(opts)

    @classmethod
    def new_with(cls, sock: socket.socket, opts: Opts | None = None) -> Self:
        """Return a server over a TCP socket of your own, which ``listen`` binds, and ``run`` closes.

        Raises:
            TypeError: it is not a TCP socket.

        Example::

            import socket

            server = Server.new_with(socket.socket()).set_ip("127.0.0.1").listen()
            server.close()
            server.port  # -> None
        """
        return cls(opts, sock=sock)

    @property
    def router(self) -> Express:
        """Where the handlers are registered: the application.

        Example: ``Server().router.stack`` is ``[]``.
        """
        return self.app

    def set_ip(self, ip: str) -> Self:
        """Set the address to bind.

        Raises:
            ValueError: it is not an IP address.

        Example: ``Server().set_ip("127.0.0.1").ip`` is ``"127.0.0.1"``.
        """
        self.ip = str(ipaddress.ip_address(ip))
        return self

    def use(self, *args: Any) -> Self:
        """Add middleware of ``(req, res, next)``, as ``app.use``: the first one runs first.

        Raises:
            TypeError: a handler is not one.

        Example::

            server = Server()
            server.use(lambda req, res, next: next())
            server.get("/", lambda req, res: res.send("Hello"))
        """
        self.app.use(*args)
        return self

    def _register(self, method: str | None, path: Any, handlers: Any, **facts: Any) -> None:
        self.app._register(method, path, handlers, **facts)

    def listen(self, port: int = 0) -> Self:
        """Bind the socket; connections wait in it until ``run``.

        Args:
            port: 0 for any that is free, to be read from ``server.port``.

        Raises:
            MisuseError: it listens already.
            OSError: the address cannot be bound.

        Example::

            server = Server().set_ip("127.0.0.1").listen()
            server.port > 0  # -> True
            server.close()
        """
        if self.port is not None:
            msg = f"the server listens on port {self.port} already"
            raise MisuseError(msg)
        family = socket.AF_INET6 if ":" in self.ip else socket.AF_INET
        # Named, as asyncio sets TCP_NODELAY only then.
        sock = self._sock or socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        try:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.bind((self.ip, port))
            sock.listen(self.backlog or _BACKLOG)
        except OSError:
            if self._sock is None:
                sock.close()
            raise
        self._sock = sock
        self.ip, self.port = sock.getsockname()[:2]
        return self

    def close(self) -> None:
        """Close the socket of a server that was not run.

        Example::

            server = Server().set_ip("127.0.0.1").listen()
            server.close()
            server.port  # -> None
        """
        if self._sock is not None:
            self._sock.close()
        self._sock = self.port = None

    def run(self, err_callback: Callable[[str], Any] | None = None, **options: Any) -> None:
        """Serve until interrupted.

        Args:
            err_callback: called with the message of each error that no error handler answered.
            **options: further options of ``uvicorn.Config``.

        Raises:
            ImportError: the extra ``server`` is not installed.
            MisuseError: ``listen`` was not called.
            RuntimeError: the application failed to start.
            TypeError: ``err_callback`` is no function.

        Example::

            server = Server()
            server.get("/", lambda req, res: res.send("Hello"))
            server.set_ip("127.0.0.1").listen(8080).run(print)
        """
        if self._sock is None or self.port is None:
            msg = "run() comes after listen()"
            raise MisuseError(msg)
        if err_callback is not None:
            if not callable(err_callback):
                msg = f"run: err_callback must be a function of the message, not {err_callback!r}"
                raise TypeError(msg)
            tell = err_callback

            def report(err: Any, req: Request, res: Response, next: Next) -> None:
                tell(str(err))
                next(err)

            self.app.use(report)
        from asgi_express.server import listen

        sock, backlog = self._sock, self.backlog or _BACKLOG
        try:
            listen(self.app, port=self.port, host=self.ip, sock=sock, **{"backlog": backlog, **options})
        finally:
            self._sock = self.port = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Be an ASGI app. Not for programs."""
        await self.app(scope, receive, send)


class Event:
    r"""A builder of server-sent events: every method sets a part, and returns the builder.

    Unlike Luxure's, empty lines in the data are kept.

    Example::

        str(Event().event("price").id("7").data("42"))  # -> "event: price\ndata: 42\nid: 7\n\n"
    """

    def __init__(self) -> None:
        self._parts: dict[str, Any] = {}

    def _set(self, **part: Any) -> Self:
        sse.Event(**part)  # refuses what is wrong where it is written
        self._parts |= part
        return self

    def comment(self, text: str) -> Self:
        r"""Set text that the client does not hand on.

        Example: ``str(Event().comment("hello"))`` is ``": hello\n\n"``.
        """
        return self._set(comment=text)

    def event(self, name: str) -> Self:
        r"""Set the type.

        Raises:
            ValueError: it has a line end or NUL.

        Example: ``str(Event().event("price"))`` is ``"event: price\n\n"``.
        """
        return self._set(event=name)

    def id(self, id: str) -> Self:  # noqa: A002 - the word of the format
        r"""Set what the client sends back when it connects again.

        Raises:
            ValueError: it has a line end or NUL.

        Example: ``str(Event().id("7"))`` is ``"id: 7\n\n"``.
        """
        return self._set(id=id)

    def data(self, data: Any) -> Self:
        r"""Set the data: text as it is, anything else as JSON.

        Example: ``str(Event().data({"price": 42}))`` is ``'data: {"price":42}\n\n'``.
        """
        return self._set(data=data)

    def retry(self, wait: Duration) -> Self:
        r"""Set how long the client waits before it connects again.

        Raises:
            ValueError: it is negative, or cannot be read.

        Example: ``str(Event().retry("5s"))`` is ``"retry: 5000\n\n"``.
        """
        return self._set(retry=wait)

    def build(self) -> sse.Event:
        """Return the event.

        Example: ``Event().id("7").build().id`` is ``"7"``.
        """
        return sse.Event(**self._parts)

    def __str__(self) -> str:
        return str(self.build())


class Sse(sse.EventStream):
    """A stream of events to one client; ``send`` takes builders too.

    Args:
        res: the response that becomes the stream.
        keepalive: how often a silent stream sends a comment; ``True`` for 15 seconds, ``None`` for never.

    Raises:
        ValueError: ``keepalive`` is not positive.

    Example::

        async with Sse(res, keepalive=True) as stream:
            await stream.send(Event().event("price").data({"price": 42}))
    """

    def __init__(self, res: Response, keepalive: Duration | Literal[True] | None = None) -> None:
        super().__init__(res, None, 15 if keepalive is True else keepalive)

    async def send(self, data: Any = None, *, event: str | None = None, id: str | None = None) -> None:  # noqa: A002
        """Send an event, or data with the parts of one; waits for a slow client.

        Raises:
            ClientDisconnect: the client has gone.

        Example::

            async with Sse(res) as stream:
                await stream.send(Event().data("hello"))
        """
        await super().send(data.build() if isinstance(data, Event) else data, event=event, id=id)
