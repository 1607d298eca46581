"""What a session adds to the headers of an answer. Lists are copied."""

from __future__ import annotations

from collections.abc import Iterable

__all__ = ["cookie_header", "with_session_headers"]

_Pairs = list[tuple[bytes, bytes]]

_READ = frozenset({b"vary", b"cache-control"})


def cookie_header(headers: Iterable[tuple[bytes, bytes]]) -> str:
    """Return the cookies of a request; HTTP/2 splits them over lines."""
    return b"; ".join([value for name, value in headers if name == b"cookie"]).decode("latin-1")


def with_session_headers(headers: Iterable[tuple[bytes, bytes]], set_cookie: str | None) -> _Pairs:
    """Return the headers of an answer that depends on the session.

    ``Vary: Cookie`` always. ``Cache-Control`` becomes ``private`` where there is none; with a cookie ``no-store``,
    unless it says ``no-store`` or ``private``: a shared cache may keep ``Set-Cookie`` (RFC 9111 section 7.3).
    """
    marked = list(headers)
    for pair in marked:
        if pair[0].lower() in _READ:
            break
    else:  # most answers
        marked.append((b"vary", b"Cookie"))
        if set_cookie is None:
            marked.append((b"cache-control", b"private"))
        else:
            marked += ((b"set-cookie", set_cookie.encode("latin-1")), (b"cache-control", b"no-store"))
        return marked
    marked = _vary_cookie(marked)
    if set_cookie is not None:
        marked.append((b"set-cookie", set_cookie.encode("latin-1")))
    directives = _tokens(marked, b"cache-control")
    if set_cookie is not None and not directives & {b"no-store", b"private"}:
        marked = [pair for pair in marked if pair[0].lower() != b"cache-control"]
        marked.append((b"cache-control", b"no-store"))
    elif not directives:
        marked.append((b"cache-control", b"private"))
    return marked


def _tokens(headers: _Pairs, name: bytes) -> set[bytes]:
    values = b",".join(value for key, value in headers if key.lower() == name)
    return {token.strip().lower() for token in values.split(b",") if token.strip()}


def _vary_cookie(copied: _Pairs) -> _Pairs:
    if _tokens(copied, b"vary") & {b"cookie", b"*"}:
        return copied
    for index, (name, value) in enumerate(copied):
        if name.lower() == b"vary" and value.strip():
            copied[index] = (name, value + b", Cookie")
            return copied
    return [*copied, (b"vary", b"Cookie")]
