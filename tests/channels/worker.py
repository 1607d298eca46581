"""A process of a service that reads a stream: ``python -m tests.channels.worker URL GROUP``.

Each message takes it a moment, after which it is noted in Redis as done.
"""

import asyncio
import os
import sys

from redis.asyncio import Redis

from asgi_express.channels import Channels, Streams


async def main(url: str, group: str) -> None:
    async with Redis.from_url(url) as redis:
        channels = Channels(bus=Streams(url, group=group, claim_after=1, timeout=30))

        @channels.on("job")
        async def work(number: int) -> None:
            await redis.incr(f"begun:{group}")
            await asyncio.sleep(0.002)  # stands for the work
            await redis.sadd(f"done:{group}", number)
            await redis.sadd(f"workers:{group}", os.getpid())

        async with channels:
            await redis.incr(f"ready:{group}")
            await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
