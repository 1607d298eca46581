"""The request: what Express says of it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, overload

from asgi_express import _addresses, _cookies, _freshness, _negotiation
from asgi_express._camel import snake_case_only
from asgi_express._incoming import Incoming
from asgi_express._named import request_url
from asgi_express._ranges import RangeResult, parse_range
from asgi_express._scope import ACTOR, SECURITY_SCOPE
from asgi_express._urls import path_of

__all__ = ["Request"]

_NUMBER = re.compile(r"\s*[+-]?(\d+\.?\d*|\.\d+)\s*\Z", re.ASCII)

_CONDITIONAL = (b"if-none-match", b"if-modified-since")
_FRESHNESS_METHODS = ("GET", "HEAD", "QUERY")


@snake_case_only
class Request(Incoming):
    """What was asked.

    Attributes:
        method: the method, in capitals; may be set, to route as if it were another.
        url: the path and query that are left to route, percent-encoded; may be set, to route to another place.
        base_url: what mounts have taken off ``url``, without a trailing slash.
        original_url: the path and query as the client sent them.
        params: the parameters of the current path; a wildcard's value is a list of segments.
        route: the route that was matched; ``None`` before.
        body: what a body parser left here; ``None`` before.
        file, files, parts: what ``multipart`` left here; ``None`` before.
        scope: the ASGI scope.
        app: the application that is handling the request; ``None`` in a bare router.
        res: the response, until the request is over.
    """

    __slots__ = ()

    # -- where to

    @property
    def path(self) -> str:
        """The path of ``url``, percent-encoded, without the query.

        Example: ``req.path`` is ``"/users"`` for ``/users?page=2``.
        """
        return path_of(self.url)

    @property
    def query(self) -> Any:
        """The query of ``url``, parsed by the setting ``query parser``: text by name, a list where a name repeats.

        Example: ``req.query["page"]`` is ``"2"`` for ``/users?page=2``.
        """
        text = self.url.partition("?")[2]
        if "#" in self.url:
            text = self.url.partition("#")[0].partition("?")[2]
        if self._query is None or self._query[0] != text:
            self._query = (text, self._settings.parse_query(text))
        return self._query[1]

    def url_for(
        self,
        name: str,
        params: Mapping[str, Any] | None = None,
        /,
        *,
        query: Mapping[str, Any] | str | None = None,
        **values: Any,
    ) -> str:
        """Return the path of a named route, with the prefixes of mounts and hosts as they are in this request.

        The name is looked for in the router that is handling the request, then in those around it, then in the host.
        The arguments are those of ``app.url_for``.

        Raises:
            MisuseError: the request is over.
            UrlError: there is no such route, or a parameter is missing, unknown or unfit.

        Example::

            res.redirect(req.url_for("user", id=7))
        """
        return request_url(self, name, {**(params or {}), **values}, query)

    # -- what the client prefers

    @overload
    def accepts(self) -> list[str]: ...
    @overload
    def accepts(self, type: str | Sequence[str], /, *types: str) -> str | Literal[False]: ...
    def accepts(self, *types: str | Sequence[str]) -> list[str] | str | Literal[False]:
        """Return the best of some types for the client, spelled as given, or ``False``; without types, all it accepts.

        Args:
            *types: media types or extensions, as arguments or one list.

        Example: ``req.accepts("html", "json")`` is ``"json"`` for ``Accept: application/json``.
        """
        return _choose(types, self.get("Accept"), _negotiation.media_types, _negotiation.accepts)

    @overload
    def accepts_encodings(self) -> list[str]: ...
    @overload
    def accepts_encodings(self, encoding: str | Sequence[str], /, *encodings: str) -> str | Literal[False]: ...
    def accepts_encodings(self, *encodings: str | Sequence[str]) -> list[str] | str | Literal[False]:
        """Return the best of some content codings, or ``False``; without any, all that the client accepts.

        Example: ``req.accepts_encodings("br", "gzip")`` is ``"gzip"`` for ``Accept-Encoding: deflate, gzip``.
        """
        header = self.get("Accept-Encoding")
        return _choose(encodings, header, _negotiation.encodings, _negotiation.accepts_encodings)

    @overload
    def accepts_charsets(self) -> list[str]: ...
    @overload
    def accepts_charsets(self, charset: str | Sequence[str], /, *charsets: str) -> str | Literal[False]: ...
    def accepts_charsets(self, *charsets: str | Sequence[str]) -> list[str] | str | Literal[False]:
        """Return the best of some charsets, or ``False``; without any, all that the client accepts.

        Example: ``req.accepts_charsets("utf-8", "iso-8859-1")`` is ``"utf-8"`` for ``Accept-Charset: utf-8``.
        """
        header = self.get("Accept-Charset")
        return _choose(charsets, header, _negotiation.charsets, _negotiation.accepts_charsets)

    @overload
    def accepts_languages(self) -> list[str]: ...
    @overload
    def accepts_languages(self, language: str | Sequence[str], /, *languages: str) -> str | Literal[False]: ...
    def accepts_languages(self, *languages: str | Sequence[str]) -> list[str] | str | Literal[False]:
        """Return the best of some languages, or ``False``; without any, all that the client accepts.

        Example: ``req.accepts_languages("en", "de")`` is ``"de"`` for ``Accept-Language: de, en;q=0.8``.
        """
        header = self.get("Accept-Language")
        return _choose(languages, header, _negotiation.languages, _negotiation.accepts_languages)

    def is_(self, *types: str | Sequence[str]) -> str | Literal[False] | None:
        """Tell which of some types the body is of: the type, ``False`` if of none, ``None`` if there is no body.

        Args:
            *types: extensions, types, ``text/*``, ``+json``, ``urlencoded``, ``multipart``; without any, any type.

        Example::

            if req.is_("json"):
                data = await req.json()
        """
        length = self.get("Content-Length")
        if self.get("Transfer-Encoding") is None and not (length and _NUMBER.match(length)):
            return None
        return _negotiation.type_is(self.get("Content-Type"), _flat(types)) or False

    def range(self, size: int, *, combine: bool = False) -> RangeResult | None:
        """Return the ranges that the client asks for of something.

        Args:
            size: its length.
            combine: whether ranges that overlap or touch become one.

        Returns:
            A list with ``.type``, of items with ``.start`` and ``.end``; ``None`` without the header,
            ``-1`` if none of it is there, ``-2`` if the header is malformed.

        Example: ``req.range(1000)[0].end`` is ``99`` for ``Range: bytes=0-99``.
        """
        header = self.get("Range")
        return parse_range(size, header, combine=combine) if header else None

    @property
    def fresh(self) -> bool:
        """Whether the client's copy is as good as the answer that is decided so far (RFC 9110 section 13).

        Example: ``if req.fresh: res.status(304).end()``
        """
        return self._is_fresh()

    def _is_fresh(self) -> bool:
        if self.method not in _FRESHNESS_METHODS:
            return False
        for name, _ in self.scope["headers"]:
            if name in _CONDITIONAL:
                break
        else:
            return False
        status = self.res.status_code
        if not (200 <= status < 300 or status == 304):
            return False
        return _freshness.is_fresh(
            if_none_match=self._header(b"if-none-match"),
            if_modified_since=self._header(b"if-modified-since"),
            cache_control=self._header(b"cache-control"),
            etag=_one(self.res.get("ETag")),
            last_modified=_one(self.res.get("Last-Modified")),
        )

    @property
    def stale(self) -> bool:
        """The opposite of ``fresh``.

        Example: ``if req.stale: res.send(make_page())``
        """
        return not self.fresh

    @property
    def xhr(self) -> bool:
        """Whether the header ``X-Requested-With`` says that a script asks.

        Example: ``if req.xhr: res.json(rows)``
        """
        return (self.get("X-Requested-With") or "").lower() == "xmlhttprequest"

    # -- who asks, and whom; by the setting ``trust proxy``

    @property
    def _peer(self) -> str:
        client = self.scope.get("client")
        return client[0] if client else ""

    @property
    def _behind_proxy(self) -> bool:
        return bool(self._settings.trust(self._peer, 0))

    @property
    def protocol(self) -> str:
        """``"https"`` or ``"http"``; what a trusted proxy says in ``X-Forwarded-Proto``.

        Example: ``f"{req.protocol}://{req.host}"`` is ``"http://example.com"`` for ``Host: example.com``.
        """
        own = "https" if self.scope.get("scheme") in ("https", "wss") else "http"
        if not self._behind_proxy:
            return own
        return (self.get("X-Forwarded-Proto") or own).partition(",")[0].strip()

    @property
    def secure(self) -> bool:
        """Whether ``protocol`` is ``"https"``.

        Example: ``if not req.secure: res.redirect(f"https://{req.host}{req.original_url}")``
        """
        return self.protocol == "https"

    @property
    def ip(self) -> str | None:
        """The address of the client; behind trusted proxies, the farthest that they vouch for. ``None`` without one.

        Example: ``log.info("from %s", req.ip)``
        """
        return _addresses.client_ip(self._peer, self.get("X-Forwarded-For"), self._settings.trust)

    @property
    def ips(self) -> list[str]:
        """The addresses that trusted proxies tell of, the client's first; empty where none is trusted.

        Example: ``req.ips`` is ``["::7", "::2"]`` for ``X-Forwarded-For: ::7, ::2`` where all are trusted.
        """
        return _addresses.client_ips(self._peer, self.get("X-Forwarded-For"), self._settings.trust)

    @property
    def host(self) -> str | None:
        """The host and port that were asked for; what a trusted proxy says in ``X-Forwarded-Host``.

        Example: ``req.host`` is ``"example.com:3000"`` for ``Host: example.com:3000``.
        """
        forwarded = self.get("X-Forwarded-Host")
        if forwarded and self._behind_proxy:
            return forwarded.partition(",")[0].rstrip() or None
        return self.get("Host") or None

    @property
    def hostname(self) -> str | None:
        """The host without the port; an IPv6 address keeps its brackets.

        Example: ``req.hostname`` is ``"example.com"`` for ``Host: example.com:3000``.
        """
        host = self.host
        if host is None:
            return None
        end = host.find("]") + 1 if host.startswith("[") else 0
        colon = host.find(":", end)
        return host if colon < 0 else host[:colon]

    @property
    def subdomains(self) -> list[str]:
        """The labels of ``hostname`` from the right, without the first ones (setting ``subdomain offset``, 2).

        Example: ``req.subdomains`` is ``["ferrets", "tobi"]`` for ``Host: tobi.ferrets.example.com``.
        """
        hostname = self.hostname
        if not hostname:
            return []
        labels = [hostname] if _addresses.is_address(hostname) else hostname.split(".")[::-1]
        return labels[self._settings["subdomain offset"] :]

    # -- cookies and session

    @property
    def cookies(self) -> dict[str, Any]:
        """The cookies that are not signed; those that start with ``j:`` are read as JSON.

        Example: ``req.cookies.get("theme", "light")`` is ``"dark"`` for ``Cookie: theme=dark``.
        """
        return self._all_cookies[0]

    @property
    def signed_cookies(self) -> dict[str, Any]:
        """The signed cookies whose signature ``cookie_parser`` has found right; ``False`` where it is wrong.

        Example: ``req.signed_cookies.get("user")``
        """
        return self._all_cookies[1]

    @property
    def _all_cookies(self) -> tuple[dict[str, Any], dict[str, Any]]:
        header = self.get("Cookie") or ""
        kept = self.__dict__.get("_cookies")
        if kept is None or kept[0] != (header, self.cookie_secrets):
            plain, signed = _cookies.split_signed(_cookies.parse_cookies(header), self.cookie_secrets)
            checked = {name: False if value is None else _cookies.revive_json(value) for name, value in signed.items()}
            revived = {name: _cookies.revive_json(value) for name, value in plain.items()}
            kept = self.__dict__["_cookies"] = ((header, self.cookie_secrets), (revived, checked))
        cookies: tuple[dict[str, Any], dict[str, Any]] = kept[1]
        return cookies

    @property
    def cookie_secrets(self) -> tuple[str, ...]:
        """The secrets that cookies are signed with, the newest first; set by ``cookie_parser``.

        Example: ``req.cookie_secrets = ["new secret", "old secret"]``
        """
        secrets: tuple[str, ...] = self.__dict__.get("_cookie_secrets", ())
        return secrets

    @cookie_secrets.setter
    def cookie_secrets(self, secrets: str | Sequence[str]) -> None:
        self.__dict__["_cookie_secrets"] = (secrets,) if isinstance(secrets, str) else tuple(secrets)

    @property
    def session(self) -> Any:
        """The session, from whichever middleware keeps one; ``None`` without.

        Example: ``req.session["user"] = "ada"``
        """
        return self.scope.get("session")

    @property
    def actor(self) -> Any:
        """Who acts, from ``TokenAuth`` or whatever else found it out; ``None`` for nobody.

        Example: ``req.actor.id`` is ``"ada"``.
        """
        return self.scope.get(ACTOR)

    @property
    def security_scope(self) -> Any:
        """The policies of the actor, a ``Scope``; ``None`` without.

        Example: ``len(req.security_scope)`` is ``1``.
        """
        return self.scope.get(SECURITY_SCOPE)


def _flat(values: Sequence[str | Sequence[str]]) -> list[str]:
    """Take arguments or one list of them."""
    if len(values) == 1 and not isinstance(values[0], str):
        return list(values[0])
    return [value for value in values if isinstance(value, str)]


def _choose(
    offered: Sequence[str | Sequence[str]],
    header: str | None,
    every: Callable[[str | None], list[str]],
    best: Callable[[str | None, Sequence[str]], str | None],
) -> list[str] | str | Literal[False]:
    offers = _flat(offered)
    return (best(header, offers) or False) if offers else every(header)


def _one(value: str | list[str] | None) -> str | None:
    return value[0] if isinstance(value, list) else value
