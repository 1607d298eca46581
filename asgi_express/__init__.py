"""Express for ASGI: mountable sub-applications with the semantics of Express 5, and pure-ASGI middleware.

::

    import asgi_express as express

    app = express.Express()
    app.get("/", lambda req, res: res.send("Hello"))
    app.listen(3000)
"""

from typing import TYPE_CHECKING, Any

from asgi_express._handlers import blocking
from asgi_express._routes import RouteInfo
from asgi_express._scope import next_app
from asgi_express.application import Express
from asgi_express.cookies import cookie_parser
from asgi_express.errors import (
    BodyError,
    ClientDisconnect,
    DecodeError,
    ExpressError,
    HeadersSentError,
    HTTPError,
    MisuseError,
    PathError,
    UrlError,
)
from asgi_express.request import Request
from asgi_express.response import Response
from asgi_express.route import Route, RouteMatch
from asgi_express.router import Router
from asgi_express.static import static
from asgi_express.types import Next

if TYPE_CHECKING:
    # From the modules: mypy would take the modules themselves for what the package exports.
    from asgi_express.body.json import json as json
    from asgi_express.body.multipart import multipart as multipart
    from asgi_express.body.raw import raw as raw
    from asgi_express.body.text import text as text
    from asgi_express.body.urlencoded import urlencoded as urlencoded
    from asgi_express.gateway import load as load
    from asgi_express.middleware import Session

__version__ = "0.1.0"

__all__ = [
    "BodyError",
    "ClientDisconnect",
    "DecodeError",
    "Express",
    "ExpressError",
    "HTTPError",
    "HeadersSentError",
    "MisuseError",
    "Next",
    "PathError",
    "Request",
    "Response",
    "Route",
    "RouteInfo",
    "RouteMatch",
    "Router",
    "UrlError",
    "blocking",
    "cookie_parser",
    "json",
    "load",
    "multipart",
    "next_app",
    "raw",
    "session",
    "static",
    "text",
    "urlencoded",
]


_PARSERS = frozenset({"json", "multipart", "raw", "text", "urlencoded"})


def __getattr__(name: str) -> Any:
    """Import the body parsers when they are first asked for: who needs none does not pay for them."""
    if name in _PARSERS:
        from asgi_express import body

        return getattr(body, name)
    if name == "load":
        from asgi_express.gateway import load

        return load
    msg = f"module {__name__!r} has no attribute {name!r}"
    raise AttributeError(msg)


def session(**options: Any) -> "Session":
    """Return the middleware that keeps sessions: ``app.use(session(secret="..."))``.

    The options are those of :class:`asgi_express.middleware.Session`, which serves any other ASGI app too.

    Example::

        app.use(express.session(secret="a long random secret"))
    """
    from asgi_express.middleware import Session

    return Session(**options)
