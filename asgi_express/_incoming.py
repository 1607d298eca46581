"""A request on its way in: headers, the body as it arrives, and the news that the client has gone."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING, Any

from starlette.datastructures import MutableHeaders, State

from asgi_express._aside import parse_aside
from asgi_express._charset import charset_of, check_charset, decode
from asgi_express._events import Events, Listener
from asgi_express._inbox import Inbox
from asgi_express._json_text import loads
from asgi_express._units import parse_bytes
from asgi_express.errors import BodyError
from asgi_express.types import Receive, Scope, Size

if TYPE_CHECKING:
    from typing import Self

    from starlette.datastructures import FormData

    from asgi_express._selection import Selection
    from asgi_express._settings import Settings
    from asgi_express.response import Response
    from asgi_express.route import Route

__all__ = ["Incoming"]

_log = logging.getLogger("asgi_express")

_SINGLE = frozenset(
    {
        *(b"age", b"authorization", b"content-length", b"content-type", b"etag", b"expires", b"from", b"host"),
        *(b"if-modified-since", b"if-unmodified-since", b"last-modified", b"location", b"max-forwards"),
        *(b"proxy-authorization", b"referer", b"retry-after", b"server", b"user-agent"),
    }
)


class Incoming:
    """The part of a request that the client sends."""

    res: Response

    file: Any = None
    files: Any = None
    parts: Any = None

    __slots__ = (
        "__dict__",
        "_client_gone",
        "_events",
        "_has_end",
        "_headers",
        "_inbox",
        "_query",
        "_receive",
        "_selection",
        "_settings",
        "_watcher",
        "app",
        "base_url",
        "body",
        "method",
        "original_url",
        "params",
        "res",
        "route",
        "scope",
        "url",
    )

    def __init__(
        self, scope: Scope, receive: Receive, settings: Settings, app: Any, base_url: str, url: str, original_url: str
    ) -> None:
        self.scope = scope
        self.app = app
        self.base_url = base_url
        self.url = url
        self.original_url = original_url
        self.method: str = scope.get("method", "GET")
        self.params: dict[str, Any] = {}
        self.route: Route | None = None
        self.body: Any = None
        self._settings = settings
        self._selection: Selection | None = None
        self._receive = receive
        self._inbox: Inbox | None = None
        self._client_gone = False
        self._headers: MutableHeaders | None = None
        self._query: tuple[str, Any] | None = None
        self._events: Events | None = None
        # Whether there is anything to do when the request is over.
        self._has_end = False
        self._watcher: asyncio.Task[None] | None = None

    # -- headers

    @property
    def headers(self) -> MutableHeaders:
        """The headers, case-insensitive. A change is seen by all that follow, ASGI apps included.

        Example: ``req.headers["content-type"]`` is ``"text/plain"`` for ``Content-Type: text/plain``.
        """
        if self._headers is None:
            self._headers = MutableHeaders(scope=self.scope)
        return self._headers

    def get(self, name: str) -> str | None:
        """Return a header, ``None`` if absent. ``Referer`` and ``Referrer`` are one.

        Lines of one name are joined; of a header that stands once only, the first line counts, as in Node.

        Raises:
            TypeError: ``name`` is missing or not text.

        Example: ``req.get("Content-Type")`` is ``"text/plain"`` for ``Content-Type: text/plain``.
        """
        if not isinstance(name, str) or not name:
            msg = f"req.get: expected the name of a header, got {name!r}"
            raise TypeError(msg)
        key = name.lower()
        if key in ("referer", "referrer"):
            return self._header(b"referrer") or self._header(b"referer")
        return self._header(key.encode("latin-1", "replace"))

    header = get

    def _header(self, name: bytes) -> str | None:
        values = [value for key, value in self.scope["headers"] if key == name]
        if not values:
            return None
        if len(values) == 1 or name in _SINGLE:
            return str(values[0].decode("latin-1"))
        return str((b"; " if name == b"cookie" else b", ").join(values).decode("latin-1"))

    @property
    def state(self) -> State:
        """The state of the request, as Starlette gives it: what ``lifespan`` made and middleware added.

        Example: ``req.state.database``
        """
        return State(self.scope.setdefault("state", {}))

    # -- body

    @property
    def _incoming(self) -> Inbox:
        if self._inbox is None:
            self._inbox = Inbox(self._receive)
        return self._inbox

    async def read(self, *, limit: Size | None = "1mb") -> bytes:
        """Read the whole body. A body that was read once can be read again.

        Args:
            limit: how many bytes are allowed, counted as they arrive; ``None`` for any number.

        Raises:
            BodyError: 413 ``entity.too.large``.
            ClientDisconnect: the client left before the end.
            MisuseError: the body was streamed before.

        Example::

            body = await req.read(limit="5mb")
        """
        return await self._incoming.read(None if limit is None else parse_bytes(limit))

    async def text(self, *, limit: Size | None = "1mb") -> str:
        """Read the body as text, in the charset that ``Content-Type`` names, else UTF-8, without a byte order mark.

        Raises:
            BodyError: 413; 415 ``charset.unsupported``; 400 ``entity.parse.failed``, it is not in that charset.

        Example::

            note = await req.text(limit="10kb")
        """
        text: str = await self._parse(decode, limit)
        return text

    async def _parse(
        self, parse: Callable[[bytes, str], Any], limit: Size | None, *, unicode_only: bool = False
    ) -> Any:
        charset = check_charset(charset_of(self.get("Content-Type") or ""), unicode_only=unicode_only)
        return await parse_aside(parse, await self.read(limit=limit), charset)

    async def json(self, *, limit: Size | None = "1mb") -> Any:
        """Read the body as JSON (RFC 8259: in a UTF, no ``NaN``, no ``Infinity``).

        Raises:
            BodyError: 413; 415; 400 ``entity.parse.failed``, it is not JSON, or too deep, or has a number too long.

        Example::

            data = await req.json()
        """
        return await self._parse(_json, limit, unicode_only=True)

    async def form(self, *, limit: Size | None = "10mb") -> FormData:
        """Read the body as a form, URL-encoded or multipart; files come as Starlette's ``UploadFile``.

        The temporary files are closed with the request.

        Raises:
            BodyError: 413; 415, it is not a form; 400, it is broken or cut off.

        Example::

            form = await req.form()
            name = form["name"]
        """
        kept = self.__dict__.get("_form")
        if kept is None:
            from asgi_express._forms import read_form

            kept = await read_form(self, None if limit is None else parse_bytes(limit))
            self.__dict__["_form"] = kept
            self._on_over(kept.close)
        return kept

    def stream(self) -> AsyncIterator[bytes]:
        """Give the body piece by piece as it arrives; nothing is kept, and nothing limits it.

        Raises:
            ClientDisconnect: the client left before the end.
            MisuseError: the body was streamed before.

        Example::

            digest = hashlib.sha256()
            async for piece in req.stream():
                digest.update(piece)
        """
        return self._incoming.stream()

    # -- the client

    async def disconnected(self) -> bool:
        """Tell whether the client has gone, without waiting for it.

        Example::

            if await req.disconnected():
                job.cancel()
        """
        return await self._incoming.gone()

    def on(self, event: str, listener: Listener) -> Self:
        """Call a listener, plain or ``async``, on an event of this request.

        Args:
            event: ``"aborted"``, the client left before it was answered; or ``"close"``, the request is over.
            listener: called without arguments.

        Raises:
            ValueError: there is no such event.

        Example::

            req.on("aborted", job.cancel)
        """
        if event not in ("aborted", "close"):
            msg = f"req.on: there is no event {event!r}; there are 'aborted' and 'close'"
            raise ValueError(msg)
        self._emitter.add(event, listener)
        self._watch()
        return self

    def _on_over(self, listener: Listener) -> None:
        """Do something when the request is over, without watching for the client."""
        self._emitter.add("over", listener)

    @property
    def _emitter(self) -> Events:
        if self._events is None:
            self._events = Events()
        self._has_end = True
        return self._events

    def _watch(self) -> None:
        self._has_end = True
        if self._watcher is None and self.scope["type"] == "http":
            inbox = self._incoming
            inbox.watched = True
            self._watcher = asyncio.ensure_future(self._watch_client(inbox))

    async def _watch_client(self, inbox: Inbox) -> None:
        await inbox.wait_gone()
        self._client_gone = True
        self.res._wake()
        if not self.res.finished:
            await self._settle("aborted", "close")

    async def _settle(self, *events: str) -> None:
        for event in events:
            for emitter in (self._events, self.res._events):
                if emitter is not None:
                    await emitter.settle(event)

    async def _over(self) -> None:
        """The request is over: tell those who asked, stop watching."""
        if self._watcher is not None:
            self._watcher.cancel()
            await asyncio.wait([self._watcher])
            if not self._watcher.cancelled() and (error := self._watcher.exception()):
                _log.error("watching for the client failed", exc_info=error)
        await self._settle("close", "over")


def _json(body: bytes, charset: str) -> Any:
    text = decode(body, charset)
    try:
        return loads(text)
    except ValueError as error:
        raise BodyError(400, str(error), type="entity.parse.failed", body=text) from None
