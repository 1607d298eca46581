"""A file that was uploaded, in memory or on disk."""

from __future__ import annotations

import asyncio
import errno
import os
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

from asgi_express.body.multipart._parts import Part

__all__ = ["UploadedFile"]

_CHUNK = 64 * 1024


class UploadedFile:
    """A file that was uploaded.

    Attributes:
        name: the name of the field.
        filename: the last part of the file's name. The client chose it: never make a path of it.
        raw_filename: the whole name as the client gave it.
        content_type: the type that the client gave; nobody has checked it.
        encoding: ``Content-Transfer-Encoding``, ``"7bit"`` for none.
        size: how many bytes it has.
        path: where it is on disk until the request is over; ``None`` in memory.
    """

    __slots__ = ("_content", "_kept", "content_type", "encoding", "filename", "name", "path", "raw_filename", "size")

    def __init__(self, part: Part, *, content: bytes = b"", path: Path | None = None) -> None:
        self.name = part.name
        self.filename = part.filename or ""
        self.raw_filename = part.raw_filename or ""
        self.content_type = part.content_type
        self.encoding = part.encoding
        self.size = part.size
        self.path = path
        self._content = content
        self._kept = False

    def __repr__(self) -> str:
        return f"UploadedFile(name={self.name!r}, filename={self.filename!r}, size={self.size})"

    async def read(self) -> bytes:
        """Return the whole content.

        Raises:
            OSError: the request is over, and the file is gone.
        """
        return self._content if self.path is None else await asyncio.to_thread(self.path.read_bytes)

    async def chunks(self, size: int = _CHUNK) -> AsyncIterator[bytes]:
        """Give the content piece by piece.

        ::

            digest = hashlib.sha256()
            async for chunk in req.file.chunks():
                digest.update(chunk)

        Args:
            size: how many bytes a piece has at most.

        Raises:
            OSError: the request is over, and the file is gone.
            ValueError: ``size`` is not positive.
        """
        if size < 1:
            msg = f"chunks: the size must be positive, not {size!r}"
            raise ValueError(msg)
        if self.path is None:
            for start in range(0, self.size, size):
                yield self._content[start : start + size]
            return
        file = await asyncio.to_thread(self.path.open, "rb")
        try:
            while piece := await asyncio.to_thread(file.read, size):
                yield piece
        finally:
            file.close()

    async def save(self, path: str | os.PathLike[str]) -> None:
        """Keep the file at a path, off the event loop; what is there is replaced.

        A file on disk is moved there, if that is the same file system, and its ``path`` follows; else, or
        if it is saved once more, it is copied.

        ::

            await req.file.save(uploads / f"{user.id}.png")

        Args:
            path: where to; the path of the file itself, not of a directory.

        Raises:
            OSError: it cannot be written, or the request is over, and the file is gone.
        """
        await asyncio.to_thread(self._save, Path(path))

    def _save(self, target: Path) -> None:
        if self.path is None:
            target.write_bytes(self._content)
        elif self._kept or not _move(self.path, target):
            shutil.copyfile(self.path, target)
        else:
            self.path, self._kept = target, True


def _move(source: Path, target: Path) -> bool:
    """Move a file; tell whether both places are of one file system, so that it could be done."""
    try:
        source.replace(target)
    except OSError as error:
        if error.errno == errno.EXDEV:
            return False
        raise
    return True
