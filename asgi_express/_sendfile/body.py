"""A file on its way out.

A large file is sent in chunks, each of which waits until the server took the one before; so memory stays flat
however slow the client is.
"""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from asgi_express._ranges import ByteRange
from asgi_express._sendfile.files import Found
from asgi_express.errors import ClientDisconnect

if TYPE_CHECKING:
    from asgi_express.response import Response

__all__ = ["CHUNK", "SMALL", "Piece", "chunks", "length", "multipart", "send"]

SMALL = 64 * 1024
"""Files of fewer bytes are read in the thread that finds them, and sent in one message."""

CHUNK = 256 * 1024
"""How many bytes of a larger file are in memory at a time."""


class Piece(NamedTuple):
    """A part of a body: some text of our own, then some bytes of the file."""

    before: bytes
    start: int
    size: int


def length(pieces: Sequence[Piece]) -> int:
    """Return how many bytes the pieces are."""
    return sum(len(piece.before) + piece.size for piece in pieces)


def multipart(ranges: Sequence[ByteRange], offset: int, size: int, media_type: str) -> tuple[str, list[Piece]]:
    """Return the type and the pieces of an answer with several ranges (RFC 9110 section 14.6).

    Args:
        ranges: relative to the resource.
        offset: where the resource begins in the file.
        size: of the resource.
        media_type: of the resource.
    """
    boundary = secrets.token_hex(16)
    pieces: list[Piece] = []
    for start, end in ranges:
        head = f"--{boundary}\r\nContent-Type: {media_type}\r\nContent-Range: bytes {start}-{end}/{size}\r\n\r\n"
        gap = "\r\n" if pieces else ""
        pieces.append(Piece((gap + head).encode("latin-1"), offset + start, end - start + 1))
    pieces.append(Piece(f"\r\n--{boundary}--\r\n".encode(), 0, 0))
    return f"multipart/byteranges; boundary={boundary}", pieces


async def send(res: Response, found: Found, pieces: list[Piece]) -> None:
    """Send a body. A client that leaves meanwhile ends it without an error.

    Raises:
        HTTPError: 500, the file became shorter.
    """
    if not res._has_body():
        res.end()
    elif length(pieces) < SMALL:
        res.end(b"".join([chunk async for chunk in chunks(found, pieces)]))
    elif pieces == [Piece(b"", 0, found.stat.st_size)] and _server_sends_files(res):
        await _send_path(res, found.sent)
    else:
        await _stream(res, found, pieces)


async def chunks(found: Found, pieces: list[Piece]) -> AsyncIterator[bytes]:
    """Give the bytes of a body, at most ``CHUNK`` of the file at a time.

    Raises:
        HTTPError: 500, the file became shorter.
    """
    for piece in pieces:
        before, position, end = piece.before, piece.start, piece.start + piece.size
        while position < end or before:
            size = min(CHUNK, end - position)
            yield before + await found.read(position, size) if size else before
            before = b""
            position += size


def _server_sends_files(res: Response) -> bool:
    """Tell whether the server takes a path instead of a body, and nobody between us and it wants to see the body."""
    scope = res.req.scope
    offered = scope["type"] == "http" and "http.response.pathsend" in (scope.get("extensions") or ())
    return offered and res._send in (res._server_send, res._relay)


async def _send_path(res: Response, path: str) -> None:
    res._in_pieces = res._started = True  # the length is set
    await res._send(res._start_message())
    res._ended = True
    await res._relay({"type": "http.response.pathsend", "path": path})


async def _stream(res: Response, found: Found, pieces: list[Piece]) -> None:
    remaining = length(pieces)
    try:
        async for chunk in chunks(found, pieces):
            remaining -= len(chunk)
            if remaining:
                await res.write(chunk)
                if res.finished:  # a WebSocket whose server has no answer but no
                    return
            else:
                res.end(chunk)
    except ClientDisconnect:
        res._ended = res._complete = True
        res._wake()
