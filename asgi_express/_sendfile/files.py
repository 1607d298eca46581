"""What the file system says: which file it is, opened and, if it is small, read. Runs in worker threads."""

from __future__ import annotations

import asyncio
import errno
import os
import stat
from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from asgi_express._sendfile.options import CODINGS, FileOptions
from asgi_express._sendfile.paths import Missing, Target, extension
from asgi_express.errors import HTTPError

__all__ = ["Found", "IsDirectory", "find", "in_thread"]

_T = TypeVar("_T")

# Without O_NONBLOCK, a FIFO that took the place of a file after the stat would hold the thread for ever.
_FLAGS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0) | getattr(os, "O_BINARY", 0)

_NOT_THERE = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG, errno.ELOOP})
_NOT_ALLOWED = frozenset({errno.EACCES, errno.EPERM})


class IsDirectory(Exception):
    """The path is that of a directory."""


class Found:
    """A file that was found. It is open until it is closed, or garbage.

    Attributes:
        path: the file that was asked for, which gives the type.
        stat: of what is sent.
        sent: the path of what is sent: the same file, or its sibling in a content coding.
        coding: the content coding of what is sent; ``None`` for none.
        content: the whole of it, where that was read already.
    """

    __slots__ = ("_fd", "_reading", "coding", "content", "path", "sent", "stat")

    def __init__(self, path: str, sent: str, coding: str | None) -> None:
        self.path = path
        self.sent = sent
        self.coding = coding
        self.content: bytes | None = None
        self._reading: asyncio.Future[bytes] | None = None
        self._fd = os.open(sent, _FLAGS)
        try:
            self.stat = os.fstat(self._fd)
            if not stat.S_ISREG(self.stat.st_mode):
                raise Missing
        except BaseException:
            self.close()
            raise

    def read_now(self) -> None:
        """Read the whole file and close it. For worker threads."""
        try:
            self.content = self._read(0, self.stat.st_size)
        finally:
            self.close()

    async def read(self, start: int, size: int) -> bytes:
        """Read some bytes in a worker thread.

        Raises:
            HTTPError: 500, the file ends before.
        """
        if self.content is not None:
            return self.content[start : start + size]
        self._reading = asyncio.get_running_loop().run_in_executor(None, self._read, start, size)
        return await asyncio.shield(self._reading)

    def _read(self, start: int, size: int) -> bytes:
        os.lseek(self._fd, start, os.SEEK_SET)
        data = os.read(self._fd, size)
        while len(data) < size:
            more = os.read(self._fd, size - len(data))
            if not more:
                raise HTTPError(500, "the file became shorter while it was sent")
            data += more
        return data

    def close(self) -> None:
        """Close the file, as soon as nothing is being read: the number may be another file's a moment later."""
        reading = self._reading
        if reading is not None and not reading.done():
            reading.add_done_callback(lambda _: self.close())
        elif self._fd >= 0:
            fd, self._fd = self._fd, -1
            os.close(fd)

    def __del__(self) -> None:
        if getattr(self, "_fd", -1) >= 0:
            self.close()


async def in_thread(function: Callable[[], Found]) -> Found:
    """Run a function in a worker thread; what it opens is closed if nobody waits for it any more."""
    future = asyncio.get_running_loop().run_in_executor(None, function)
    try:
        return await asyncio.shield(future)
    except asyncio.CancelledError:
        future.add_done_callback(_discard)
        raise


def _discard(future: asyncio.Future[Found]) -> None:
    if not future.cancelled() and future.exception() is None:
        future.result().close()


def find(target: Target, options: FileOptions, codings: Sequence[str], read_below: int) -> Found:
    """Find, open and perhaps read a file. For worker threads.

    Args:
        target: where to look.
        options: ``extensions``, ``index`` and ``follow_symlinks`` count.
        codings: content codings that the client takes, best first.
        read_below: files of fewer bytes are read and closed.

    Raises:
        IsDirectory: it is one.
        Missing: there is no such file, or it is none that can be sent, or a link leads out of the root.
        HTTPError: 403, the file may not be read; 500, it cannot be.
    """
    try:
        path = _choose(target, options)
        found = _sibling(path, target, options, codings) or Found(path, path, None)
        if found.stat.st_size < read_below:
            found.read_now()
    except ValueError as error:  # a name that the file system cannot spell
        raise Missing(expose=False) from error
    except OSError as error:
        if error.errno in _NOT_THERE:
            raise Missing(expose=False) from error
        raise HTTPError(403 if error.errno in _NOT_ALLOWED else 500, expose=False) from error
    return found


def _choose(target: Target, options: FileOptions) -> str:
    """Return the path of a file: the one that was named, an index file, or one with an extension added."""
    path = target.path
    if target.directory and options.index:
        return _first((os.path.join(path, name) for name in options.index), target, options)
    try:
        found = _stat(path, target, options)
    except FileNotFoundError:
        if not options.extensions or extension(path) or path.endswith("/"):
            raise
        return _first((f"{path}.{name}" for name in options.extensions), target, options)
    if stat.S_ISDIR(found.st_mode):
        raise IsDirectory
    if not stat.S_ISREG(found.st_mode):
        raise Missing
    return path


def _first(paths: Iterable[str], target: Target, options: FileOptions) -> str:
    problem: Exception = Missing()
    for path in paths:
        try:
            if stat.S_ISREG(_stat(path, target, options).st_mode):
                return path
            problem = Missing()
        except (OSError, Missing) as error:
            problem = error
    raise problem


def _stat(path: str, target: Target, options: FileOptions) -> os.stat_result:
    found = os.stat(path)
    if target.root is not None and not options.follow_symlinks and not _is_inside(path, target.root):
        raise Missing
    return found


def _is_inside(path: str, root: str) -> bool:
    """Tell whether a path stays in the root: either no link is on the way, or the links lead to a place inside."""
    step = root
    for segment in path[len(root) :].split("/"):
        step = f"{step}/{segment}"
        if segment and os.path.islink(step):
            return os.path.realpath(path).startswith(os.path.join(os.path.realpath(root), ""))
    return True


def _sibling(path: str, target: Target, options: FileOptions, codings: Sequence[str]) -> Found | None:
    """Open the file beside it in the best coding; ``None`` if there is none."""
    for coding in codings:
        sent = path + CODINGS[coding]
        try:
            if stat.S_ISREG(_stat(sent, target, options).st_mode):
                return Found(path, sent, coding)
        except (OSError, Missing):
            continue
    return None
