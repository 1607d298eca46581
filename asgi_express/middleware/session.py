"""Sessions: what is kept about a client from one request to the next."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, Literal, cast

from asgi_express._cookies import parse_cookies, serialize_cookie
from asgi_express._flags import check_flags
from asgi_express._freshness import format_http_date
from asgi_express._scope import next_app
from asgi_express._units import parse_duration
from asgi_express.middleware._session_data import SessionData
from asgi_express.middleware._session_headers import cookie_header, with_session_headers
from asgi_express.middleware._session_homes import CookieHome, Held, Home, Lifetimes, Record, Seal, StoreHome
from asgi_express.stores import Store, StoreUnavailable
from asgi_express.stores._protocol import check_store
from asgi_express.types import ASGIApp, Duration, Message, Receive, Scope, Send

__all__ = ["Session", "SessionData"]

_log = logging.getLogger("asgi_express.session")

_STARTS = ("http.response.start", "websocket.accept", "websocket.http.response.start")

# RFC 6265bis section 5.6: browsers drop a cookie whose name and value are longer, without a word.
_MAX_COOKIE = 4096
_MIN_SECRET = 16


class Session:
    """Keep a session for each client: ``scope["session"]``, which is ``req.session``, a mapping.

    It has two homes. Without ``store`` the session itself is in the cookie: signed, so that the client can read but
    not change it, 4 KiB at most, and not to be revoked before it expires. With ``store`` the cookie holds a random id
    and the data stay here: they can be of any size, and ``destroy()`` ends them for certain.

    Reads ``Cookie``. Writes ``scope["session"]`` (:class:`SessionData`) and, on answers to requests that used it,
    ``Set-Cookie`` where there is something to tell, ``Vary: Cookie`` and ``Cache-Control``.

    - A session begins when something is written to it. An empty one is neither stored nor sent; one that is emptied
      ends.
    - ``session.regenerate()`` at login gives a new id. No session is ever kept under an id that a client brought.
    - A request uses the session when the program reads or writes it. Only then it counts against ``idle``, and only
      then the answer varies by cookie: what is the same for everybody stays cacheable.
    - It is saved before the first message of the answer goes out, or with the handshake of a WebSocket. What is changed
      later is lost, and a line in the log says so.
    - A session that was not changed is not written. Of two requests that change it at once, the last one wins; but one
      that was destroyed or regenerated meanwhile is not brought back.

    Args:
        app: the app to wrap; inside a router, the rest of the stack.
        secret: what cookies are signed with, 16 characters or more. Of several the first signs and all are accepted:
            put a new one in front, take the old one away after ``lifetime``.
        store: where sessions are kept; ``None`` for the cookie.
        cookie: its name. With the prefix ``__Host-`` no other host of the domain can set it.
        idle: how long a session lasts without being used; ``None`` for ``lifetime``.
        lifetime: how long it lasts at most, from its first write or ``regenerate()``. It is checked here, whatever the
            browser does.
        rolling: whether the cookie ends in the browser with ``idle`` and is sent again whenever the session is used.
            Without it the cookie lasts for ``lifetime`` and is sent when there is news.
        path: the path of the cookie.
        domain: the domain of the cookie; only the host that sends it, by default.
        secure: whether the cookie travels over TLS only; ``"auto"`` where the request came so (the scheme in the
            scope: behind a proxy somebody has to put that right), and where the name or ``same_site`` demand it.
        http_only: whether scripts may not read it.
        same_site: ``"lax"``, ``"strict"`` or ``"none"``.
        on_store_failure: ``"error"`` answers 503 where the session cannot be read or saved; an ASGI app answers
            instead. ``"empty"`` goes on with an empty one, and what is written is lost; only ``regenerate()`` and
            ``destroy()`` are never lost like that, but 503.
        clock: seconds since the epoch.

    Raises:
        TypeError: a secret is not text, a duration is of a wrong type, or ``store`` is none.
        ValueError: an option is out of range. While answering: the session is too large for a cookie, or holds what
            JSON cannot (``TypeError``, too); nothing is saved then.

    Examples::

        app.use(Session(secret=os.environ["SECRET"]))

        app.use(
            Session(
                secret=[os.environ["SECRET"], os.environ["OLD_SECRET"]],
                store=RedisStore("redis://localhost"),
                cookie="__Host-id",
                idle="2h",
                lifetime="30d",
                same_site="strict",
            )
        )
    """

    def __init__(
        self,
        app: ASGIApp = next_app,
        *,
        secret: str | Sequence[str],
        store: Store | None = None,
        cookie: str = "session",
        idle: Duration | None = "30m",
        lifetime: Duration = "14d",
        rolling: bool = False,
        path: str = "/",
        domain: str | None = None,
        secure: bool | Literal["auto"] = "auto",
        http_only: bool = True,
        same_site: Literal["lax", "strict", "none"] = "lax",
        on_store_failure: Literal["error", "empty"] | ASGIApp = "error",
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.app = app
        self._lifetimes = Lifetimes(
            None if idle is None else _at_least_a_second("idle", idle), _at_least_a_second("lifetime", lifetime)
        )
        self._rolling = rolling
        if store is not None:
            check_store("Session", store)
        self._home: Home = (
            CookieHome(self._lifetimes, rolling=rolling)
            if store is None
            else StoreHome(store, self._lifetimes, rolling=rolling)
        )
        self._seal = Seal(_secrets(secret), cookie)
        self._cookie = cookie
        self._clock = clock
        check_flags("Session", rolling=rolling, http_only=http_only)
        if not isinstance(secure, bool) and secure != "auto":
            msg = f"Session: secure must be True, False or 'auto', not {secure!r}"
            raise ValueError(msg)
        if same_site not in ("lax", "strict", "none"):
            msg = f"Session: same_site must be 'lax', 'strict' or 'none', not {same_site!r}"
            raise ValueError(msg)
        if secure == "auto" and (same_site == "none" or cookie.lower().startswith(("__host-", "__secure-"))):
            secure = True
        if not secure and same_site == "none":
            msg = "Session: browsers drop cookies of same_site='none' without secure"
            raise ValueError(msg)
        self._secure = None if secure == "auto" else secure
        attributes: dict[str, Any] = {"path": path, "domain": domain, "http_only": http_only, "same_site": same_site}
        # A name, path or domain that cannot be is told here.
        self._lines = {
            is_secure: _cookie_line(cookie, secure=is_secure, **attributes)
            for is_secure in ((False, True) if secure == "auto" else (bool(secure),))
        }
        self._on_failure = _failure_answer(on_store_failure)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the app with a session, and save it when the answer starts."""
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        held, readable = None, True
        try:
            held = await self._load(scope)
        except StoreUnavailable as error:
            _log.error("the session cannot be read: %s", error)
            if self._on_failure is not None:
                await self._on_failure(scope, receive, send)
                return
            readable = False
        session = scope["session"] = (
            SessionData(None, "{}") if held is None else SessionData(held.record.data, held.record.text)
        )
        started = replaced = False

        async def send_with_session(message: Message) -> None:
            nonlocal started, replaced
            if replaced:
                _drop(message)
                return
            if message["type"] not in _STARTS or not session.accessed:
                await send(message)
                return
            set_cookie = None
            if not started:
                started = True
                set_cookie, refusal = (
                    (None, None)
                    if self._is_unchanged(session, held)
                    else await self._try_to_save(scope, session, held, readable=readable)
                )
                if refusal is not None:
                    replaced = True
                    await refusal(scope, receive, send)
                    return
            await send(_marked(message, set_cookie))

        with suppress(_Replaced):
            await self.app(scope, receive, send_with_session)
        if session.modified:
            _log.warning("%r was changed and not saved: its answer had started, or there was none", session)

    async def _load(self, scope: Scope) -> Held | None:
        header = cookie_header(scope["headers"])
        value = parse_cookies(header).get(self._cookie) if self._cookie in header else None
        if value is None or len(value) > _MAX_COOKIE:
            return None
        text, stale = self._seal.open(value)
        if text is None:
            return None
        record = await self._home.load(text, self._clock())
        return None if record is None else Held(text, record, stale)

    def _is_unchanged(self, session: SessionData, held: Held | None) -> bool:
        """Tell whether there is nothing to do for a session that was only read, which spares 0.7 us of waiting."""
        if held is None or not held.record.data or not session.is_as_saved():
            return False
        return not self._home.must_note(held, self._clock())

    async def _try_to_save(
        self, scope: Scope, session: SessionData, held: Held | None, *, readable: bool
    ) -> tuple[str | None, ASGIApp | None]:
        """Save; return the ``Set-Cookie`` if there has to be one, or the app that answers because it failed."""
        # A logout that did not happen must not look as if it had, nor a login.
        matters = session.renewed or (held is not None and not session)
        try:
            if matters and not readable:
                msg = "the session to end could not be read"
                raise StoreUnavailable(msg)
            return await self._save(scope, session, held), None
        except StoreUnavailable as error:
            _log.error("%r cannot be saved: %s", session, error)
            session.settle()
            return None, self._on_failure or (_unavailable if matters else None)

    async def _save(self, scope: Scope, session: SessionData, held: Held | None) -> str | None:
        """Keep what has changed; return the ``Set-Cookie``, if there has to be one."""
        now = self._clock()
        is_renewed = session.renewed
        data, kept, is_modified = session.settle()
        if not data:
            if held is None:
                return None
            await self._home.delete(held)
            return self._set_cookie(scope, "", 0, now)
        if held is None or is_renewed:
            record = Record(now, now, data, kept)
            text = await self._home.create(record, held)
        else:
            record = Record(held.record.created, now, data, kept)
            text = await (self._home.update(held, record) if is_modified else self._home.renew(held, now))
        if text is None:
            return None
        left = self._lifetimes.left(record, now) if self._rolling else record.created + self._lifetimes.total - now
        return self._set_cookie(scope, self._seal.close(text), max(1, math.ceil(left)), now)

    def _set_cookie(self, scope: Scope, value: str, max_age: int, now: float) -> str:
        size = len(self._cookie) + 1 + len(value)
        if size > _MAX_COOKIE:
            msg = f"the session needs a cookie of {size} bytes, browsers keep {_MAX_COOKIE}: pass Session a store"
            raise ValueError(msg)
        secure = scope.get("scheme") in ("https", "wss") if self._secure is None else self._secure
        return self._lines[secure](value, max_age, now)


def _cookie_line(name: str, **attributes: Any) -> Callable[[str, int, float], str]:
    """Return what writes the cookie with a value, a lifetime, and the time that it is; the rest is written once.

    The values are Base64 and need no check: 0.6 us instead of 3.
    """
    parts = serialize_cookie(name, "", encode=str, **attributes).split("; ")[1:]
    places = [f"; {part}" for part in parts if part.startswith(("Domain=", "Path="))]
    before, after = "".join(places), "".join(f"; {part}" for part in parts[len(places) :])

    def write(value: str, max_age: int, now: float) -> str:
        return f"{name}={value}; Max-Age={max_age}{before}; Expires={format_http_date(now + max_age)}{after}"

    return write


class _Replaced(OSError):
    """What servers raise where the client has gone (ASGI specification, HTTP 2.4)."""


def _drop(message: Message) -> None:
    """Drop what is left of an answer in whose place another has been given; a stream has to find out."""
    if message.get("more_body", False) or message["type"] == "websocket.send":
        raise _Replaced


def _marked(message: Message, set_cookie: str | None) -> Message:
    """Return a copy of the first message of an answer, with what the session adds."""
    headers = message.get("headers", ())
    if message["type"] != "websocket.accept":
        return {**message, "headers": with_session_headers(headers, set_cookie)}
    if set_cookie is None:
        return message
    return {**message, "headers": [*headers, (b"set-cookie", set_cookie.encode("latin-1"))]}


async def _unavailable(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer 503; a WebSocket is refused, with 503 where the server can."""
    prefix = ""
    if scope["type"] == "websocket":
        if "websocket.http.response" not in (scope.get("extensions") or {}):
            await send({"type": "websocket.close", "code": 1013, "reason": "Service Unavailable"})
            return
        prefix = "websocket."
    body = b"Service Unavailable"
    headers = [
        (b"content-type", b"text/plain; charset=utf-8"),
        (b"content-length", b"%d" % len(body)),
        (b"cache-control", b"no-store"),
        (b"retry-after", b"1"),
    ]
    await send({"type": f"{prefix}http.response.start", "status": 503, "headers": headers})
    await send({"type": f"{prefix}http.response.body", "body": b"" if scope.get("method") == "HEAD" else body})


def _failure_answer(option: Any) -> ASGIApp | None:
    if option == "empty":
        return None
    if option == "error":
        return _unavailable
    if not callable(option):
        msg = f"Session: on_store_failure must be 'error', 'empty' or an ASGI app, not {option!r}"
        raise ValueError(msg)
    return cast("ASGIApp", option)


def _at_least_a_second(option: str, value: Duration) -> float:
    seconds = parse_duration(value)
    if seconds < 1:
        msg = f"Session: {option} must be a second or more, not {value!r}"
        raise ValueError(msg)
    return seconds


def _secrets(secret: str | Sequence[str]) -> tuple[str, ...]:
    each = (secret,) if isinstance(secret, str) else tuple(secret)
    if not all(isinstance(one, str) for one in each):
        msg = f"Session: a secret must be text, got {[type(one).__name__ for one in each]}"
        raise TypeError(msg)
    if not each or min(len(one) for one in each) < _MIN_SECRET:
        msg = (
            f"Session: a secret needs {_MIN_SECRET} characters or more; to make one: "
            "python -c 'import secrets; print(secrets.token_urlsafe(32))'"
        )
        raise ValueError(msg)
    return each
