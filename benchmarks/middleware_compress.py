"""Compare compression middleware: what each adds to an answer, how small it becomes, how long the loop is held.

Every middleware is called in process, around an app that answers with JSON, without a server. Each answer is decoded
and checked before anything is timed. Then they take turns, in an order that is shuffled every round; compare only
within a run. "added" is the median over the app alone. All compress from 500 bytes on (brotli-asgi 400); for the rest
each is as its documentation shows it. In the stream, starlette-compress sends nothing before its buffers are full,
unless it is told that the type is one of streams ("flushing"); the others flush every piece. brotli-asgi leaves out
``Vary`` where nothing is accepted.

    python -m benchmarks.middleware_compress [--rounds 15]

It needs starlette-compress and brotli-asgi (the dependency group "bench").
"""

import argparse
import asyncio
import contextlib
import gc
import hashlib
import json
import platform
import random
import statistics
import time
import zlib
from collections.abc import Callable, Iterator
from importlib.metadata import version
from typing import Any

import brotli
from backports import zstd
from brotli_asgi import BrotliMiddleware
from starlette.middleware.gzip import GZipMiddleware
from starlette_compress import CompressMiddleware, add_compress_type, remove_compress_type

from asgi_express.middleware.compress import Compress

App = Callable[[Any, Any, Any], Any]

WORDS = str.split("the quick brown fox jumps over a lazy dog and runs to the river where water flows")
SIZES = {"600 B": 600, "2 KiB": 2048, "16 KiB": 16 * 1024, "112 KiB": 112 * 1024, "1 MiB": 1024 * 1024}
PIECES = 20
NOISE = bytes(16 << 20)
JSON = "application/json"
FLUSHING = "starlette-compress, flushing"

MIDDLEWARE: dict[tuple[str, str], Callable[[App], App]] = {
    ("asgi-express", "zstd"): lambda app: Compress(app, min_length=500),
    ("starlette-compress", "zstd"): lambda app: CompressMiddleware(app),
    ("asgi-express", "br"): lambda app: Compress(app, min_length=500),
    ("starlette-compress", "br"): lambda app: CompressMiddleware(app),
    ("brotli-asgi", "br"): lambda app: BrotliMiddleware(app),
    ("asgi-express", "gzip"): lambda app: Compress(app, min_length=500),
    ("starlette", "gzip"): lambda app: GZipMiddleware(app),
    ("starlette-compress", "gzip"): lambda app: CompressMiddleware(app),
    ("asgi-express, cached", "zstd"): lambda app: Compress(app, min_length=500, cache_bytes="16mb"),
    ("asgi-express", "nothing"): lambda app: Compress(app, min_length=500),
    ("starlette", "nothing"): lambda app: GZipMiddleware(app),
    ("starlette-compress", "nothing"): lambda app: CompressMiddleware(app),
    ("brotli-asgi", "nothing"): lambda app: BrotliMiddleware(app),
}


def document(size: int) -> bytes:
    """Return about so many bytes of JSON, as an API answers with."""
    chance = random.Random(1)  # noqa: S311 - every run has the same document
    records: list[Any] = []
    length = 0
    while length < size:
        records.append(
            {
                "id": len(records),
                "name": f"{chance.choice(WORDS)}{chance.randrange(10**6)}",
                "score": chance.random(),
                "text": " ".join(chance.choices(WORDS, k=12)),
            }
        )
        length += len(json.dumps(records[-1])) + 2
    return json.dumps(records).encode()


def answering(body: bytes, pieces: int = 1) -> App:
    """Return an app that answers with a body, in one piece or in several."""
    step = -(-len(body) // pieces)
    parts = [body[at : at + step] for at in range(0, len(body), step)]

    async def app(scope: Any, receive: Any, send: Any) -> None:
        headers = [(b"content-type", b"application/json")]
        if pieces == 1:
            headers.append((b"content-length", b"%d" % len(body)))
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        for index, part in enumerate(parts):
            await send({"type": "http.response.body", "body": part, "more_body": index + 1 < len(parts)})

    return app


def scope(accept: str) -> dict[str, Any]:
    headers = [(b"host", b"localhost"), (b"user-agent", b"benchmark"), (b"accept", b"*/*")]
    if accept != "nothing":
        headers.append((b"accept-encoding", accept.encode()))
    return {"type": "http", "method": "GET", "path": "/", "raw_path": b"/", "query_string": b"", "headers": headers}


async def receive() -> Any:
    return {"type": "http.request", "body": b"", "more_body": False}


async def size_of(app: App, accept: str, body: bytes) -> int:
    """Check that an answer can be decoded, and return its size."""
    parts: list[bytes] = []
    headers: dict[bytes, bytes] = {}

    async def send(message: Any) -> None:
        headers.update({name.lower(): value for name, value in message.get("headers", ())})
        parts.append(message.get("body", b""))

    await app(scope(accept), receive, send)
    coded = b"".join(parts)
    decode: dict[bytes, Callable[[bytes], bytes]] = {
        b"zstd": zstd.decompress,
        b"br": brotli.decompress,
        b"gzip": lambda data: zlib.decompress(data, 31),
        b"": bytes,
    }
    coding = headers.get(b"content-encoding", b"")
    assert decode[coding](coded) == body
    assert not coding or coding == accept.encode()
    return len(coded)


async def time_of(app: App, accept: str, count: int) -> float:
    """Return the seconds that one answer takes."""

    async def send(message: Any) -> None:
        pass

    requests = [scope(accept) for _ in range(count)]
    start = time.process_time()
    for request in requests:
        await app(request, receive, send)
    return (time.process_time() - start) / count


@contextlib.contextmanager
def streamed(*, is_flushing: bool) -> Iterator[None]:
    """Let starlette-compress flush every piece of JSON."""
    if is_flushing:
        add_compress_type(JSON, streaming=True)
    try:
        yield
    finally:
        if is_flushing:
            remove_compress_type(JSON)
            add_compress_type(JSON)


async def table(title: str, body: bytes, pieces: int, rounds: int) -> None:
    inner = answering(body, pieces)
    apps: dict[tuple[str, str], App] = {key: make(inner) for key, make in MIDDLEWARE.items()}
    if pieces > 1:
        apps |= {(FLUSHING, coding): CompressMiddleware(inner) for coding in ("zstd", "br", "gzip")}
    sizes = {}
    for key, app in apps.items():
        with streamed(is_flushing=key[0] == FLUSHING):
            sizes[key] = await size_of(app, key[1], body)
    times: dict[tuple[str, str], list[float]] = {key: [] for key in apps}
    alone: list[float] = []
    count = max(2, min(300, 3_000_000 // len(body)))
    gc.collect()
    gc.disable()
    for _ in range(rounds):
        order = list(apps)
        random.shuffle(order)
        alone.append(await time_of(inner, "nothing", count))
        for key in order:
            with streamed(is_flushing=key[0] == FLUSHING):
                times[key].append(await time_of(apps[key], key[1], count))
    gc.enable()
    base = statistics.median(alone)
    print(f"\n{title}: {len(body)} bytes; the app alone takes {base * 1e6:.1f} µs\n")
    print("| accepted | middleware | µs added | ratio |\n|---|---|--:|--:|")
    for (name, accept), size in sizes.items():
        added = (statistics.median(times[name, accept]) - base) * 1e6
        print(f"| {accept} | {name} | {added:.1f} | {len(body) / size:.2f} |")


async def control(scope: Any, receive: Any, send: Any) -> None:
    """Work in a thread that surely leaves the interpreter to others: what is measured then is the machine."""
    await asyncio.to_thread(hashlib.sha256, NOISE)


async def held(app: App, accept: str) -> float:
    """Return the longest time, in seconds, that other tasks wait while one answer is made."""
    worst, last = 0.0, time.perf_counter()
    done = False

    async def tick() -> None:
        nonlocal worst, last
        while not done:
            await asyncio.sleep(0)
            now = time.perf_counter()
            worst, last = max(worst, now - last), now

    async def send(message: Any) -> None:
        pass

    ticking = asyncio.create_task(tick())
    await asyncio.sleep(0)
    last = time.perf_counter()
    await app(scope(accept), receive, send)
    done = True
    await ticking
    return worst


async def holding(rounds: int) -> None:
    bodies = {"100 KiB": document(100 * 1024), "1 MiB": document(1 << 20), "16 MiB": document(1 << 20) * 16}
    print(f"\nThe longest time that the loop is held by one answer, ms: the median (and worst) of {rounds}\n")
    print("| accepted | middleware |", " | ".join(bodies), "|\n|---|---|" + "--:|" * len(bodies))
    waits = [await held(control, "nothing") * 1000 for _ in range(rounds)]
    cell = f" {statistics.median(waits):.1f} ({max(waits):.1f}) |"
    print("| | SHA-256 of 16 MiB in a thread, for comparison |" + cell * len(bodies))
    best: dict[tuple[str, str], Callable[[App], App]] = {
        (f"asgi-express, {level}", accept): lambda app, level=level: Compress(app, level=level)  # type: ignore[misc]
        for level in ("best",)
        for accept in ("zstd", "br", "gzip")
    }
    for (name, accept), make in {**MIDDLEWARE, **best}.items():
        if accept == "nothing" or "cached" in name:
            continue
        cells = []
        for body in bodies.values():
            app = make(answering(body))
            waits = [await held(app, accept) * 1000 for _ in range(rounds if len(body) < 1 << 22 else 3)]
            cells.append(f"{statistics.median(waits):.1f} ({max(waits):.1f})")
        print(f"| {accept} | {name} |", " | ".join(cells), "|")


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15)
    options = parser.parse_args()
    names = ("starlette", "starlette-compress", "brotli-asgi", "brotli", "backports.zstd", "isal", "zlib-ng")
    print(platform.python_implementation(), platform.python_version(), *(f"{name} {version(name)}" for name in names))
    for title, size in SIZES.items():
        await table(title, document(size), 1, options.rounds)
    await table(f"A stream in {PIECES} pieces", document(SIZES["112 KiB"]), PIECES, options.rounds)
    await holding(options.rounds)


if __name__ == "__main__":
    asyncio.run(main())
