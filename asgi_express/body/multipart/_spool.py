"""Files on disk for as long as a request lasts.

Each request has a directory of its own that nobody else may enter; the files in it have random names. All that
touches the disk runs in a thread, under one lock: the removal waits for a write that is under way, even one
whose task was cancelled, and a write that comes after it does nothing.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import shutil
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import IO, ParamSpec, TypeVar

from asgi_express.errors import MisuseError

__all__ = ["Spool", "in_thread"]

P = ParamSpec("P")
T = TypeVar("T")


async def in_thread(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Call a function in a thread; it ends before this does, even if the task is cancelled."""
    work = asyncio.ensure_future(asyncio.to_thread(function, *args, **kwargs))
    try:
        return await asyncio.shield(work)
    except asyncio.CancelledError:
        await asyncio.wait([work])
        raise


class Spool:
    """The directory of one request.

    Args:
        directory: where it is made; ``None`` for the system's place for temporary files.
    """

    def __init__(self, directory: str | None) -> None:
        self._parent = directory
        self._lock = threading.Lock()
        self._directory: str | None = None
        self._open: dict[Path, IO[bytes]] = {}
        self._over = False

    async def create(self) -> Path:
        """Make an empty file and return its path."""
        return await asyncio.to_thread(self._locked, self._create)

    async def write(self, path: Path, data: bytes) -> None:
        """Append to a file."""
        await asyncio.to_thread(self._locked, lambda: self._open[path].write(data))

    async def close(self, path: Path) -> None:
        """Tell that a file is complete."""
        await asyncio.to_thread(self._locked, lambda: self._open.pop(path).close())

    async def remove(self) -> None:
        """Remove everything, whatever becomes of the task that waits for it."""
        try:
            work = asyncio.get_running_loop().run_in_executor(None, self._remove)
        except RuntimeError:  # the loop is ending, and takes no more work for threads
            self._remove()
        else:
            await asyncio.shield(work)

    def _locked(self, work: Callable[[], T]) -> T:
        with self._lock:
            if self._over:
                msg = "the request is over, and its temporary files are gone"
                raise MisuseError(msg)
            return work()

    def _create(self) -> Path:
        if self._directory is None:
            self._directory = tempfile.mkdtemp(prefix="asgi-express-", dir=self._parent)
        path = Path(self._directory, secrets.token_hex(16))
        # Its mode is that of any file, so that it can be kept by moving it; the directory is what is private.
        self._open[path] = os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666), "wb", buffering=0)
        return path

    def _remove(self) -> None:
        with self._lock:
            self._over = True
            for file in self._open.values():
                file.close()
            self._open.clear()
            if self._directory is not None:
                shutil.rmtree(self._directory, ignore_errors=True)
