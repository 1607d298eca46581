"""The parts of an upload, one after the other, within the limits; no more of them is held than a piece."""

from __future__ import annotations

import inspect
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import IO, Any

from asgi_express._charset import decode
from asgi_express._inbox import too_large
from asgi_express._units import parse_bytes
from asgi_express.body.multipart._errors import limit_error
from asgi_express.body.multipart._events import Events
from asgi_express.body.multipart._head import Head, read_head
from asgi_express.body.multipart._limits import Limits
from asgi_express.body.multipart._names import append_field, highest_index
from asgi_express.body.multipart._spool import in_thread
from asgi_express.errors import BodyError, MisuseError
from asgi_express.types import Size

__all__ = ["BATCH", "FileFilter", "Part", "Parts", "Rules", "batched"]

FileFilter = Callable[[Any, "Part"], Awaitable[Any] | Any]
Failed = Callable[[BodyError], Awaitable[None]]

BATCH = 256 * 1024
"""Bytes that are collected before a thread is asked to write them."""


@dataclass(frozen=True, slots=True)
class Rules:
    """What an upload may be.

    Attributes:
        limits: how much of everything.
        files: how many files each field may have; ``None`` for any field.
        file_filter: ``(req, part) -> bool``, whether a file is taken; plain or ``async``.
    """

    limits: Limits
    files: Mapping[str, float] | None
    file_filter: FileFilter | None


class Part:
    """One part of an upload that is being read: a field, or a file.

    Attributes:
        name: the name of the field.
        value: the value of a field; ``None`` for a file.
        is_file: whether it is a file.
        filename: the last part of the file's name; ``None`` for a field. The client chose it: never make a path of it.
        raw_filename: the whole name as the client gave it.
        content_type: the type that the client gave; nobody has checked it.
        encoding: ``Content-Transfer-Encoding``, ``"7bit"`` for none.
        size: how many bytes of a file were read so far.
    """

    __slots__ = (
        "_parts",
        "content_type",
        "encoding",
        "filename",
        "is_file",
        "name",
        "raw_filename",
        "size",
        "value",
    )

    def __init__(self, parts: Parts, head: Head, value: str | None) -> None:
        self._parts = parts
        self.name = head.name or ""
        self.value = value
        self.is_file = value is None
        self.filename = head.filename
        self.raw_filename = head.raw_filename
        self.content_type = head.content_type
        self.encoding = head.encoding
        self.size = 0

    async def chunks(self) -> AsyncIterator[bytes]:
        """Give a file piece by piece as it arrives, once; nothing of it is kept.

        ::

            digest = hashlib.sha256()
            async for chunk in part.chunks():
                digest.update(chunk)

        Raises:
            BodyError: 413 ``LIMIT_FILE_SIZE``; 400, the body is broken or cut off.
            ClientDisconnect: the client left before the end.
            MisuseError: the upload has gone on to the next part.
        """
        if self.value is not None:
            yield self.value.encode()
            return
        parts = self._parts
        while True:
            try:
                piece = await parts._piece(self)
            except BodyError as error:
                await parts._fail(error)
                raise
            if piece is None:
                return
            yield piece

    async def read(self, *, limit: Size | None = "1mb") -> bytes:
        """Read the whole of a file, or the value of a field as UTF-8.

        Args:
            limit: how many bytes are allowed; ``None`` for any number.

        Raises:
            BodyError: 413 ``entity.too.large``, ``LIMIT_FILE_SIZE``; 400, the body is broken or cut off.
            ClientDisconnect: the client left before the end.
            MisuseError: the upload has gone on to the next part.
        """
        most = None if limit is None else parse_bytes(limit)
        pieces: list[bytes] = []
        size = 0
        async for piece in self.chunks():
            size += len(piece)
            if most is not None and size > most:
                raise too_large(most, size)
            pieces.append(piece)
        return b"".join(pieces)

    async def save(self, path: str | os.PathLike[str]) -> None:
        """Write a file to a path as it arrives, off the event loop; what is there is replaced.

        A file that was not written to its end is removed.

        Raises:
            BodyError: 413 ``LIMIT_FILE_SIZE``; 400, the body is broken or cut off.
            ClientDisconnect: the client left before the end.
            MisuseError: the upload has gone on to the next part.
            OSError: the path cannot be written.
        """
        file: IO[bytes] = await in_thread(open, path, "wb")
        complete = False
        try:
            async for batch in batched(self.chunks()):
                await in_thread(file.write, batch)
            complete = True
        finally:
            await in_thread(_close, file, None if complete else path)


def _close(file: IO[bytes], unwanted: str | os.PathLike[str] | None) -> None:
    file.close()
    if unwanted is not None:
        os.unlink(unwanted)


async def batched(pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Join pieces to some that are worth a thread."""
    batch: list[bytes] = []
    size = 0
    async for piece in pieces:
        batch.append(piece)
        size += len(piece)
        if size >= BATCH:
            yield b"".join(batch)
            batch.clear()
            size = 0
    if batch:
        yield b"".join(batch)


class Parts:
    """The parts of one upload, an asynchronous iterator: ``async for part in req.parts``.

    What of a file was not read is passed over when the next part is asked for. The values of fields are put
    into ``req.body`` on the way.
    """

    def __init__(
        self, req: Any, events: Events, rules: Rules, fields: dict[str, Any], failed: Failed | None = None
    ) -> None:
        self._req = req
        self._events = events
        self._failed = failed
        self._rules = rules
        self._left = None if rules.files is None else dict(rules.files)
        self._fields = fields
        self._current: Part | None = None
        self._begun = False
        self._open = False
        self._count = {"parts": 0, "fields": 0, "files": 0, "field_total_size": 0}

    def __aiter__(self) -> Parts:
        return self

    async def __anext__(self) -> Part:
        """Return the next part.

        Raises:
            BodyError: 413 or 400, with multer's code as its ``type``; 400, the body is broken or cut off.
            ClientDisconnect: the client left before the end.
            StopAsyncIteration: there are no more.
        """
        try:
            part = await self._advance()
        except BodyError as error:
            await self._fail(error)
            raise
        if part is None:
            raise StopAsyncIteration
        return part

    async def _advance(self) -> Part | None:
        while True:
            await self._skip()
            more, headers = await self._events.next()
            if not more:
                return None
            assert isinstance(headers, dict)  # noqa: S101 - what follows an end is a head
            self._begun = self._open = True
            head = read_head(headers)
            if head is not None:
                part = await (self._file(head) if head.is_file else self._field(head))
                if part is not None:
                    return part

    async def _fail(self, error: BodyError) -> None:
        if self._failed is not None:
            await self._failed(error)

    async def _piece(self, part: Part) -> bytes | None:
        if part is not self._current:
            msg = f"the file {part.name!r} cannot be read any more: the upload has gone on to the next part"
            raise MisuseError(msg)
        if not self._open:
            return None
        piece = await self._take()
        if piece is not None:
            part.size += len(piece)
            if part.size > self._rules.limits.file_size:
                raise limit_error("LIMIT_FILE_SIZE", part.name, part.filename)
        return piece

    async def _take(self) -> bytes | None:
        """Return the next piece of the part that is open, or its end."""
        _, event = await self._events.next()
        assert not isinstance(event, dict)  # noqa: S101 - a part ends before the next begins
        self._open = event is not None
        return event

    async def _skip(self) -> None:
        """Pass over what is left of a part."""
        current = self._current
        while self._open:
            # The rest of a file that was not read to its end counts as well.
            await (self._take() if current is None else self._piece(current))
        self._current = None
        if self._begun:
            self._begun = False
            self._add("parts", "LIMIT_PART_COUNT")

    def _add(self, what: str, code: str, size: int = 1, field: str | None = None) -> None:
        self._count[what] += size
        if self._count[what] > getattr(self._rules.limits, what):
            raise limit_error(code, field)

    def _check_name(self, head: Head) -> str:
        if head.name is None:
            raise limit_error("MISSING_FIELD_NAME")
        if len(head.raw_name) > self._rules.limits.field_name_size:
            raise limit_error("LIMIT_FIELD_KEY")
        return head.name

    async def _field(self, head: Head) -> Part:
        limits = self._rules.limits
        self._add("fields", "LIMIT_FIELD_COUNT")
        name = self._check_name(head)
        pieces: list[bytes] = []
        size = 0
        while (piece := await self._take()) is not None:
            size += len(piece)
            if size > limits.field_size:
                raise limit_error("LIMIT_FIELD_VALUE", name)
            self._add("field_total_size", "LIMIT_FIELD_VALUE", len(piece), name)
            pieces.append(piece)
        if name.count("[") > limits.field_nesting_depth:
            raise limit_error("LIMIT_FIELD_NESTING", name)
        if highest_index(name) > limits.field_array_index:
            raise limit_error("LIMIT_FIELD_ARRAY_INDEX", name)
        value = decode(b"".join(pieces), head.charset)
        append_field(self._fields, name, value)
        return Part(self, head, value)

    async def _file(self, head: Head) -> Part | None:
        """Return the file; ``None`` if it has no name, as an empty field of a form has, or is not wanted."""
        self._add("files", "LIMIT_FILE_COUNT")
        if head.name is None:
            raise limit_error("MISSING_FIELD_NAME")
        if head.filename is None:
            return None
        name = self._check_name(head)
        left = self._left
        if left is not None:
            if left.get(name, 0) <= 0:
                raise limit_error("LIMIT_UNEXPECTED_FILE", name, head.filename)
            left[name] -= 1
        part = Part(self, head, None)
        if not await self._is_wanted(part):
            if left is not None:
                left[name] += 1
            return None
        self._current = part
        return part

    async def _is_wanted(self, part: Part) -> bool:
        if self._rules.file_filter is None:
            return True
        answer = self._rules.file_filter(self._req, part)
        return bool(await answer if inspect.isawaitable(answer) else answer)
