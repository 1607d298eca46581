"""Take Redis away from an application under load, in five ways, and see what its clients notice of it.

A server process limits by ``RateLimit`` in a real Redis; clients on keep-alive connections ask it without a break. In
the middle of each run Redis is stopped, frozen, flushed, restarted, or answers late. What is printed, for each
``on_store_failure``:

* what the fault adds to the time of a request: the 99th percentile during the fault less that of the same run before
  it, and the slowest request of all;
* what was answered during the fault, and how many requests got no answer in five seconds;
* how long it took, from the moment that Redis could answer again, until it counted again, and how many of the requests
  that came later it still did not count.

    python -m benchmarks.redis_failures [--clients 16] [--calm 1.0] [--fault 1.5] [--only frozen closed]
"""

import argparse
import asyncio
import contextlib
import signal
import statistics
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, NamedTuple

from asgi_express import Express
from asgi_express.middleware.ratelimit import USAGE, RateLimit
from asgi_express.stores import RedisStore
from tests.stores.late import Late
from tests.stores.redis_server import RedisServer, running_redis

MODES = ("open", "closed", "local")
PAUSE = 0.005
LATE = 0.2
PATIENCE = 5.0
REQUEST = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"


class Seen(NamedTuple):
    """One request: when it began, how long it took (``inf`` without an answer), the status, whether Redis counted."""

    at: float
    took: float
    status: int
    counted: bool


# -- the server


def serve(url: str, mode: Any) -> None:
    """Serve a limited application, print the port, and stop when standard input ends."""

    def hello(req: Any, res: Any) -> None:
        res.json({"counted": not req.scope[USAGE].degraded})

    async def run() -> None:
        store = RedisStore(url)
        app = Express()
        app.use(RateLimit(requests=10_000_000, window="1d", burst=10_000_000, store=store, on_store_failure=mode))
        app.get("/", hello)
        async with app.serve(port=0) as server:
            print(server.port, flush=True)
            await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
        await store.aclose()

    asyncio.run(run())


@contextlib.asynccontextmanager
async def served(url: str, mode: str) -> AsyncIterator[int]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-W", "ignore", "-m", "benchmarks.redis_failures", "--serve", url, mode),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        yield int(await process.stdout.readline())
    finally:
        process.stdin.close()
        await process.wait()


# -- the clients


async def client(port: int, seen: list[Seen], end: asyncio.Event) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    while not end.is_set():
        at = time.perf_counter()
        writer.write(REQUEST)
        try:
            async with asyncio.timeout(PATIENCE):
                head = await reader.readuntil(b"\r\n\r\n")
                length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
                body = await reader.readexactly(length)
        except TimeoutError:
            seen.append(Seen(at, float("inf"), 0, counted=False))
            return
        seen.append(Seen(at, time.perf_counter() - at, int(head.split()[1]), counted=b"true" in body))
        await asyncio.sleep(PAUSE)
    writer.close()


# -- the faults: each is given the server, breaks it, and returns when it could answer again


Fault = Callable[[RedisServer, Late, float], Awaitable[float]]


async def stopped(server: RedisServer, _: Late, seconds: float) -> float:
    await asyncio.to_thread(server.stop)
    await asyncio.sleep(seconds)
    await asyncio.to_thread(server.start)
    return time.perf_counter()


async def frozen(server: RedisServer, _: Late, seconds: float) -> float:
    await asyncio.to_thread(server.freeze)
    await asyncio.sleep(seconds)
    server.thaw()
    return time.perf_counter()


async def flushed(server: RedisServer, _: Late, seconds: float) -> float:
    for command in (("FLUSHALL",), ("SCRIPT", "FLUSH")):
        await asyncio.to_thread(server.ask, *command)
    back = time.perf_counter()
    await asyncio.sleep(seconds)
    return back


async def restarted(server: RedisServer, _: Late, seconds: float) -> float:
    await asyncio.to_thread(server.stop)
    await asyncio.to_thread(server.start)
    back = time.perf_counter()
    await asyncio.sleep(seconds)
    return back


async def late(_: RedisServer, proxy: Late, seconds: float) -> float:
    proxy.delay = LATE
    await asyncio.sleep(seconds)
    proxy.delay = 0.0
    return time.perf_counter()


FAULTS: dict[str, Fault] = {
    "stopped": stopped,
    "frozen": frozen,
    "flushed": flushed,
    "restarted": restarted,
    "200 ms late": late,
}


# -- a run


def p99(seen: list[Seen]) -> float:
    return statistics.quantiles([each.took * 1000 for each in seen], n=100)[98]


async def measure(mode: str, fault: Fault, clients: int, calm: float, seconds: float) -> str:
    with running_redis() as server:
        async with Late(server) as proxy, served(proxy.url, mode) as port:
            warm: list[Seen] = []
            end = asyncio.Event()
            asyncio.get_running_loop().call_later(0.3, end.set)
            await asyncio.gather(*(client(port, warm, end) for _ in range(clients)))
            seen: list[Seen] = []
            end = asyncio.Event()
            running = [asyncio.create_task(client(port, seen, end)) for _ in range(clients)]
            await asyncio.sleep(calm)
            broken = time.perf_counter()
            back = await fault(server, proxy, seconds)
            over = time.perf_counter()
            await asyncio.sleep(1.0)
            end.set()
            await asyncio.gather(*running)
    before = [each for each in seen if each.at + each.took < broken]
    during = [each for each in seen if broken <= each.at + each.took and each.at < over]
    after = [each for each in seen if each.at >= back]
    counted = min((each.at + each.took for each in after if each.counted), default=float("inf"))
    recovery = f"{(counted - back) * 1000:.0f} ms"
    missed = sum(each.at > counted and not each.counted for each in after)
    answers = ", ".join(f"{number} × {status or 'none'}" for status, number in sorted(status_of(during).items()))
    slowest = max(each.took for each in seen) * 1000
    return f"{p99(during) - p99(before):+.1f} ms | {slowest:.1f} ms | {answers} | {recovery} | {missed}"


def status_of(seen: list[Seen]) -> Counter[int]:
    return Counter(each.status for each in seen)


async def run(options: argparse.Namespace) -> None:
    print(
        "| Redis | `on_store_failure` | added p99 | slowest | answers during it | counts again after | missed later |"
    )
    print("|---|---|--:|--:|---|--:|--:|")
    for name, fault in FAULTS.items():
        for mode in MODES:
            if set(options.only) <= {name, mode}:
                row = await measure(mode, fault, options.clients, options.calm, options.fault)
                print(f"| {name} | `{mode}` | {row} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clients", type=int, default=16)
    parser.add_argument("--calm", type=float, default=1.0, help="seconds before the fault")
    parser.add_argument("--fault", type=float, default=1.5, help="seconds that it lasts")
    parser.add_argument("--only", nargs="+", default=[], help="a fault, a mode, or both")
    parser.add_argument("--serve", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        serve(*options.serve)
    else:
        asyncio.run(run(options))


if __name__ == "__main__":
    main()
