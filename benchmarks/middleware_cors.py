"""Compare what CORS adds to a request: ours and Starlette's, around the same app, in one run.

The app sends a small answer with four headers; requests have ten. "simple" is a request of an allowed origin, "no
origin" one of the same site, "preflight" one that is answered without the app. The candidates take turns in an order
that is shuffled every round. What is printed is what each adds to the app alone, and the ratio, the median round.

    python -m benchmarks.middleware_cors [--rounds 30] [--requests 2000]
"""

import argparse
import asyncio
from functools import partial
from typing import Any

from starlette.middleware.cors import CORSMiddleware

from asgi_express.middleware.cors import CORS
from benchmarks.calls import App, Case, check, measure
from benchmarks.turns import added, machine, ratios, spread, table, take_turns

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


async def inner(_scope: Any, _receive: Any, send: Any) -> None:
    # Starlette writes into the message: every request needs its own.
    await send({**START, "headers": list(START["headers"])})  # type: ignore[call-overload]  # a list of pairs
    await send(BODY)


OF = (b"origin", ORIGIN.encode())
BROWSER = (
    (b"accept-language", b"en-GB,en;q=0.9"),
    (b"accept-encoding", b"gzip, deflate, br, zstd"),
    (b"referer", b"https://app.example.com/"),
    (b"sec-fetch-dest", b"empty"),
    (b"sec-fetch-mode", b"cors"),
    (b"sec-fetch-site", b"same-site"),
)
PREFLIGHT = (
    OF,
    (b"access-control-request-method", b"PUT"),
    (b"access-control-request-headers", b"authorization,content-type"),
)
CASES = {
    "simple": Case("simple", "app", "/", headers=(*BROWSER, OF)),
    "no origin": Case("no origin", "app", "/", headers=BROWSER),
    "preflight": Case("preflight", "app", "/", method="OPTIONS", headers=(*BROWSER, *PREFLIGHT)),
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


async def see(app: App, case: str, name: str) -> None:
    """See that an answer is right before it is timed; a preflight may be answered by 200 or 204."""
    status = 204 if (case, name) == ("preflight", "asgi-express") else 200
    ask = CASES[case]
    answer = await check(app, Case(ask.name, "app", "/", status, method=ask.method, headers=ask.headers), name)
    origin = dict(answer.headers).get(b"access-control-allow-origin")
    assert (origin == ORIGIN.encode()) is (name != "app alone" and case != "no origin"), (name, case, origin)


async def run(rounds: int, requests: int) -> None:
    rows = []
    for wildcard in (False, True):
        apps = candidates(wildcard=wildcard)
        for case, ask in CASES.items():
            for name, app in apps.items():
                await see(app, case, name)
            turns = {name: partial(measure, app, ask, requests) for name, app in apps.items()}
            alone, ours, theirs = (await take_turns(turns, rounds)).values()
            if case == "preflight":  # it does not reach the app
                alone = [0.0] * rounds
            ours, theirs = added(ours, alone), added(theirs, alone)
            label = f"{case}, {'sub-domains' if wildcard else 'exact'}"
            rows.append([label, *map(spread, (alone, ours, theirs, ratios(ours, theirs)))])
    columns = ["µs", "app alone", "asgi-express adds", "starlette adds", "asgi-express / starlette"]
    print(f"{machine()} {rounds} rounds of {requests} requests.\n")
    print(table(columns, rows))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--requests", type=int, default=2000)
    options = parser.parse_args()
    asyncio.run(run(max(2, options.rounds), options.requests))


if __name__ == "__main__":
    main()
