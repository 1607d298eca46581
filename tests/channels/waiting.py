"""Wait for what happens elsewhere: by looking, as often as it takes, within a patience."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from inspect import isawaitable
from typing import Any

PATIENCE = 20.0
"""Seconds until what does not happen counts as broken."""


async def until(happened: Callable[[], Any]) -> Any:
    """Look until it is true, and return that."""
    end = time.monotonic() + PATIENCE
    while True:
        found = happened()
        if isawaitable(found):
            found = await found
        if found:
            return found
        assert time.monotonic() < end, "it did not happen"
        await asyncio.sleep(0.005)
