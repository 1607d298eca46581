"""Answer the errors of any ASGI app as Express does, or as problem details (RFC 9457)."""

from __future__ import annotations

import inspect
import logging
import os
from collections.abc import Awaitable, Callable, Mapping
from types import SimpleNamespace
from typing import Any, NamedTuple, TypeAlias, cast
from urllib.parse import quote

from asgi_express import _json
from asgi_express._debug_page import describe, error_page
from asgi_express._flags import check_flags
from asgi_express._headers import HeaderValueError, header_name, header_value
from asgi_express._negotiation import media_types
from asgi_express._scope import next_app
from asgi_express._status import reason
from asgi_express._urls import escape_html
from asgi_express.middleware._respond import respond
from asgi_express.middleware._watching import note
from asgi_express.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["ErrorHandler"]

_log = logging.getLogger("asgi_express")

OnError: TypeAlias = Callable[[Exception, Scope], ASGIApp | Awaitable[ASGIApp | None] | None]
"""Sees an error before it is answered; an ASGI app that it returns answers instead."""

_STARTS = frozenset({"http.response.start", "websocket.accept", "websocket.close", "websocket.http.response.start"})

_PROBLEM, _HTML = "application/problem+json", "text/html"
_OFFERED = (_PROBLEM, "application/json", _HTML)

# These speak of the body, which is ours.
_OURS = frozenset(
    {
        b"content-type",
        b"content-length",
        b"content-encoding",
        b"content-language",
        b"content-range",
        b"transfer-encoding",
    }
)

_LOGGED = 1024


class _Facts(NamedTuple):
    """What an error says that may reach the client."""

    status: int
    detail: Any
    type: str | None
    headers: list[tuple[bytes, bytes]]


class ErrorHandler:
    """Answer what an app raises, with the status that the error has, and log it once.

    Reads ``Accept``. Writes a whole answer, and only if the app has not begun one.

    - The status is the error's ``status`` or ``status_code`` if that is 400 to 599, else 500; its ``headers`` are sent.
      That holds for the errors of this package, Starlette's and FastAPI's ``HTTPException``, and any other.
    - Clients that prefer HTML get a page, all others ``application/problem+json``, with ``title`` and ``status``; with
      ``detail`` only where the error is made for clients (it says ``expose``, or it has ``status_code`` and
      ``detail``, below 500).
    - A WebSocket that is not accepted is refused with the same answer where the server can do that, else closed with
      1008, 1011 or 1013.
    - Where the answer has begun there is nothing to save: the error is raised on, and its host logs it. So are
      cancellation and what else is no ``Exception``.
    - An ``ExceptionGroup`` with one error in it is that error: task groups wrap them.

    Starlette and FastAPI answer their own ``HTTPException`` inside of all middleware; what remains are errors that
    nobody handles. Add it before ``CORS``, so that it is inside: then these answers have their CORS headers too.
    An application of this package answers errors itself, after its error handlers; with
    ``Express(raise_errors=True)`` it leaves them to this.

    Args:
        app: the app to wrap; inside a router, the rest of the stack.
        debug: whether answers show the traceback and the source; by default if ``ASGI_EXPRESS_ENV`` is
            ``development`` or ``debug``.
        on_error: a function of ``(error, scope)``, plain or asynchronous, called with each error before it is answered.
            It may return an ASGI app, which answers instead. What it raises is logged.
        log: whether to log: from 500 on with the traceback, below in one line at level ``INFO``.

    Raises:
        ValueError: ``on_error`` cannot be called, or a switch is neither on nor off.

    Examples::

        app = Express(raise_errors=True)
        app.use(ErrorHandler())

        app = FastAPI()
        app.add_middleware(ErrorHandler, on_error=lambda error, scope: report(error), debug=True)
    """

    def __init__(
        self,
        app: ASGIApp = next_app,
        *,
        debug: bool | None = None,
        on_error: OnError | None = None,
        log: bool = True,
    ) -> None:
        self.app = app
        if on_error is not None and not callable(on_error):
            msg = f"ErrorHandler: on_error is a function of (error, scope), not {on_error!r}"
            raise ValueError(msg)
        check_flags("ErrorHandler", log=log, debug=False if debug is None else debug)
        self._debug = os.environ.get("ASGI_EXPRESS_ENV") in ("development", "debug") if debug is None else debug
        self._on_error = on_error
        self._logs = log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the app, and answer what it raises."""
        if (kind := scope["type"]) != "http" and kind != "websocket":
            await self.app(scope, receive, send)
            return
        started = False

        # Compared one by one, and not at all once it has started: what Starlette's does takes 4 % more, a set 3 %.
        async def noting(message: Message) -> None:
            nonlocal started
            if not started and ((kind := message["type"]) == "http.response.start" or kind in _STARTS):
                started = True
            await send(message)

        try:
            await self.app(scope, receive, noting)
        except Exception as raised:
            if started:
                raise
            error = _single(raised)
            facts = _facts_of(error)
            note(scope, error)
            instead = await self._tell(error, facts.status, scope)
            if instead is not None:
                try:
                    await instead(scope, receive, noting)
                except Exception:
                    if started:
                        raise
                    _log.exception("the app that on_error returned failed")
            if not started:
                headers, body = _answer(error, facts, scope, debug=self._debug)
                await respond(scope, send, facts.status, headers, body)

    async def _tell(self, error: Exception, status: int, scope: Scope) -> ASGIApp | None:
        """Log an error, and return what ``on_error`` wants to answer instead."""
        if self._logs:
            _log_error(error, status, scope)
        if self._on_error is None:
            return None
        try:
            answer: Any = self._on_error(error, scope)
            if inspect.isawaitable(answer):
                answer = await answer
        except Exception:
            _log.exception("on_error failed")
            return None
        return cast("ASGIApp", answer) if callable(answer) else None


def _single(error: Exception) -> Exception:
    while isinstance(error, ExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error


def _facts_of(error: Exception) -> _Facts:
    for name in ("status", "status_code"):
        status = getattr(error, name, None)
        if isinstance(status, int) and not isinstance(status, bool) and 400 <= status <= 599:
            break
    else:
        return _Facts(500, None, None, [])
    status = int(status)  # an HTTPStatus prints as its name
    kind = getattr(error, "type", None)
    detail = None
    if getattr(error, "expose", None) is True:
        detail = getattr(error, "message", None) or str(error)
    elif name == "status_code" and status < 500:
        detail = getattr(error, "detail", None)
    return _Facts(status, detail, kind if isinstance(kind, str) else None, _headers_of(error))


def _headers_of(error: Exception) -> list[tuple[bytes, bytes]]:
    headers: Any = getattr(error, "headers", None)
    pairs: list[tuple[bytes, bytes]] = []
    for name, value in headers.items() if isinstance(headers, Mapping) else ():
        try:
            pair = header_name(name), header_value(name, value)
        except (HeaderValueError, TypeError):
            _log.exception("an error has a header that may not be sent")
            continue
        if pair[0] not in _OURS:
            pairs.append(pair)
    return pairs


def _log_error(error: Exception, status: int, scope: Scope) -> None:
    """Log an error: a server's fault with its traceback, a client's in one line."""
    what = _printable(f"{scope.get('method', 'WEBSOCKET')} {scope['path']}")
    if status < 500:
        _log.info("%s: %s %s", what, status, _printable(str(error)))
    else:
        _log.error("%s: %s", what, type(error).__name__, exc_info=error)


def _printable(text: str) -> str:
    """Return text of the client's for a line of the log: printable ASCII, and no more than 1 KiB."""
    return ascii(text[:_LOGGED])[1:-1][:_LOGGED]


def _answer(error: Exception, facts: _Facts, scope: Scope, *, debug: bool) -> tuple[list[tuple[bytes, bytes]], bytes]:
    accept = b",".join(value for name, value in scope["headers"] if name == b"accept").decode("latin-1")
    liked = media_types(accept or None, _OFFERED)
    headers = [*facts.headers, (b"x-content-type-options", b"nosniff"), (b"vary", b"Accept")]
    if liked and liked[0] == _HTML:
        page, policy = _page(error, facts, scope, debug=debug)
        headers += [
            (b"content-type", b"text/html; charset=utf-8"),
            (b"content-security-policy", policy.encode("ascii")),
        ]
        return headers, page.encode("utf-8", "replace")
    headers.append((b"content-type", _PROBLEM.encode("ascii")))
    return headers, _problem(error, facts, debug=debug).encode("utf-8")


def _problem(error: Exception, facts: _Facts, *, debug: bool) -> str:
    """Return the problem details. ``code`` is the word that the error's ``type`` is, which is no URI."""
    problem: dict[str, Any] = {"type": "about:blank", "title": reason(facts.status), "status": facts.status}
    if facts.type is not None and facts.status < 500:
        problem["code"] = facts.type
    if isinstance(facts.detail, str):
        if facts.detail != problem["title"]:
            problem["detail"] = facts.detail
    elif facts.detail is not None:
        problem["errors"] = facts.detail  # "detail" has to be text
    if debug:
        problem |= {"error": type(error).__name__, "message": str(error), "traceback": describe(error)}
    try:
        return _json.dumps(problem)
    except (TypeError, ValueError):
        problem.pop("errors")
        return _json.dumps(problem)


def _page(error: Exception, facts: _Facts, scope: Scope, *, debug: bool) -> tuple[str, str]:
    """Return Express's page, or that of development, and the policy for what it may do."""
    if debug:
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        url = quote(scope["path"], safe="/:@!$&'()*+,;=~-._", errors="replace")
        method = scope.get("method", "WEBSOCKET")
        asked: Any = SimpleNamespace(method=method, original_url=url, headers=headers, route=None, scope=scope)
        return error_page(error, facts.status, asked)
    text = reason(facts.status)
    if isinstance(facts.detail, str):
        text = facts.detail
    text = escape_html(text).replace("\n", "<br>").replace("  ", " &nbsp;")
    page = (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>Error</title>\n</head>\n'
        f"<body>\n<pre>{text}</pre>\n</body>\n</html>\n"
    )
    return page, "default-src 'none'"
