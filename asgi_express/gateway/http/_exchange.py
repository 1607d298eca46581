"""What is handled here and now."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from asgi_express.errors import MisuseError
from asgi_express.gateway.http._request import Request
from asgi_express.gateway.http._response import Response
from asgi_express.request import Request as ExpressRequest
from asgi_express.response import Response as ExpressResponse

__all__ = ["Exchange", "exchanging", "forget", "request", "response"]


class Exchange:
    """A request, its response, and what a handler has asked for of them."""

    def __init__(self, req: ExpressRequest, res: ExpressResponse) -> None:
        self.req = req
        self.res = res
        self.response: Response | None = None


_current: ContextVar[Exchange | None] = ContextVar("asgi_express.gateway.http", default=None)


def request() -> Request:
    """Return the request of the handler that runs.

    Raises:
        MisuseError: no handler of a gateway is running here.

    Example::

        req = http.request()
        req.query("page")  # -> "2"
    """
    return Request(_exchange("request").req)


def response() -> Response:
    """Return the response of the handler that runs. With it the handler answers, if only by returning: then with 200.

    Raises:
        MisuseError: no handler of a gateway is running here.

    Example::

        res = http.response()
        res.set_status(201)
        res.write_json({"id": 7})
    """
    exchange = _exchange("response")
    if exchange.response is None:
        exchange.response = Response(exchange.res)
    return exchange.response


def _exchange(what: str) -> Exchange:
    exchange = _current.get()
    if exchange is None:
        msg = f"http.{what}(): no handler of a gateway is running here"
        raise MisuseError(msg)
    return exchange


def forget() -> None:
    """Let what begins here know of no request: it may be over before that is."""
    _current.set(None)


@contextmanager
def exchanging(req: ExpressRequest, res: ExpressResponse) -> Iterator[Exchange]:
    """Let :func:`request` and :func:`response` know what is handled in a ``with`` block."""
    exchange = Exchange(req, res)
    token = _current.set(exchange)
    try:
        yield exchange
    finally:
        _current.reset(token)
