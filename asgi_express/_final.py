"""The last word on a request: Express's 404, or the error that nobody answered.

The words and headers are those of ``finalhandler`` 2.1. Outside ``development`` an error page says
no more than the reason phrase.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from asgi_express import _json
from asgi_express._debug_page import error_facts, error_page, words_of
from asgi_express._headers import HeaderValueError
from asgi_express._scope import OBSERVED
from asgi_express._status import reason
from asgi_express._urls import encode_url, escape_html, path_of

if TYPE_CHECKING:
    from asgi_express.request import Request
    from asgi_express.response import Response

__all__ = ["answer_error", "answer_not_found", "log_error", "status_of"]

_log = logging.getLogger("asgi_express")

# A header of these would speak of a body that is no longer sent.
_CONTENT_HEADERS = (b"content-encoding", b"content-language", b"content-range", b"transfer-encoding")

_HTML = b"text/html; charset=utf-8"
_NO_SOURCES = b"default-src 'none'"

# How much of what a client sent goes into a line of the log.
_LOGGED = 1024


def answer_not_found(req: Request, res: Response) -> None:
    """Answer 404, naming the method and the path that was asked for."""
    path = encode_url(path_of(req.original_url))
    _forget_content(res)
    _answer(res, 404, f"Cannot {req.method} {path}")


def answer_error(error: Any, res: Response) -> None:
    """Answer an error with its status and, in development, its traceback."""
    status, own = status_of(error, res)
    _forget_content(res)
    headers = getattr(error, "headers", None) if own else None
    for name, value in headers.items() if isinstance(headers, Mapping) else ():
        try:
            res.set(name, value)
        except (HeaderValueError, TypeError):
            _log.exception("an error has a header that may not be sent")
    development = res._settings["env"] == "development"
    if not development:
        _answer(res, status, reason(status))
    elif not isinstance(error, BaseException):
        _answer(res, status, words_of(error))
    elif res.req.accepts("html", "json") == "json":
        facts = _json.dumps(error_facts(error, status))
        _settle(res, status, _NO_SOURCES, b"application/json; charset=utf-8", facts)
    else:
        page, policy = error_page(error, status, res.req)
        _settle(res, status, policy.encode(), _HTML, page)


def status_of(error: Any, res: Response) -> tuple[int, bool]:
    """Return the status of an error, and whether it is the error's own.

    ``status`` and ``status_code`` count if they are error statuses (Starlette's ``HTTPException``
    has the latter), then the status of the response, then 500.
    """
    for name in ("status", "status_code"):
        status = getattr(error, name, None)
        if isinstance(status, int) and not isinstance(status, bool) and 400 <= status <= 599:
            return status, True
    return (res.status_code if 400 <= res.status_code <= 599 else 500), False


def log_error(error: Any, req: Request, res: Response) -> None:
    """Log an error that nobody answered, and note it for those who watch.

    A server's fault is logged with its traceback, a client's in one line.
    """
    observed = req.scope.get(OBSERVED)
    if observed is not None and isinstance(error, BaseException):
        observed.error = error
    if res._settings["env"] == "test":
        return
    status, _ = status_of(error, res)
    what = _printable(f"{req.method} {req.original_url}")
    if status < 500:
        _log.info("%s: %s %s", what, status, _printable(words_of(error)))
    elif isinstance(error, BaseException):
        _log.error("%s: %s", what, type(error).__name__, exc_info=error)
    else:
        _log.error("%s: %r", what, error)


def _forget_content(res: Response) -> None:
    res._open()
    for name in _CONTENT_HEADERS:
        res._headers.pop(name, None)


def _printable(text: str) -> str:
    """Return text of the client's for a line of the log: printable ASCII, and no more than 1 KiB."""
    return ascii(text[:_LOGGED])[1:-1][:_LOGGED]


def _answer(res: Response, status: int, message: str) -> None:
    text = escape_html(message).replace("\n", "<br>").replace("  ", " &nbsp;")
    page = (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>Error</title>\n</head>\n'
        f"<body>\n<pre>{text}</pre>\n</body>\n</html>\n"
    )
    _settle(res, status, _NO_SOURCES, _HTML, page)


def _settle(res: Response, status: int, policy: bytes, kind: bytes, text: str) -> None:
    res._status = status
    content = text.encode("utf-8", "replace")
    # Not by set(): there may be as many headers as it lets through.
    res._headers |= {
        b"content-security-policy": policy,
        b"x-content-type-options": b"nosniff",
        b"content-type": kind,
        b"content-length": b"%d" % len(content),
    }
    res._settled = b"transfer-encoding" not in res._headers  # an error may have it among its headers
    res._finish(content)
