"""Server-sent events (WHATWG HTML, section 9.2): events as text, and a stream of them to a client."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import AsyncIterable, Coroutine
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Any

from asgi_express import _json
from asgi_express._units import parse_duration
from asgi_express.errors import ClientDisconnect
from asgi_express.types import Duration

if TYPE_CHECKING:
    from typing import Self

    from asgi_express.response import Response

__all__ = ["Event", "EventStream"]

# The three line ends of the format; a lone carriage return is one of them (GHSA-p6xx-57qc-3wxr).
_LINE_END = re.compile("\r\n|\r|\n")
_UNSAFE = re.compile("[\r\n\0]")

# Characters of a Last-Event-ID that are handed on.
_MAX_ID = 256

# Seconds until a source that does not end is told of in the log.
_PATIENCE = 5.0

_log = logging.getLogger("asgi_express")


@dataclass(frozen=True, slots=True)
class Event:
    """One event.

    Attributes:
        data: text is sent as it is, anything else as JSON.
        event: its type; ``"message"`` to the client if it has none.
        id: what the client sends back as ``Last-Event-ID`` when it connects again.
        retry: how long the client waits before it connects again: seconds, ``timedelta`` or text.
        comment: text that the client does not hand on.

    Raises:
        ValueError: ``event`` or ``id`` has a line end or NUL, or ``retry`` is negative.

    Example::

        Event({"price": 42}, event="price", id="7", retry="5s")
    """

    data: Any = None
    event: str | None = None
    id: str | None = None
    retry: Duration | None = None
    comment: str | None = None

    def __post_init__(self) -> None:
        for name, value in (("event", self.event), ("id", self.id)):
            if value is not None and _UNSAFE.search(value):
                msg = f"Event: {name} must have no line end and no NUL, got {value!r}"
                raise ValueError(msg)
        if self.retry is not None and parse_duration(self.retry) < 0:
            msg = f"Event: retry must not be negative, got {self.retry!r}"
            raise ValueError(msg)

    def __str__(self) -> str:
        lines = [f": {line}" for line in _LINE_END.split(self.comment)] if self.comment is not None else []
        if self.event is not None:
            lines.append(f"event: {self.event}")
        if self.data is not None:
            text = self.data if isinstance(self.data, str) else _json.dumps(self.data)
            lines.extend(f"data: {line}" for line in _LINE_END.split(text))
        if self.id is not None:
            lines.append(f"id: {self.id}")
        if self.retry is not None:
            lines.append(f"retry: {round(parse_duration(self.retry) * 1000)}")
        return "\n".join(lines) + "\n\n"


class EventStream:
    """A stream of events to one client; made by ``res.sse()``.

    Examples::

        async with res.sse() as stream:
            async for row in rows:
                await stream.send(row, event="row")

        await res.sse(rows)  # the same, with an asynchronous iterable of data or Events

    Attributes:
        last_event_id: what the client saw last; ``None`` if it is new here.
    """

    def __init__(self, res: Response, source: AsyncIterable[Any] | None, keep_alive: Duration | None) -> None:
        if source is not None and not hasattr(source, "__aiter__"):
            msg = f"res.sse: expected an asynchronous iterable, got {source!r}"
            raise TypeError(msg)
        self._interval = None if keep_alive is None else parse_duration(keep_alive)
        if self._interval is not None and self._interval <= 0:
            msg = f"res.sse: keep_alive must be positive, got {keep_alive!r}"
            raise ValueError(msg)
        self._res = res
        self._source = source
        self._keeper: asyncio.Task[None] | None = None
        self._lock = asyncio.Lock()
        self._gone = asyncio.Event()
        given = res.req.get("Last-Event-ID")
        self.last_event_id = None if not given or _UNSAFE.search(given) else _utf8(given)[:_MAX_ID]
        res.set({"Content-Type": "text/event-stream; charset=utf-8", "Cache-Control": "no-cache, no-transform"})
        res.set("X-Accel-Buffering", "no")  # nginx would hold events back

    @property
    def closed(self) -> bool:
        """Whether the client has gone.

        Example::

            async with res.sse() as stream:
                while not stream.closed:
                    await stream.send({"price": 42})
                    await asyncio.sleep(1)
        """
        return self._gone.is_set()

    async def send(self, data: Any = None, *, event: str | None = None, id: str | None = None) -> None:  # noqa: A002
        """Send an event, or data with the parts of one; waits for a slow client.

        Raises:
            ClientDisconnect: the client has gone.

        Example::

            async with res.sse() as stream:
                await stream.send({"price": 42}, event="price", id="7")
        """
        await self._write(data if isinstance(data, Event) else Event(data, event=event, id=id))

    async def _write(self, event: Event) -> None:
        async with self._lock:
            if self.closed:
                raise ClientDisconnect
            try:
                await self._res.write(str(event))
            except ClientDisconnect:
                self._gone.set()
                raise

    async def __aenter__(self) -> Self:
        self._res.on("close", self._gone.set)
        await self._write(Event(comment=""))  # the client learns at once that it is connected
        if self._res.req.scope.get("method") == "HEAD":
            self._gone.set()  # it has all that it asked for
        elif self._interval is not None:
            self._keeper = asyncio.ensure_future(self._keep_alive(self._interval))
        return self

    async def _keep_alive(self, interval: float) -> None:
        with suppress(ClientDisconnect):
            while True:
                await asyncio.sleep(interval)
                await self._write(Event(comment=""))

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        """End the stream. That the client left is no error."""
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.wait([self._keeper])
        if error is None or isinstance(error, ClientDisconnect):
            self._res.end()
            if self.closed:
                with suppress(ClientDisconnect):
                    await self._res
        return isinstance(error, ClientDisconnect)

    def __await__(self) -> Any:
        return self.run().__await__()

    async def run(self) -> None:
        """Send all that the source gives; the source is closed when the client leaves.

        Example::

            await res.sse(rows).run()  # what await res.sse(rows) does
        """
        async with self:
            if self._source is not None:
                await self._until_gone(self._pour(self._source))

    async def _pour(self, source: AsyncIterable[Any]) -> None:
        try:
            async for item in source:
                await self.send(item)
        finally:
            close = getattr(source, "aclose", None)
            if close is not None:
                await close()

    async def _until_gone(self, work: Coroutine[Any, Any, None]) -> None:
        """Do all of the work in one task, which a source may rely on, and cancel it when the client leaves."""
        working = asyncio.ensure_future(work)
        gone = asyncio.ensure_future(self._gone.wait())
        try:
            await asyncio.wait([working, gone], return_when=asyncio.FIRST_COMPLETED)
        finally:
            gone.cancel()
            if not working.done():
                working.cancel()
                if (await asyncio.wait([working], timeout=_PATIENCE))[1]:
                    _log.warning("%r goes on though its client has gone", self._source)
                    await asyncio.wait([working])
        if working.cancelled():
            raise ClientDisconnect
        working.result()


def _utf8(text: str) -> str:
    """Read as UTF-8, which browsers write the header in, if it is that."""
    try:
        return text.encode("latin-1").decode("utf-8")
    except UnicodeDecodeError:
        return text
