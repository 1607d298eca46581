"""Cancel a request at its n-th suspension, as a server does when it goes down or a client leaves."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Generator
from functools import partial
from typing import Any

_TURNS = 20
"""So often the loop turns until what was cancelled must be over."""


class CancelledAt:
    """Await a coroutine, and cancel the task at a suspension.

    Attributes:
        count: the suspensions that there were.
    """

    def __init__(self, coroutine: Coroutine[Any, Any, None], number: int) -> None:
        self._coroutine = coroutine
        self._number = number
        self.count = 0

    def __await__(self) -> Generator[Any, Any, None]:
        step = self._coroutine.__await__()
        go_on: Callable[[], Any] = partial(step.send, None)
        while True:
            try:
                waiting = go_on()
            except StopIteration:
                return
            self.count += 1
            if self.count == self._number:
                task = asyncio.current_task()
                assert task is not None
                task.cancel()
            try:
                yield waiting
                go_on = partial(step.send, None)
            except BaseException as error:  # it goes where it would have gone
                go_on = partial(step.throw, error)


async def cancelled_at(coroutine: Coroutine[Any, Any, None], number: int) -> tuple[bool, str, set[str]]:
    """Run a coroutine in a task of its own and cancel it.

    Returns:
        Whether the suspension was reached; how the task ended; the tasks that it left behind.
    """
    before = asyncio.all_tasks()
    awaited = CancelledAt(coroutine, number)

    async def run() -> None:
        await awaited

    task = asyncio.ensure_future(run())
    await asyncio.wait([task], timeout=10)
    for _ in range(_TURNS):
        await asyncio.sleep(0)
    left = asyncio.all_tasks() - before
    for each in left:
        each.cancel()
    if left:
        await asyncio.wait(left)
    if not task.done():
        return True, "still runs", set()
    if task.cancelled():
        outcome = "cancelled"
    else:
        error = task.exception()
        outcome = "returned" if error is None else repr(error)
    return awaited.count >= number, outcome, {str(each.get_coro()) for each in left - {task}}
