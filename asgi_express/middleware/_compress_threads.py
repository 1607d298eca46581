"""Compression in threads, for what would hold the event loop."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from asgi_express.middleware._encoders import Work

__all__ = ["in_thread"]

_Result = TypeVar("_Result")

# Its own, so that large answers do not keep files and handlers waiting for a thread. None starts before it is needed.
_threads = ThreadPoolExecutor(min(8, os.cpu_count() or 1), "asgi-express-compress")


async def in_thread(function: Callable[[Work], _Result]) -> _Result:
    """Run a function in a thread; who is cancelled meanwhile does not wait for it."""
    work = Work()
    try:
        return await asyncio.get_running_loop().run_in_executor(_threads, function, work)
    except BaseException:
        work.is_wanted = False
        raise
