"""The deadline of a call, on loops that are busy."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Callable
from typing import Any

import pytest
import uvloop

from asgi_express.stores._deadline import Deadline

LOOPS: dict[str, Callable[[], asyncio.AbstractEventLoop]] = {
    "asyncio": asyncio.new_event_loop,
    "uvloop": uvloop.new_event_loop,
}


def run(loop: Callable[[], asyncio.AbstractEventLoop], main: Any) -> Any:
    with asyncio.Runner(loop_factory=loop) as runner:
        return runner.run(main)


async def streams() -> tuple[asyncio.StreamReader, asyncio.StreamWriter, socket.socket]:
    near, far = socket.socketpair()
    reader, writer = await asyncio.open_connection(sock=near)
    return reader, writer, far


@pytest.mark.parametrize("loop", LOOPS.values(), ids=LOOPS)
def test_what_does_not_come_is_given_up(loop: Any) -> None:
    async def main() -> float:
        reader, writer, far = await streams()
        start = time.monotonic()
        with far, pytest.raises(TimeoutError):
            async with Deadline(0.05):
                await reader.read(1)
        writer.close()
        return time.monotonic() - start

    assert 0.04 < run(loop, main()) < 1


@pytest.mark.parametrize("loop", LOOPS.values(), ids=LOOPS)
def test_a_reply_that_was_there_in_time_counts_although_the_loop_was_held_up(loop: Any) -> None:
    async def main() -> bytes:
        reader, writer, far = await streams()

        def hold_up() -> None:
            far.sendall(b"x")
            time.sleep(0.1)

        with far:
            async with Deadline(0.02):
                asyncio.get_running_loop().call_soon(hold_up)
                reply = await reader.read(1)
        writer.close()
        return reply

    assert run(loop, main()) == b"x"


async def test_who_is_cancelled_is_cancelled_and_the_deadline_is_gone() -> None:
    async def wait() -> None:
        async with Deadline(60):
            await asyncio.Event().wait()

    task = asyncio.create_task(wait())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_an_error_inside_is_the_error() -> None:
    with pytest.raises(LookupError):
        async with Deadline(60):
            raise LookupError
