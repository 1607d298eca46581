"""The response: synchronous to write, asynchronous to push.

``res.status(201).set("X-A", "b").json({...})`` only decides. What was decided is pushed when the
handler returns, or at once with ``await res.json(...)``, which waits for the client (back-pressure).
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterable, Callable, Collection, Mapping
from functools import lru_cache
from inspect import isawaitable, signature
from typing import TYPE_CHECKING, Any

from asgi_express import _json, _mime, _negotiation, _urls
from asgi_express._camel import snake_case_only
from asgi_express._files import Files
from asgi_express._headers import header_value, with_charset
from asgi_express._outgoing import BODILESS
from asgi_express._status import reason
from asgi_express.errors import MisuseError, NotAcceptable
from asgi_express.types import Duration

if TYPE_CHECKING:
    from typing import Self

    from asgi_express.sse import EventStream


__all__ = ["Response"]

_HTML = b"text/html; charset=utf-8"
_JSON = b"application/json; charset=utf-8"
_BYTES = b"application/octet-stream"
_CHUNK = (bytes, bytearray, memoryview)


_NOT_IN_CALLBACK = re.compile(r"[^\[\]A-Za-z0-9_$.]")


class _Nothing:
    """The body of ``res.send()``, which is not ``res.send(None)``: JavaScript's ``undefined``."""


_NOTHING = _Nothing()


@snake_case_only
class Response(Files):
    """What will be answered.

    Attributes:
        req: the request.
        app: the application that is handling the request; ``None`` in a bare router.
    """

    __slots__ = ()

    @property
    def locals(self) -> dict[str, Any]:
        """Values for this request and its views.

        Example: ``res.locals["user"] = user``
        """
        if self._locals is None:
            self._locals = {}
        return self._locals

    @property
    def status_code(self) -> int:
        """The status that is decided so far.

        Example: ``res.status_code = 404``
        """
        return self._status

    @status_code.setter
    def status_code(self, code: int) -> None:
        self.status(code)

    # -- answering

    def send(self, body: Any = _NOTHING) -> Self:
        """Answer with text (HTML), bytes, or anything else as JSON.

        Sets ``Content-Type`` if it is not set, ``Content-Length``, and an ``ETag`` by the setting
        ``etag``; answers 304 when the client's copy is fresh.

        Raises:
            HeadersSentError: the answer was decided before.
            TypeError: the value has no JSON form.

        Example::

            res.send("<p>Hello</p>")
        """
        self._open()
        headers = self._headers
        if isinstance(body, str):
            current = headers.get(b"content-type")
            headers[b"content-type"] = _HTML if current is None else _utf8(_first(current))
            content = body.encode("utf-8", "replace")
        elif body is _NOTHING:
            return self._decide(b"", tag=False)
        elif body is None:
            content = b""
        elif isinstance(body, _CHUNK):
            headers.setdefault(b"content-type", _BYTES)
            content = bytes(body)
        elif body is self or callable(body):
            msg = f"res.send: cannot send {body!r}"
            raise TypeError(msg)
        else:
            return self.json(body)
        return self._decide(content, tag=True)

    def json(self, value: Any) -> Self:
        """Answer with JSON; settings ``json spaces``, ``json replacer`` and ``json escape``.

        Raises:
            HeadersSentError: the answer was decided before.
            TypeError: a value has no JSON form.
            ValueError: a value contains itself.

        Example::

            res.status(201).json({"id": 7})
        """
        self._open()
        text = self._json_text(value)
        current = self._headers.get(b"content-type")
        self._headers[b"content-type"] = _JSON if current is None else _utf8(_first(current))
        return self._decide(text.encode("utf-8"), tag=True)

    def _json_text(self, value: Any) -> str:
        return _json.dumps(value, **self._settings.json_options)

    def jsonp(self, value: Any) -> Self:
        """Answer with JSON, or with a call of the function that the query names (setting ``jsonp callback name``).

        Raises:
            HeadersSentError: the answer was decided before.
            TypeError: a value has no JSON form.

        Example::

            res.jsonp({"user": "ada"})  # a call of show, for /?callback=show
        """
        self._open()
        query = self.req.query
        callback = query.get(self._settings["jsonp callback name"]) if isinstance(query, dict) else None
        if isinstance(callback, list):
            callback = callback[0] if callback else None
        if b"content-type" not in self._headers:
            self.set("X-Content-Type-Options", "nosniff")
        if not isinstance(callback, str) or not callback:
            return self.json(value)
        name = _NOT_IN_CALLBACK.sub("", callback)
        # U+2028 and U+2029 end a line in JavaScript, but not in JSON.
        text = self._json_text(value).replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")
        self.set("X-Content-Type-Options", "nosniff").set("Content-Type", "text/javascript")
        # The comment keeps the name from being read as something else (Rosetta Flash).
        return self.send(f"/**/ typeof {name} === 'function' && {name}({text});")

    def format(self, answers: Mapping[str, Callable[..., Any]]) -> Self:
        """Answer in the form that the client likes best.

        Args:
            answers: functions by media type or extension, and one under ``"default"``. They take
                ``(req, res)``, ``(req)`` or nothing, and may return the body.

        Raises:
            NotAcceptable: 406, none is acceptable and there is no default.

        Example::

            res.format({"text": lambda: "hey", "json": lambda: {"message": "hey"}})
        """
        kinds = [kind for kind in answers if kind != "default"]
        kind = self.req.accepts(kinds) if kinds else False
        self.vary("Accept")
        if kind:
            self.set("Content-Type", _full_type(kind))
            answer = answers[kind]
        elif "default" in answers:
            answer = answers["default"]
        else:
            error = NotAcceptable()
            error.types = [_full_type(each) for each in kinds]
            raise error
        self._defer_handler(answer)
        return self

    def _defer_handler(self, handler: Callable[..., Any]) -> None:
        """Call a handler of ``format`` now; if it is ``async``, when the response is pushed."""
        count = sum(each.default is each.empty for each in signature(handler).parameters.values())
        result = handler(*(self.req, self)[:count])
        if isawaitable(result) and result is not self:

            async def answer() -> None:
                self._send_result(await result)

            self._defer(answer)
        else:
            self._send_result(result)

    def _send_result(self, result: Any) -> None:
        if result is not None and result is not self:
            self.send(result)

    def render(self, view: str, options: Mapping[str, Any] | None = None) -> Self:
        """Answer with a rendered view. ``options`` win over ``res.locals``, these over ``app.locals``.

        Raises:
            MisuseError: no application is around.
            ViewError: there is no such view or engine; raised when the response is pushed.

        Example::

            res.render("users/show", {"user": user})
        """
        app = self.app
        if app is None:
            msg = "res.render needs an application: a bare router has no views"
            raise MisuseError(msg)
        values = {**self.locals, **(options or {})}

        async def answer() -> None:
            self.send(await app.render(view, values))

        return self._defer(answer)

    def sse(self, source: AsyncIterable[Any] | None = None, *, keep_alive: Duration | None = 15) -> EventStream:
        """Answer with server-sent events.

        Args:
            source: where the data or ``Event`` objects come from, for ``await res.sse(source)``; without it,
                ``async with res.sse() as stream: await stream.send(...)``.
            keep_alive: how often a silent stream sends a comment, so that nobody between closes it:
                seconds, ``timedelta``, text; ``None`` for never.

        Raises:
            HeadersSentError: the answer was decided before.

        Example::

            async with res.sse() as stream:
                await stream.send({"price": 42}, event="price")
        """
        from asgi_express.sse import EventStream

        return EventStream(self, source, keep_alive)

    async def early_hints(self, *links: str) -> bool:
        """Send 103 with ``Link`` headers ahead of the answer (RFC 8297), where the server can.

        Args:
            *links: values of ``Link``: ``'</style.css>; rel=preload; as=style'``.

        Returns:
            Whether the server can.

        Raises:
            HeadersSentError: the answer is on its way.
            HeaderValueError: a link has a character that may not be sent.

        Example::

            await res.early_hints("</style.css>; rel=preload; as=style")
            res.render("home")
        """
        self._open()
        values = [header_value("Link", link) for link in links]
        offered = "http.response.early_hint" in (self.req.scope.get("extensions") or ())
        if offered:
            await self._send({"type": "http.response.early_hint", "links": values})
        return offered

    def safe_redirect(
        self, url: Any, status: int = 302, *, allowed_hosts: Collection[str] = (), fallback: str = "/"
    ) -> Self:
        """Send the client to an address that a client chose, if that stays on this site or an allowed host.

        Args:
            url: the address; what is no text, as a parameter that was given twice, goes to the fallback.
            status: the status.
            allowed_hosts: hosts that it may lead to, with the port if it has one.
            fallback: where to send the client otherwise.

        Example::

            res.safe_redirect(req.query.get("next", "/"))
        """
        safe = isinstance(url, str) and _urls.safe_redirect_target(url, allowed_hosts=allowed_hosts)
        return self.redirect(url if safe else fallback, status)

    def _decide(self, content: bytes, *, tag: bool) -> Self:
        """Settle length, entity tag, freshness and the statuses that have no body."""
        headers = self._headers
        if b"transfer-encoding" not in headers:
            headers[b"content-length"] = b"%d" % len(content)
            self._settled = True
        if tag and b"etag" not in headers:
            value = self._settings.entity_tag(content)
            if value:
                headers[b"etag"] = value
        if self.req._is_fresh():
            self._status = 304
        if self._status == 200:
            pass  # nearly always
        elif self._status in BODILESS:
            for name in (b"content-type", b"content-length", b"transfer-encoding"):
                headers.pop(name, None)
            content = b""
        elif self._status == 205:
            headers[b"content-length"] = b"0"
            headers.pop(b"transfer-encoding", None)
            content = b""
        return self._finish(content)

    def send_status(self, code: int) -> Self:
        """Answer with a status and its reason phrase as plain text.

        Raises:
            TypeError: ``code`` is not an integer.
            ValueError: it is not from 100 to 999.

        Example::

            res.send_status(404)  # with the text "Not Found"
        """
        return self.status(code).type("txt").send(reason(code))

    def redirect(self, url: str | int, status: int | str = 302) -> Self:
        """Send the client elsewhere: ``redirect(url, status=302)``, or Express's ``redirect(301, url)``.

        The address is percent-encoded where it has to be, and used as it is otherwise: one that a client
        chose belongs in ``safe_redirect``.

        Raises:
            TypeError: there is no address, or the status is not an integer.
            ValueError: the status is not from 100 to 999.

        Examples::

            res.redirect("/login")

            res.redirect("/new-address", 301)
        """
        if isinstance(url, int):
            url, status = status, url
        if not isinstance(url, str) or not isinstance(status, int):
            msg = f"res.redirect: expected (url) or (url, status) or (status, url), got {url!r} and {status!r}"
            raise TypeError(msg)
        self.location(url).status(status)
        location = _urls.encode_url(url)
        phrase = f"{reason(status)}. Redirecting to "
        kind = _negotiation.accepts(self.req.get("Accept"), ("text", "html"))
        body = ""
        if kind == "text":
            self.type("txt")
            body = phrase + location
        elif kind == "html":
            self.type("html")
            text = phrase + _urls.escape_html(location)
            title = f"<!DOCTYPE html><head><title>{reason(status)}</title></head>"
            body = f"{title}<body><p>{text}</p></body>"
        content = body.encode()
        return self.vary("Accept").set("Content-Length", len(content)).end(content)


def _full_type(kind: str) -> str:
    """Return the type that a media type or an extension stands for, without parameters."""
    return kind.partition(";")[0].strip() if "/" in kind else _mime.lookup(kind) or "application/octet-stream"


def _first(value: bytes | list[bytes]) -> bytes:
    return value[0] if isinstance(value, list) else value


@lru_cache(maxsize=256)
def _utf8(current: bytes) -> bytes:
    """Return a type with its charset set to UTF-8, which text is sent in."""
    return with_charset(current.decode("latin-1"), "utf-8").encode("latin-1")
