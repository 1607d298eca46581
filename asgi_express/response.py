"""The response: synchronous to write, asynchronous to push.

``res.status(201).set("X-A", "b").json({...})`` only decides. What was decided is pushed when the
handler returns, or at once with ``await res.json(...)``, which waits for the client (back-pressure).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from asgi_express import _json, _mime, _negotiation, _urls
from asgi_express._camel import snake_case_only
from asgi_express._headers import HeaderValueError, header_name, header_value, merge_vary
from asgi_express._outgoing import BODILESS, Outgoing
from asgi_express._status import reason

if TYPE_CHECKING:
    from typing import Self


__all__ = ["Response"]

_HTML = b"text/html; charset=utf-8"
_JSON = b"application/json; charset=utf-8"
_BYTES = b"application/octet-stream"
_CHUNK = (bytes, bytearray, memoryview)


class _Nothing:
    """The body of ``res.send()``, which is not ``res.send(None)``: JavaScript's ``undefined``."""


_NOTHING = _Nothing()


@snake_case_only
class Response(Outgoing):
    """What will be answered.

    Attributes:
        req: the request.
        app: the application that is handling the request; ``None`` in a bare router.
    """

    __slots__ = ()

    @property
    def locals(self) -> dict[str, Any]:
        """Values for this request and its views."""
        if self._locals is None:
            self._locals = {}
        return self._locals

    @property
    def status_code(self) -> int:
        """The status that is decided so far."""
        return self._status

    @status_code.setter
    def status_code(self, code: int) -> None:
        self.status(code)

    # -- status and headers

    def status(self, code: int) -> Self:
        """Set the status.

        Raises:
            TypeError: ``code`` is not an integer.
            ValueError: it is not from 100 to 999.
        """
        if not isinstance(code, int) or isinstance(code, bool):
            msg = f"Invalid status code: {code!r}. Status code must be an integer."
            raise TypeError(msg)
        if not 100 <= code <= 999:
            msg = f"Invalid status code: {code!r}. Status code must be greater than 99 and less than 1000."
            raise ValueError(msg)
        self._status = code
        return self

    def set(self, name: str | Mapping[str, Any], value: Any = None) -> Self:
        """Set a header, or several from a mapping. A list of values becomes one header line each.

        A ``Content-Type`` without a charset gets the one of its type; one without ``/`` is looked up as an extension.

        Raises:
            HeaderValueError: a name or value may not be sent.
            HeadersSentError: the headers are on their way.
        """
        self._open()
        if not isinstance(name, str):
            for each, its_value in name.items():
                self.set(each, its_value)
            return self
        key = header_name(name)
        if isinstance(value, (list, tuple)):
            if key == b"content-type":
                msg = "Content-Type cannot be set to an Array"
                raise TypeError(msg)
            self._headers[key] = [header_value(name, item) for item in value]
        else:
            text = header_value(name, value)
            self._headers[key] = _content_type(text) if key == b"content-type" else text
        return self

    header = set

    def get(self, name: str) -> str | list[str] | None:
        """Return a header that was set, ``None`` if it was not; a list if it was set to one."""
        value = self._headers.get(header_name(name))
        if value is None:
            return None
        return [item.decode("latin-1") for item in value] if isinstance(value, list) else value.decode("latin-1")

    def append(self, name: str, value: Any) -> Self:
        """Add a header line, or several.

        Raises:
            HeaderValueError: a name or value may not be sent.
            HeadersSentError: the headers are on their way.
        """
        current = self.get(name)
        if current is None:
            return self.set(name, value)
        before = current if isinstance(current, list) else [current]
        return self.set(name, [*before, *(value if isinstance(value, (list, tuple)) else [value])])

    def remove_header(self, name: str) -> Self:
        """Take a header back.

        Raises:
            HeadersSentError: the headers are on their way.
        """
        self._open()
        self._headers.pop(header_name(name), None)
        return self

    def vary(self, field: str | Iterable[str]) -> Self:
        """Add to ``Vary``.

        Raises:
            TypeError: no field is given.
            HeaderValueError: a field is not a header name.
        """
        if not field and not isinstance(field, (list, tuple)):
            msg = "field argument is required"
            raise TypeError(msg)
        current = self.get("Vary") or ""
        fields = field.split(",") if isinstance(field, str) else list(field)
        value = merge_vary(", ".join(current) if isinstance(current, list) else current, fields)
        return self.set("Vary", value) if value else self

    def type(self, type: str) -> Self:  # noqa: A002 - Express's word
        """Set ``Content-Type`` from a type, an extension or a file name; ``application/octet-stream`` if it is unknown."""
        return self.set("Content-Type", type if "/" in type else _mime.lookup(type) or "application/octet-stream")

    # -- answering

    def send(self, body: Any = _NOTHING) -> Self:
        """Answer with text (HTML), bytes, or anything else as JSON.

        Sets ``Content-Type`` if it is not set, ``Content-Length``, and an ``ETag`` by the setting
        ``etag``; answers 304 when the client's copy is fresh.

        Raises:
            HeadersSentError: the answer was decided before.
            TypeError: the value has no JSON form.
        """
        self._open()
        headers = self._headers
        if isinstance(body, str):
            current = headers.get(b"content-type")
            headers[b"content-type"] = _HTML if current is None else _utf8(current)
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
        """
        self._open()
        settings = self._settings
        text = _json.dumps(
            value,
            spaces=settings.get("json spaces"),
            replacer=settings.get("json replacer"),
            escape=bool(settings.get("json escape")),
        )
        current = self._headers.get(b"content-type")
        self._headers[b"content-type"] = _JSON if current is None else _utf8(current)
        return self._decide(text.encode("utf-8"), tag=True)

    def _decide(self, content: bytes, *, tag: bool) -> Self:
        """Settle length, entity tag, freshness and the statuses that have no body."""
        headers = self._headers
        if b"transfer-encoding" not in headers:
            headers[b"content-length"] = b"%d" % len(content)
        if tag and b"etag" not in headers:
            value = self._settings.entity_tag(content)
            if value:
                headers[b"etag"] = header_value("ETag", value)
        if self.req.fresh:
            self._status = 304
        if self._status in BODILESS:
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
        """
        return self.status(code).type("txt").send(reason(code))

    def location(self, url: str) -> Self:
        """Set ``Location``, percent-encoded where it has to be.

        Raises:
            HeadersSentError: the headers are on their way.
        """
        return self.set("Location", _urls.encode_url(str(url)))

    def redirect(self, url: str | int, status: int | str = 302) -> Self:
        """Send the client elsewhere: ``redirect(url, status=302)``, or Express's ``redirect(301, url)``.

        The address is percent-encoded where it has to be, and used as it is otherwise: one that a client
        chose belongs in ``safe_redirect``.

        Raises:
            TypeError: there is no address, or the status is not an integer.
            ValueError: the status is not from 100 to 999.
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


def _content_type(value: bytes) -> bytes:
    text = value.decode("latin-1")
    full = text if "/" in text else _mime.lookup(text)
    if full is None:
        msg = f"Content-Type: {text!r} is neither a type nor a known extension"
        raise HeaderValueError(msg)
    return _mime.with_charset(full).encode("latin-1")


def _utf8(current: bytes | list[bytes]) -> bytes:
    """Return a type with its charset set to UTF-8, which text is sent in."""
    value = current[0] if isinstance(current, list) else current
    head, mark, tail = value.partition(b";")
    if not mark:
        return value + b"; charset=utf-8"
    parameters = [part.strip() for part in tail.split(b";")]
    others = [part for part in parameters if part and not part.lower().startswith(b"charset=")]
    return b"; ".join([head.strip(), *others, b"charset=utf-8"])
