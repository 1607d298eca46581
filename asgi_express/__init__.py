"""Express for ASGI: mountable sub-applications with the semantics of Express 5, and pure-ASGI middleware.

::

    import asgi_express as express

    app = express.Express()
    app.get("/", lambda req, res: res.send("Hello"))
    app.listen(3000)
"""

from asgi_express._handlers import blocking
from asgi_express._scope import next_app
from asgi_express.application import Express
from asgi_express.errors import (
    BodyError,
    ClientDisconnect,
    DecodeError,
    ExpressError,
    HeadersSentError,
    HTTPError,
    MisuseError,
    PathError,
)
from asgi_express.request import Request
from asgi_express.response import Response
from asgi_express.route import Route, RouteMatch
from asgi_express.router import Router
from asgi_express.types import Next

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
    "RouteMatch",
    "Router",
    "blocking",
    "next_app",
]
