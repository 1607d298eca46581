"""A multipart body becomes heads, pieces and ends, over the parser of python-multipart."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from typing import TypeAlias

from asgi_express.body.multipart._errors import broken, unexpected_end
from asgi_express.errors import BodyError

__all__ = ["Event", "Events", "sliced"]

Event: TypeAlias = dict[str, str] | bytes | None
"""The headers of a part, a piece of it, or ``None`` at its end."""

# The parser gets no more at a time, so that what it leaves in the queue is bounded and the loop can turn.
_SLICE = 32 * 1024
_PIECES = 256

# How much may stand before the first boundary, where nothing is of use.
_MAX_PREAMBLE = 64 * 1024

# RFC 2046 allows 70 characters.
_MAX_BOUNDARY = 256

_MAX_HEADER_PAIRS = 2000


class Events:
    """The events of one body.

    Args:
        pieces: the body.
        boundary: what stands between its parts.
        header_pairs: how many headers a part may have.

    Raises:
        BodyError: 400, the boundary cannot be.
    """

    def __init__(self, pieces: AsyncIterator[bytes], boundary: str, header_pairs: float) -> None:
        from python_multipart.exceptions import FormParserError
        from python_multipart.multipart import MultipartParser

        if not boundary:
            raise BodyError(400, "Multipart: Boundary not found", type="multipart.boundary.missing")
        if len(boundary) > _MAX_BOUNDARY:
            message = f"the boundary is longer than {_MAX_BOUNDARY} characters"
            raise BodyError(400, message, type="multipart.boundary.invalid")
        self._failure = FormParserError
        self._pieces = pieces
        self._delimiter = b"\r\n--" + boundary.encode("latin-1", "replace")
        # A first boundary stands at the start of a line, and the first line has nothing before it.
        self._preamble: bytes | None = b"\r\n"
        self._skipped = 0
        self._queue: deque[Event] = deque()
        self._headers: dict[str, str] = {}
        self._name = b""
        self._value = b""
        self._complete = False
        self._parser = MultipartParser(
            self._delimiter[4:],
            {
                "on_part_begin": self._begin,
                "on_header_field": self._header_name,
                "on_header_value": self._header_value,
                "on_header_end": self._header_end,
                "on_headers_finished": self._head,
                "on_part_data": self._data,
                "on_part_end": self._end,
                "on_end": self._finish,
            },
            max_header_count=int(min(header_pairs, _MAX_HEADER_PAIRS)),
        )

    async def next(self) -> tuple[bool, Event]:
        """Return whether there is a further event, and the event.

        Raises:
            BodyError: 400, the body is broken or cut off.
            ClientDisconnect: the client left before the end.
        """
        while not self._queue:
            piece = await anext(self._pieces, None)
            if piece is None:
                if not self._complete:
                    raise unexpected_end()
                return False, None
            if not self._complete:
                self._feed(piece)
        return True, self._queue.popleft()

    def _feed(self, piece: bytes) -> None:
        if self._preamble is not None:
            piece = self._after_preamble(piece)
        try:
            self._parser.write(piece)
        except self._failure as error:
            raise broken("Malformed part header" if "header" in str(error) else f"Malformed part: {error}") from error

    def _after_preamble(self, piece: bytes) -> bytes:
        """Return the body from its first boundary on, nothing while there is none."""
        assert self._preamble is not None  # noqa: S101 - the caller asked
        seen = self._preamble + piece
        at = seen.find(self._delimiter)
        if at >= 0:
            self._preamble = None
            return seen[at + 2 :]
        self._skipped += len(piece)
        if self._skipped > _MAX_PREAMBLE:
            raise broken("there is no boundary")
        self._preamble = seen[-len(self._delimiter) :]
        return b""

    def _begin(self) -> None:
        self._headers = {}

    def _header_name(self, data: bytes, start: int, end: int) -> None:
        self._name += data[start:end]

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _header_end(self) -> None:
        self._headers.setdefault(_text(self._name).lower(), _text(self._value).strip())
        self._name = self._value = b""

    def _head(self) -> None:
        self._queue.append(self._headers)

    def _data(self, data: bytes, start: int, end: int) -> None:
        self._queue.append(data[start:end])

    def _end(self) -> None:
        self._queue.append(None)

    def _finish(self) -> None:
        self._complete = True


def _text(header: bytes) -> str:
    """Return a header as text: UTF-8, as browsers and the HTML standard have it, else Latin-1."""
    try:
        return header.decode("utf-8")
    except UnicodeDecodeError:
        return header.decode("latin-1")


async def sliced(pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Give a body in pieces of a bounded length, and the loop a turn between them."""
    count = 0
    async for piece in pieces:
        count += 1
        for start in range(0, len(piece), _SLICE):
            if start or count % _PIECES == 0:
                await asyncio.sleep(0)
            yield piece[start : start + _SLICE]
