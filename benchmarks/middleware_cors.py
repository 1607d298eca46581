"""Compare what CORS adds to a request: ours and Starlette's, around the same app, in one run.

The app sends a small answer with four headers; requests have ten. "simple" is a request of an allowed origin, "no
origin" one of the same site, "preflight" one that is answered without the app. The candidates take turns in an order
that is shuffled every round. What is printed is the median time of a request less that of the app alone, and the ratio.

    python -m benchmarks.middleware_cors [--rounds 30] [--requests 2000]
"""

import argparse
import asyncio
import gc
import random
import statistics
import time
from collections.abc import Callable
from typing import Any

from starlette.middleware.cors import CORSMiddleware

from asgi_express.middleware.cors import CORS

ORIGIN = "https://app.example.com"
METHODS = ["GET", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"]
ALLOWED = ["Content-Type", "Authorization"]
SUBDOMAINS = r"https://([a-z0-9-]+\.)+example\.com"

START = {
    "type": "http.response.start",
    "status": 200,
    "headers": [
        (b"content-type", b"application/json"),
        (b"content-length", b"13"),
        (b"cache-control", b"no-cache"),
        (b"vary", b"Accept"),
    ],
}
BODY = {"type": "http.response.body", "body": b'{"hello": 1}\n'}

App = Callable[[Any, Any, Any], Any]


async def inner(_scope: Any, _receive: Any, send: Any) -> None:
    # Starlette writes into the message: every request needs its own.
    await send({**START, "headers": list(START["headers"])})  # type: ignore[call-overload]  # a list of pairs
    await send(BODY)


def scope(method: str, *more: tuple[bytes, bytes]) -> dict[str, Any]:
    headers = [
        (b"host", b"api.example.com"),
        (b"user-agent", b"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0"),
        (b"accept", b"*/*"),
        (b"accept-language", b"en-GB,en;q=0.9"),
        (b"accept-encoding", b"gzip, deflate, br, zstd"),
        (b"referer", b"https://app.example.com/"),
        (b"sec-fetch-dest", b"empty"),
        (b"sec-fetch-mode", b"cors"),
        (b"sec-fetch-site", b"same-site"),
    ]
    return {"type": "http", "method": method, "path": "/", "headers": [*headers, *more]}


OF = (b"origin", ORIGIN.encode())
PREFLIGHT = (
    OF,
    (b"access-control-request-method", b"PUT"),
    (b"access-control-request-headers", b"authorization,content-type"),
)
CASES = {
    "simple": scope("GET", OF),
    "no origin": scope("GET"),
    "preflight": scope("OPTIONS", *PREFLIGHT),
}


def candidates(*, wildcard: bool) -> dict[str, App]:
    ours = "https://*.example.com" if wildcard else ORIGIN
    shared: dict[str, Any] = {"allow_methods": METHODS, "allow_headers": ALLOWED, "allow_credentials": True}
    theirs: dict[str, Any] = {"allow_origin_regex": SUBDOMAINS} if wildcard else {"allow_origins": [ORIGIN]}
    return {
        "app alone": inner,
        "asgi-express": CORS(inner, allow_origins=[ours], **shared),
        "starlette": CORSMiddleware(inner, **shared, **theirs),
    }


async def receive() -> dict[str, Any]:
    return {"type": "http.request", "body": b"", "more_body": False}


async def check(app: App, case: str, *, is_marked: bool) -> None:
    """See that an answer is right before it is timed."""
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    await app(dict(CASES[case]), receive, send)
    headers = dict(sent[0]["headers"])
    assert sent[0]["status"] in (200, 204)
    assert (headers.get(b"access-control-allow-origin") == ORIGIN.encode()) is (is_marked and case != "no origin")


async def measure(app: App, case: str, requests: int) -> float:
    """Return the µs of one request."""

    async def send(_message: Any) -> None:
        pass

    template = CASES[case]
    started = time.perf_counter()
    for _ in range(requests):
        await app(dict(template), receive, send)
    return (time.perf_counter() - started) / requests * 1e6


async def run(rounds: int, requests: int) -> None:
    print("| | app alone | asgi-express adds | starlette adds | asgi-express / starlette |\n|---|--:|--:|--:|--:|")
    for wildcard in (False, True):
        apps = candidates(wildcard=wildcard)
        for case in CASES:
            times: dict[str, list[float]] = {name: [] for name in apps}
            for name, app in apps.items():
                await check(app, case, is_marked=name != "app alone")
                await measure(app, case, requests)
            for _ in range(rounds):
                for name in random.sample(list(apps), len(apps)):
                    times[name].append(await measure(apps[name], case, requests))
            alone, ours, theirs = (statistics.median(times[name]) for name in apps)
            base = 0.0 if case == "preflight" else alone  # a preflight does not reach the app
            ratio = (ours - base) / (theirs - base)
            label = f"{case}, {'sub-domains' if wildcard else 'exact'}"
            print(f"| {label} | {base:.2f} µs | {ours - base:.2f} µs | {theirs - base:.2f} µs | {ratio:.2f} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--requests", type=int, default=2000)
    options = parser.parse_args()
    gc.disable()
    asyncio.run(run(options.rounds, options.requests))


if __name__ == "__main__":
    main()
