"""A consumer of the long-polling server: python examples/long_polling/client.py http://127.0.0.1:8000/github."""

import asyncio
import json
import logging
import sys
import urllib.request
from collections.abc import AsyncGenerator
from typing import Any

log = logging.getLogger("long_polling")


def ask(url: str) -> Any:
    """Return what the server answers."""
    with urllib.request.urlopen(url, timeout=90) as answer:  # noqa: S310 - the address is the user's own
        return json.load(answer)


async def follow(url: str, seen: int = 0, *, sleep: float = 30, pause: float = 10) -> AsyncGenerator[Any, None]:
    """Give the updates one after the other, for ever.

    Args:
        url: the address of the name.
        seen: how many updates are known; keep it, to go on where you stopped.
        sleep: seconds that the server may hold a question.
        pause: seconds until the server is asked again when it did not answer.
    """
    while True:
        try:
            answer = await asyncio.to_thread(ask, f"{url}?ts={seen}&sleep={sleep}")
        except OSError as error:
            log.warning("%s does not answer: %s", url, error)
            await asyncio.sleep(pause)
            continue
        if lost := answer["ts"] - seen - len(answer["updates"]):
            log.warning("%d updates of %s are no longer kept", lost, url)
        seen = answer["ts"]
        for update in answer["updates"]:
            yield update


async def main(url: str) -> None:
    """Print what comes."""
    async for update in follow(url):
        sys.stdout.write(json.dumps(update) + "\n")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
