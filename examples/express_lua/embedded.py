"""Embedding: a server beside the other tasks of a program, stopped cleanly with them.

python examples/express_lua/embedded.py
"""

import asyncio
import logging
from collections.abc import Callable

from asgi_express import Express


async def tick(ticks: list[int]) -> None:
    """Stand for what the program is about."""
    while True:
        ticks.append(len(ticks))
        await asyncio.sleep(0.01)


async def main(ready: Callable[[str], None], stop: asyncio.Event) -> list[int]:
    """Work and serve until told to stop."""
    ticks: list[int] = []
    app = Express()
    app.get("/", lambda: {"ticks": len(ticks)})
    async with asyncio.TaskGroup() as tasks:
        working = tasks.create_task(tick(ticks))
        async with app.serve(port=0) as server:
            ready(server.url)
            await stop.wait()
        # The requests under way are answered, and the port is free.
        working.cancel()
    return ticks


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO)
    asyncio.run(main(logging.getLogger("embedded").info, asyncio.Event()))
