"""The head of an answer: its status and headers, every one checked when it is set."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from asgi_express import _cookies, _mime, _urls
from asgi_express._headers import HeaderValueError, header_name, header_value, merge_vary
from asgi_express._outgoing import Outgoing
from asgi_express.errors import MisuseError
from asgi_express.types import Duration

if TYPE_CHECKING:
    from typing import Self

__all__ = ["Heading"]

# Of names, and of lines of one name. Clients refuse more; what grows beyond is a fault of the program.
_MAX_HEADERS = 256


class Heading(Outgoing):
    """The head of an answer."""

    __slots__ = ()

    def status(self, code: int) -> Self:
        """Set the status.

        Raises:
            HeadersSentError: the status is on its way.
            TypeError: ``code`` is not an integer.
            ValueError: it is not from 100 to 999.

        Example::

            res.status(404).send("no such user")
        """
        self._open()
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

        Example::

            res.set("Cache-Control", "no-store")
            res.set({"X-One": "1", "X-Two": "2"})
        """
        self._open()
        if not isinstance(name, str) and isinstance(name, Mapping):  # asking for a Mapping takes 0.3 us
            for each, its_value in name.items():
                self.set(each, its_value)
            return self
        key = header_name(name)
        headers = self._headers
        several = isinstance(value, (list, tuple))
        if (len(headers) >= _MAX_HEADERS and key not in headers) or (several and len(value) > _MAX_HEADERS):
            msg = f"header {name}: more than {_MAX_HEADERS} headers"
            raise HeaderValueError(msg)
        checked = _CHECKED.get(key)
        if several:
            if checked:
                msg = f"{key.decode().title()} cannot be set to an Array"
                raise TypeError(msg)
            headers[key] = [header_value(name, item) for item in value]
            self._has_lists = True
        else:
            text = header_value(name, value)
            headers[key] = checked(text) if checked else text
        return self

    header = set  # noqa: A003 - Express has both names

    def get(self, name: str) -> str | list[str] | None:
        """Return a header that was set, ``None`` if it was not; a list if it was set to one.

        Example: ``res.get("Content-Type")`` is ``"text/html; charset=utf-8"`` after ``res.type("html")``.
        """
        value = self._headers.get(header_name(name))
        if value is None:
            return None
        return [item.decode("latin-1") for item in value] if isinstance(value, list) else value.decode("latin-1")

    def append(self, name: str, value: Any) -> Self:
        """Add a header line, or several.

        Raises:
            HeaderValueError: a name or value may not be sent.
            HeadersSentError: the headers are on their way.

        Example::

            res.append("Link", "</next>; rel=next")
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

        Example::

            res.remove_header("X-Powered-By")
        """
        self._open()
        self._headers.pop(header_name(name), None)
        return self

    def vary(self, field: str | Iterable[str]) -> Self:
        """Add to ``Vary``.

        Raises:
            TypeError: no field is given.
            HeaderValueError: a field is not a header name.

        Example::

            res.vary("Accept-Language").send(page)
        """
        if not field and not isinstance(field, (list, tuple)):
            msg = "field argument is required"
            raise TypeError(msg)
        current = self.get("Vary") or ""
        fields = [each.strip(" ") for each in field.split(",")] if isinstance(field, str) else list(field)
        value = merge_vary(", ".join(current) if isinstance(current, list) else current, fields)
        return self.set("Vary", value) if value else self

    def type(self, type: str) -> Self:  # noqa: A002 - Express's word
        """Set ``Content-Type`` from a type, an extension or a file name; ``application/octet-stream`` if unknown.

        Example::

            res.type("html").get("Content-Type")  # -> "text/html; charset=utf-8"
        """
        self._open()
        self._headers[b"content-type"] = _type(type)
        return self

    def links(self, links: Mapping[str, str | Iterable[str]]) -> Self:
        """Add to ``Link``: relation names to one address or several.

        Raises:
            HeaderValueError: an address has ``<``, ``>``, or a character that may not be sent.

        Example::

            res.links({"next": "/users?page=2", "last": "/users?page=9"})
        """
        current = self.get("Link") or []
        parts = [current] if isinstance(current, str) else current
        for relation, targets in links.items():
            for target in [targets] if isinstance(targets, str) else targets:
                if "<" in target or ">" in target or '"' in relation:
                    msg = f"res.links: {target!r} as {relation!r} cannot be written in a Link header (RFC 8288)"
                    raise HeaderValueError(msg)
                parts.append(f'<{target}>; rel="{relation}"')
        return self.set("Link", ", ".join(parts))

    def cookie(
        self,
        name: str,
        value: Any,
        *,
        max_age: Duration | None = None,
        domain: str | None = None,
        path: str | None = "/",
        expires: datetime | float | None = None,
        http_only: bool = False,
        secure: bool = False,
        partitioned: bool = False,
        priority: str | None = None,
        same_site: bool | str | None = None,
        signed: bool = False,
        encode: Callable[[str], str] | None = None,
    ) -> Self:
        """Set a cookie. Text and numbers are sent as text, anything else as JSON that ``req.cookies`` reads back.

        Args:
            name: a token.
            value: the value.
            max_age: how long it lasts: seconds, a ``timedelta``, or text such as ``"15m"``.
            domain: the domain that it is for; the host itself by default.
            path: the path that it is for.
            expires: when it ends: a ``datetime`` with a zone, or seconds since the epoch.
            http_only: whether scripts may not read it.
            secure: whether it travels over TLS only.
            partitioned: whether it is kept apart per top-level site (CHIPS).
            priority: ``"low"``, ``"medium"`` or ``"high"``.
            same_site: ``"strict"`` (or ``True``), ``"lax"`` or ``"none"``.
            signed: sign it with the first secret of ``cookie_parser``; read it from ``req.signed_cookies``.
            encode: what makes the value fit for a cookie; percent-encoding by default.

        Raises:
            MisuseError: ``signed`` without a secret.
            ValueError: a part has characters that it may not have.

        Example::

            res.cookie("theme", "dark", max_age="30d", http_only=True, secure=True, same_site="lax")
        """
        text = _cookies.cookie_text(value)
        if signed:
            if not self.req.cookie_secrets:
                msg = 'cookie_parser("secret") required for signed cookies'
                raise MisuseError(msg)
            text = "s:" + _cookies.sign(text, self.req.cookie_secrets[0])
        cookie = _cookies.serialize_cookie(
            name,
            text,
            max_age=max_age,
            domain=domain,
            path=path,
            expires=expires,
            http_only=http_only,
            secure=secure,
            partitioned=partitioned,
            priority=priority,
            same_site=same_site,
            encode=encode,
        )
        return self.append("Set-Cookie", cookie)

    def clear_cookie(
        self,
        name: str,
        *,
        domain: str | None = None,
        path: str | None = "/",
        http_only: bool = False,
        secure: bool = False,
        partitioned: bool = False,
        priority: str | None = None,
        same_site: bool | str | None = None,
        signed: bool = False,
        encode: Callable[[str], str] | None = None,
        max_age: Duration | None = None,
        expires: datetime | float | None = None,
    ) -> Self:
        """Make the client forget a cookie. Browsers do so only if ``domain`` and ``path`` are those it was set with.

        The options are those of ``cookie``, so that one set of them serves both; ``max_age`` and ``expires``
        are not used.

        Raises:
            MisuseError: ``signed`` without a secret.
            ValueError: a part has characters that it may not have.

        Example::

            res.clear_cookie("theme")
        """
        return self.cookie(
            name,
            "",
            expires=0,
            domain=domain,
            path=path,
            http_only=http_only,
            secure=secure,
            partitioned=partitioned,
            priority=priority,
            same_site=same_site,
            signed=signed,
            encode=encode,
        )

    def location(self, url: str) -> Self:
        """Set ``Location``, percent-encoded where it has to be.

        Raises:
            HeadersSentError: the headers are on their way.

        Example::

            res.status(201).location("/users/7").end()
        """
        return self.set("Location", _urls.encode_url(str(url)))


@lru_cache(maxsize=256)
def _type(name: str) -> bytes:
    kind = name if "/" in name else _mime.lookup(name) or "application/octet-stream"
    return _content_type(header_value("Content-Type", kind))


@lru_cache(maxsize=256)
def _content_type(value: bytes) -> bytes:
    text = value.decode("latin-1")
    full = text if "/" in text else _mime.lookup(text)
    if full is None:
        msg = f"Content-Type: {text!r} is neither a type nor a known extension"
        raise HeaderValueError(msg)
    return _mime.with_charset(full).encode("latin-1")


def _content_length(value: bytes) -> bytes:
    if not value.isdigit():
        msg = f"Content-Length: {value.decode('latin-1')!r} is not a number of bytes"
        raise HeaderValueError(msg)
    return value


_CHECKED: dict[bytes, Callable[[bytes], bytes]] = {b"content-type": _content_type, b"content-length": _content_length}
