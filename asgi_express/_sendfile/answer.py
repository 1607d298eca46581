"""An answer with a file: look for it, describe it, decide, send.

A file is looked for, opened and, if it is small, read in one hop to a worker thread.
"""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Mapping, MutableMapping
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

from asgi_express import _mime, _negotiation
from asgi_express._freshness import format_http_date, stat_etag
from asgi_express._headers import header_name, header_value, merge_vary
from asgi_express._outgoing import PassOn
from asgi_express._sendfile.body import SMALL, Piece, length, multipart, send
from asgi_express._sendfile.decision import Conditions, Decision, decide
from asgi_express._sendfile.files import Found, IsDirectory, find, in_thread
from asgi_express._sendfile.options import FileOptions
from asgi_express._sendfile.paths import Target, extension, locate
from asgi_express.errors import HTTPError

if TYPE_CHECKING:
    from asgi_express.request import Request
    from asgi_express.response import Response

__all__ = ["Headers", "describe", "look", "respond", "send_file"]

Headers: TypeAlias = MutableMapping[bytes, bytes | list[bytes]]
"""Headers of an answer, by their names in lower case."""

# What speaks of a body, and is wrong in an answer without one.
_CONTENT_HEADERS = (b"content-encoding", b"content-language", b"content-length", b"content-range", b"content-type")


async def send_file(res: Response, path: str, options: FileOptions, headers: Mapping[str, Any] | None) -> None:
    """Answer with a file that the program named.

    Raises:
        HTTPError: there is no such file, or it is not to be sent.
        PassOn: it is a directory.
    """
    try:
        found = await look(res.req, locate(path, options), options)
    except IsDirectory:
        raise PassOn from None
    await respond(res, found, options, partial(_set_plainly, headers) if headers else None)


async def look(req: Request, target: Target, options: FileOptions) -> Found:
    """Find a file for a request, in a worker thread.

    Raises:
        IsDirectory: it is one.
        HTTPError: there is no such file, or it is not to be sent.
    """
    codings: list[str] = []
    if options.precompressed:
        offered = options.precompressed
        accepted = _negotiation.encodings(req.get("Accept-Encoding"), [*offered, "identity"], preferred=offered)
        codings = accepted[: accepted.index("identity")] if "identity" in accepted else accepted
    # A copy that may be fresh is not read before that is known, and one for HEAD never.
    in_advance = req.scope.get("method") != "HEAD" and not (req.get("If-None-Match") or req.get("If-Modified-Since"))
    return await in_thread(partial(find, target, options, codings, SMALL if in_advance else 0))


def _set_plainly(headers: Mapping[str, Any], res: Response, path: str, stat: os.stat_result) -> None:
    """Set headers as they are: no charset is added to a type."""
    for name, value in headers.items():
        if isinstance(value, (list, tuple)):
            res._headers[header_name(name)] = [header_value(name, item) for item in value]
            res._has_lists = True
        else:
            res._headers[header_name(name)] = header_value(name, value)


async def respond(
    res: Response,
    found: Found,
    options: FileOptions,
    set_headers: Callable[[Response, str, os.stat_result], Any] | None,
) -> None:
    """Answer with a file that was found, and close it.

    Args:
        res: the response; what was set on it stays.
        found: the file.
        options: how to answer.
        set_headers: called first; what it sets is not computed.

    Raises:
        HTTPError: 412, 416; 500, the file became shorter.
        HeadersSentError: the answer was begun before.
    """
    try:
        res._open()
        if set_headers is not None:
            result = set_headers(res, found.path, found.stat)
            if inspect.isawaitable(result):
                await result
        status, pieces = describe(res.status_code, res._headers, res.req.get, found, options)
        await send(res.status(status), found, pieces)
    finally:
        found.close()


def describe(
    status: int, headers: Headers, get: Callable[[str], str | None], found: Found, options: FileOptions
) -> tuple[int, list[Piece]]:
    """Decide on an answer with a file, whoever is to send it.

    Args:
        status: as it was set, 200 by default.
        headers: as they were set; those that are not set yet are added.
        get: gives the headers of the request by their names.
        found: the file.
        options: how to answer.

    Returns:
        The status, and what the body consists of; for 304, of nothing.

    Raises:
        HTTPError: 412, 416.
    """
    _add_headers(headers, found, options)
    size = _size(found.stat.st_size, options)
    decision = decide(
        Conditions.read(get),
        etag=_header(headers, b"etag"),
        last_modified=_header(headers, b"last-modified"),
        size=size,
        cacheable=200 <= status < 300 or status == 304,
        accept_ranges=options.accept_ranges,
        multipart=options.multipart_ranges,
    )
    if decision.status == 304:
        for name in _CONTENT_HEADERS:
            headers.pop(name, None)
        return 304, []
    return _pieces(status, headers, decision, options.start, size)


def _add_headers(headers: Headers, found: Found, options: FileOptions) -> None:
    """Set the headers that are not set yet."""
    if options.precompressed:
        current = headers.get(b"vary", b"")
        vary = b", ".join(current) if isinstance(current, list) else current
        headers[b"vary"] = merge_vary(vary.decode("latin-1"), ["Accept-Encoding"]).encode("latin-1")
    if found.coding:
        headers[b"content-encoding"] = found.coding.encode()
    milliseconds = (found.stat.st_mtime_ns + 500_000) // 1_000_000  # as Node rounds
    if options.accept_ranges and not headers.get(b"accept-ranges"):
        headers[b"accept-ranges"] = b"bytes"
    if options.cache_control and not headers.get(b"cache-control"):
        headers[b"cache-control"] = options.cache_control.encode()
    if options.last_modified and not headers.get(b"last-modified"):
        headers[b"last-modified"] = format_http_date(milliseconds // 1000).encode()
    if options.etag and not headers.get(b"etag"):
        tag = stat_etag(found.stat.st_size, found.stat.st_mtime_ns)
        headers[b"etag"] = (f'{tag[:-1]}-{found.coding}"' if found.coding else tag).encode()
    if not headers.get(b"content-type"):
        media_type = _mime.content_type(extension(found.path)) or "application/octet-stream"
        headers[b"content-type"] = media_type.encode()


def _header(headers: Headers, name: bytes) -> str | None:
    value = headers.get(name)
    first = value[0] if isinstance(value, list) else value
    return None if first is None else first.decode("latin-1")


def _size(size: int, options: FileOptions) -> int:
    """Return how many bytes lie between ``start`` and ``end``, the latter included."""
    end = size if options.end is None else min(size, options.end + 1)
    return max(0, end - options.start)


def _pieces(status: int, headers: Headers, decision: Decision, start: int, size: int) -> tuple[int, list[Piece]]:
    """Set length and range; return the status and what the body consists of.

    Raises:
        HTTPError: 412, 416.
    """
    if decision.status == 412:
        raise HTTPError(412)
    if decision.status == 416:
        value = f"bytes */{size}"
        headers[b"content-range"] = value.encode()
        raise HTTPError(416, headers={"Content-Range": value})
    ranges = decision.ranges
    pieces = [Piece(b"", start + item.start, item.end - item.start + 1) for item in ranges]
    if decision.status == 206 and len(ranges) == 1:
        status = 206
        headers[b"content-range"] = f"bytes {ranges[0].start}-{ranges[0].end}/{size}".encode()
    elif decision.status == 206:
        media_type, several = multipart(ranges, start, size, _header(headers, b"content-type") or "")
        if length(several) < size:
            status = 206
            headers[b"content-type"] = media_type.encode()
            pieces = several
        else:  # the file as it is says the same in fewer bytes
            pieces = [Piece(b"", start, size)]
    headers[b"content-length"] = b"%d" % length(pieces)
    return status, pieces
