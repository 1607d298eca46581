"""The error page of development: the traceback with the source around each frame, and what was asked.

It is never sent in production. Secrets in headers are hidden even here, as such pages end up in chats.
"""

from __future__ import annotations

import linecache
import re
import secrets
import traceback
from collections.abc import Iterator
from types import TracebackType
from typing import TYPE_CHECKING, Any

from asgi_express._urls import escape_html

if TYPE_CHECKING:
    from asgi_express.request import Request

__all__ = ["describe", "error_facts", "error_page", "words_of"]

# Lines of source before and after the one that failed.
_AROUND = 5

# Frames of one error, the innermost ones, and errors that led to one another: a recursion has a thousand.
_MAX_FRAMES = 40
_MAX_ERRORS = 8

_SECRET_HEADER = re.compile("auth|cookie|key|token|secret|session|password|credential|signature|csrf|xsrf|jwt", re.I)

_STYLE = """
body { margin: 0; font: 15px/1.5 system-ui, sans-serif; background: #fbfbfa; color: #1d1d1f; }
main { max-width: 62rem; margin: 0 auto; padding: 2rem 1.25rem; }
h1 { font-size: 1.4rem; overflow-wrap: anywhere; } h2 { font-size: 1rem; margin-top: 2rem; }
pre { font: 13px/1.6 ui-monospace, monospace; overflow-x: auto; margin: 0; padding: .75rem 0; }
pre span { display: block; padding: 0 1rem; } pre .at { background: #ffe3df; }
details { background: #fff; border: 1px solid #e3e3e0; border-radius: 6px; margin: .5rem 0; }
summary { padding: .5rem 1rem; cursor: pointer; overflow-wrap: anywhere; }
table { border-collapse: collapse; } th, td { text-align: left; vertical-align: top; padding: .15rem 1rem .15rem 0; }
th { font-size: 13px; font-weight: 600; white-space: nowrap; } h1 + p { font-family: ui-monospace, monospace; }
td, h1 + p { overflow-wrap: anywhere; } td { font-family: ui-monospace, monospace; font-size: 13px; }
@media (prefers-color-scheme: dark) {
  body { background: #17181a; color: #e8e8e6; } details { background: #1f2023; border-color: #333; }
  pre .at { background: #52211b; }
}
"""

_SCRIPT = """
document.querySelector("button").addEventListener("click", async (event) => {
  await navigator.clipboard.writeText(document.querySelector("#text").textContent);
  event.target.textContent = "Copied";
});
"""


def words_of(error: Any) -> str:
    """Return the message of an error, whatever its ``__str__`` does."""
    try:
        return str(error)
    except Exception as failure:
        return f"(the message of this {type(error).__name__} cannot be read: {type(failure).__name__})"


def describe(error: BaseException) -> str:
    """Return the traceback of an error as text."""
    return "".join(traceback.format_exception(error)).rstrip()


def error_facts(error: BaseException, status: int) -> dict[str, Any]:
    """Return the same facts for a client that prefers JSON."""
    return {"status": status, "error": type(error).__name__, "message": words_of(error), "traceback": describe(error)}


def error_page(error: BaseException, status: int, req: Request) -> tuple[str, str]:
    """Return the page, and the ``Content-Security-Policy`` that lets its own style and script run."""
    nonce = secrets.token_urlsafe(16)
    title = escape_html(f"{status} {_headline(error)}")
    frames = "\n".join(_error_frames(error))
    page = f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>{title}</title>
<style nonce="{nonce}">{_STYLE}</style>
</head>
<body>
<main>
<h1>{title}</h1>
<p>{escape_html(req.method)} {escape_html(req.original_url)}</p>
{frames}
<h2>Traceback <button type="button">Copy</button></h2>
<pre id="text">{escape_html(describe(error))}</pre>
<h2>Request</h2>
<table>{_rows(req)}</table>
</main>
<script nonce="{nonce}">{_SCRIPT}</script>
</body>
</html>
"""
    return page, f"default-src 'none'; style-src 'nonce-{nonce}'; script-src 'nonce-{nonce}'"


def _headline(error: BaseException) -> str:
    words = words_of(error)
    return f"{type(error).__name__}: {words}" if words else type(error).__name__


def _error_frames(error: BaseException) -> Iterator[str]:
    """Show the frames of an error, then those of the errors that led to it."""
    yield _frames(error.__traceback__)
    shown = {id(error)}
    while len(shown) < _MAX_ERRORS:
        cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
        if cause is None or id(cause) in shown:
            return
        how = "Caused by" if error.__cause__ else "While handling"
        shown.add(id(cause))
        error = cause
        yield f"<h2>{how} {escape_html(_headline(error))}</h2>\n{_frames(error.__traceback__)}"


def _frames(trace: TracebackType | None) -> str:
    """Show the source around each frame, the innermost first and open."""
    parts: list[str] = []
    while trace is not None:
        code = trace.tb_frame.f_code
        place = escape_html(f"{code.co_filename}, line {trace.tb_lineno}, in {code.co_qualname}")
        lines = "".join(_lines(code.co_filename, trace.tb_lineno))
        is_open = " open" if trace.tb_next is None else ""
        parts.append(f"<details{is_open}><summary>{place}</summary><pre>{lines}</pre></details>")
        trace = trace.tb_next
    return "\n".join(reversed(parts[-_MAX_FRAMES:]))


def _lines(filename: str, at: int) -> list[str]:
    numbers = range(max(1, at - _AROUND), at + _AROUND + 1)
    lines = [(number, linecache.getline(filename, number)) for number in numbers]
    mark = ' class="at"'
    return [
        f"<span{mark if number == at else ''}>{number:>5}  {escape_html(line.rstrip())}</span>"
        for number, line in lines
        if line
    ]


def _rows(req: Request) -> str:
    facts = [("route", req.route and req.route.path), ("params", req.scope.get("path_params"))]
    headers = [(name, "(hidden)" if _SECRET_HEADER.search(name) else value) for name, value in req.headers.items()]
    rows = ((escape_html(str(name)), escape_html(str(value))) for name, value in facts + headers if value)
    return "".join(f"<tr><th>{name}</th><td>{value}</td></tr>" for name, value in rows)
