"""Parse what is large in a thread, so that the event loop goes on, as far as the interpreter's lock lets it."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable
from typing import TypeVar

__all__ = ["parse_aside"]

Value = TypeVar("Value")

# Going to a thread and back costs 0.1 ms; this much is parsed in 5.
_INLINE = 256 * 1024


async def parse_aside(parse: Callable[..., Value], content: bytes | str, *args: object) -> Value:
    """Return what ``parse`` makes of a body, in a thread if it is large."""
    if len(content) <= _INLINE:
        return parse(content, *args)
    return await asyncio.to_thread(_uncollected, parse, content, *args)


def _uncollected(parse: Callable[..., Value], *args: object) -> Value:
    # Before CPython 3.12 garbage is collected inside of the parser in C, again and again over what it builds: 1 MiB of
    # small lists held the lock for 68 ms so, and 15 without. None of it is garbage before it is done.
    enabled = gc.isenabled()
    gc.disable()
    try:
        return parse(*args)
    finally:
        if enabled:
            gc.enable()
