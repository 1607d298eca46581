"""A deadline for what is awaited that does not blame others for a loop that was busy."""

from __future__ import annotations

import asyncio
from types import TracebackType

__all__ = ["Deadline"]

# Turns of the loop that a reply may need from the socket to the task, besides the first.
# uvloop fires timers before it reads, asyncio after.
_TURNS = 2


class Deadline:
    """``asyncio.timeout``, but for a few turns of the loop more.

    Where something else has held up the loop beyond the deadline, the reply lies in the socket already when the timer
    fires. It would be thrown away, and a server that was in time would count as one that is away.

    Args:
        seconds: until ``TimeoutError`` is raised, from entering on.
    """

    __slots__ = ("_limit", "_loop", "_seconds", "_timer")

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    async def __aenter__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._limit = asyncio.timeout(None)
        await self._limit.__aenter__()
        self._timer: asyncio.Handle = self._loop.call_later(self._seconds, self._expire, _TURNS)

    def _expire(self, turns: int) -> None:
        if turns:
            self._timer = self._loop.call_soon(self._expire, turns - 1)
        else:
            self._limit.reschedule(self._loop.time())

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._timer.cancel()
        await self._limit.__aexit__(kind, error, trace)
