"""Fetch a small public document over HTTPS, with a limit for everything.

On asyncio's streams, parsed by the standard library: what is fetched is one file, every hour or so. ``urllib`` in a
thread cannot be given up (a name that is not resolved, a server that sends a byte a second), and a client library would
be one more dependency.
"""

from __future__ import annotations

import asyncio
import http.client
import io
import re
import ssl
from typing import Any, NamedTuple, NoReturn
from urllib.parse import SplitResult, urljoin, urlsplit

__all__ = ["Document", "checked_url", "fetch"]

_MAX_HEAD = 32 << 10
_MAX_REDIRECTS = 3
_MAX_AGE = re.compile(r"max-age=\"?([0-9]{1,9})\"?\Z")


class Document(NamedTuple):
    """What was fetched.

    Attributes:
        body: the bytes.
        max_age: how many seconds it may be kept; ``None`` where the server does not say.

    Example::

        async def through_the_proxy(url):
            answer = await client.get(url)
            return Document(answer.content, max_age=600)
    """

    body: bytes
    max_age: float | None = None


def checked_url(url: str, *, insecure: bool) -> SplitResult:
    """Take a URL apart.

    Args:
        url: of the document.
        insecure: whether ``http`` is admitted.

    Raises:
        ValueError: it is not one of https, or has parts that such a URL has no use for.
    """
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError as error:
        msg = f"{url!r} is no URL: {error}"
        raise ValueError(msg) from None
    if parts.scheme != "https" and not (insecure and parts.scheme == "http"):
        _refuse(f"{url!r} must begin with https://: whoever is on the way could put in keys of their own")
    if not parts.hostname or parts.username is not None or parts.fragment or not url.isascii() or not url.isprintable():
        _refuse(f"{url!r} is not a URL of a host and a path")
    if " " in url:
        _refuse(f"{url!r} has a space")
    return parts


async def fetch(url: str, *, max_size: int, tls: ssl.SSLContext | None, insecure: bool = False) -> Document:
    """Fetch a document. Redirects are followed to the same origin only.

    Args:
        url: of the document.
        max_size: of its body, in bytes.
        tls: which certificates are trusted; ``None`` for those of the system.
        insecure: whether ``http`` is admitted.

    Raises:
        OSError: the server cannot be reached.
        ValueError: it has answered something else than a document of that size.
        http.client.HTTPException: it does not speak HTTP.
    """
    parts = checked_url(url, insecure=insecure)
    response, body = await _get(parts, max_size, tls)
    redirects = 0
    while response.status in (301, 302, 303, 307, 308):
        there = checked_url(urljoin(parts.geturl(), response.getheader("location", "")), insecure=insecure)
        if _origin(there) != _origin(parts):
            _refuse(f"it redirects to another origin: {there.geturl()!r}")
        if redirects == _MAX_REDIRECTS:
            _refuse("it redirects too often")
        redirects += 1
        parts = there
        response, body = await _get(parts, max_size, tls)
    return _document(response, body)


async def _get(parts: SplitResult, max_size: int, tls: ssl.SSLContext | None) -> tuple[http.client.HTTPResponse, bytes]:
    secure = parts.scheme == "https"
    context = (tls or ssl.create_default_context()) if secure else None
    reader, writer = await asyncio.open_connection(parts.hostname, _origin(parts)[2], ssl=context)
    try:
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        writer.write(
            f"GET {target} HTTP/1.1\r\nHost: {parts.netloc}\r\nAccept: application/json\r\n"
            "Accept-Encoding: identity\r\nUser-Agent: asgi-express\r\nConnection: close\r\n\r\n".encode("ascii")
        )
        await writer.drain()
        data = await _receive(reader, max_size)
    finally:
        writer.transport.abort()
    if b"\r\n\r\n" not in data:
        _refuse("the answer ends within its head")  # which http.client would take for all of it
    response = _parse(data)
    body = response.read()
    if len(body) > max_size:
        _refuse(f"it is larger than {max_size} bytes")
    return response, body


async def _receive(reader: asyncio.StreamReader, max_size: int) -> bytes:
    """Receive until the answer is complete; not every server closes the connection."""
    data = bytearray()
    while not _is_complete(data):
        piece = await reader.read(1 << 16)
        if not piece:
            break
        data += piece
        if len(data) > max_size + _MAX_HEAD:
            _refuse(f"it is larger than {max_size} bytes")
    return bytes(data)


def _is_complete(data: bytearray) -> bool:
    end = data.find(b"\r\n\r\n") + 4
    if end < 4:
        return False
    response = _parse(bytes(data[:end]))
    if response.chunked:
        return data.endswith(b"\r\n0\r\n\r\n")
    return response.length is not None and len(data) >= end + response.length


class _Received(io.BytesIO):
    """What http.client takes for a socket: it calls nothing but ``makefile``."""

    def makefile(self, mode: str) -> io.BytesIO:
        return self


def _parse(data: bytes) -> http.client.HTTPResponse:
    received: Any = _Received(data)
    response = http.client.HTTPResponse(received, method="GET")
    response.begin()
    return response


def _document(response: http.client.HTTPResponse, body: bytes) -> Document:
    if response.status != 200:
        _refuse(f"the answer is {response.status} {response.reason[:100]}")
    if response.getheader("content-encoding", "identity").lower() != "identity":
        _refuse("it is compressed, which was not asked for")
    directives = [word.strip() for word in response.getheader("cache-control", "").lower().split(",")]
    ages = [found[1] for found in map(_MAX_AGE.match, directives) if found]
    if "no-store" in directives or "no-cache" in directives:
        return Document(body, 0.0)
    if not ages:
        return Document(body)
    age = response.getheader("age", "0")
    return Document(body, max(0.0, float(ages[0]) - (float(age) if age.isdecimal() and len(age) < 10 else 0.0)))


def _origin(parts: SplitResult) -> tuple[str, str | None, int]:
    return parts.scheme, parts.hostname, parts.port or (443 if parts.scheme == "https" else 80)


def _refuse(words: str) -> NoReturn:
    raise ValueError(words)
