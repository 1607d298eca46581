"""HTTP requests as events: a request is published, and who subscribed answers."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from inspect import isawaitable
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_to_bytes

from asgi_express._handlers import name_of
from asgi_express.channels._channels import Channels
from asgi_express.channels._names import ChannelName, parse_name
from asgi_express.channels._outcome import PublishErrors
from asgi_express.errors import HTTPError
from asgi_express.router import Lifespan, Router

if TYPE_CHECKING:
    from asgi_express.request import Request
    from asgi_express.response import Response
    from asgi_express.types import Next

__all__ = ["Context", "RequestEvents", "method_and_path"]

_log = logging.getLogger("asgi_express.channels")


class Context(SimpleNamespace):
    """What the subscribers of a request are given; they may put into it whatever they like.

    Attributes:
        channels: where it was published.
        req: the request.
        res: the response.
        suffix: the parts that were added to the name of each publisher.
        results: what subscribers returned.
        errors: what subscribers raised.
    """

    channels: Channels
    req: Request
    res: Response
    suffix: tuple[str, ...]
    results: list[Any]
    errors: list[Exception]


class RequestEvents(Router):
    """An ASGI app, and a router to mount, that publishes each request: ``GET /users/7`` on ``request:get:users:7``.

    So ``request:get:users`` hears all below it, and ``request`` everything. Subscribers are given a ``Context``; they
    answer with ``context.res``, or return what is sent. Where nobody answered: an error that was raised goes to the
    error handlers, or else the first result is sent, or else the router goes on, to 404 in the end. The requests stay
    in this process, whatever the bus.

    Args:
        channels: where to publish.
        publishers: the names that each request is published on, one after the other; an error in one of them does not
            keep the others from being called.
        context: functions of the context, plain or ``async``, that are called before; an error of one ends the request.
        suffix: gives the parts that are added to the names; by default the method, in lower case (of HEAD that
            is ``get``), and the decoded segments of the path.
        lifespan: as a router's: ``channels.lifespan`` where the channels have a bus.

    Raises:
        TypeError: an option is of another kind.
        ValueError: a publisher is no name of a channel, or there is none.

    Example::

        channels = Channels()

        @channels.on("request:get:users")
        def show_user(context):
            return {"user": context.suffix[-1]}

        app = RequestEvents(channels, publishers=["request", "log"])
    """

    def __init__(
        self,
        channels: Channels,
        *,
        publishers: Iterable[ChannelName] = ("request",),
        context: Iterable[Callable[[Context], Any]] = (),
        suffix: Callable[[Request], Sequence[str]] | None = None,
        lifespan: Lifespan | None = None,
    ) -> None:
        super().__init__(lifespan=lifespan)
        if not isinstance(channels, Channels):
            msg = f"RequestEvents: expected Channels, not {channels!r}"
            raise TypeError(msg)
        if isinstance(publishers, str):
            msg = f"RequestEvents: publishers must be a list of names, not {publishers!r}"
            raise TypeError(msg)
        self._channels = channels
        self._publishers = [parse_name(name) for name in publishers]
        if not self._publishers:
            msg = "RequestEvents: there must be a publisher"
            raise ValueError(msg)
        self._run = list(context)
        self._suffix = suffix or method_and_path
        for fn in (*self._run, self._suffix):
            if not callable(fn):
                msg = f"RequestEvents: expected a function, not {fn!r}"
                raise TypeError(msg)
        self.use(self._answer)

    async def _answer(self, req: Request, res: Response, next: Next) -> Any:
        context = Context(
            channels=self._channels, req=req, res=res, suffix=tuple(self._suffix(req)), results=[], errors=[]
        )
        for run in self._run:
            value = run(context)
            if isawaitable(value):
                await value
        for publisher in self._publishers:
            await self._publish((*publisher, *context.suffix), context)
        if res.headers_sent or res.finished:
            if context.errors:
                words = f"answering {req.method} {name_of(type(self))}"
                _log.error("%s failed in part", words, exc_info=ExceptionGroup(words, context.errors))
        elif len(context.errors) == 1:
            raise context.errors[0]
        elif context.errors:
            msg = "subscribers of a request failed"
            raise ExceptionGroup(msg, context.errors)
        elif context.results:
            return context.results[0]
        else:
            next()
        return None

    async def _publish(self, path: tuple[str, ...], context: Context) -> None:
        try:
            outcome = await self._channels.publish(path, context, local=True)
        except PublishErrors as errors:
            outcome = errors.outcome
        context.results += outcome.results
        context.errors += outcome.errors


def method_and_path(req: Request) -> list[str]:
    """Return the method, in lower case, and the segments of the path, decoded; empty ones are left out.

    HEAD is ``get``, as in a router: its answer is that of GET, without the body (RFC 9110 section 9.3.2).

    Raises:
        HTTPError: 400, a segment cannot be decoded, or has control characters.
    """
    try:
        parts = [unquote_to_bytes(part).decode() for part in req.path.split("/") if part]
        parse_name(parts)
    except ValueError as error:
        raise HTTPError(400, f"the path cannot be read: {error}") from error
    return ["get" if req.method == "HEAD" else req.method.lower(), *parts]
