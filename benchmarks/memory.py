"""Compare the memory that requests take while they wait: resident, for each 1,000 that are under way at once.

Each figure is from a process of its own that lets so many requests wait in a handler, in process, and finds out how far
its resident memory grew; "objects" is what Python's allocator holds of it, which is the same in every run. The task,
the scope and the ``receive`` of a request, which every server keeps, are in all rows: the raw application shows them.

    python -m benchmarks.memory [--rounds 3] [--requests 5000]
"""

import argparse
import asyncio
import gc
import json
import os
import subprocess
import sys
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request as StarletteRequest
from starlette.responses import JSONResponse
from starlette.routing import Route

from asgi_express import Express, Request, Response
from benchmarks.apps import raw
from benchmarks.calls import App, Body, Case, check, discard
from benchmarks.in_process import label_of
from benchmarks.turns import added, machine, ratios, spread, table

CASE = Case("waiting", "app", "/users/42", 200, {"id": "42"})
KIB = 1024


def raw_app(go: asyncio.Event) -> App:
    inner = raw.few()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await go.wait()
        await inner(scope, receive, send)

    return app


def express_app(go: asyncio.Event) -> App:
    app = Express()

    @app.get("/users/:id")
    async def user(req: Request, res: Response) -> None:
        await go.wait()
        res.json({"id": req.params["id"]})

    return app


def starlette_app(go: asyncio.Event) -> App:
    async def user(request: StarletteRequest) -> JSONResponse:
        await go.wait()
        return JSONResponse({"id": request.path_params["id"]})

    return Starlette(routes=[Route("/users/{id}", user)])


APPS: dict[str, Callable[[asyncio.Event], App]] = {
    "raw": raw_app,
    "asgi_express": express_app,
    "starlette": starlette_app,
}


def resident() -> int:
    """Return the bytes that this process has in memory; this needs Linux."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


async def grown(name: str, requests: int, held: Callable[[], int]) -> float:
    """Return the KiB for each 1,000 requests that wait at once."""
    go = asyncio.Event()
    app = APPS[name](go)
    go.set()
    for _ in range(100):
        await check(app, CASE, name)
    go.clear()
    gc.collect()
    before = held()
    tasks = [asyncio.create_task(app(CASE.scope(), Body(b""), discard)) for _ in range(requests)]
    await asyncio.sleep(0)
    gc.collect()
    after = held()
    assert not any(task.done() for task in tasks)
    go.set()
    await asyncio.gather(*tasks)
    return (after - before) / requests * 1000 / KIB


def alone(name: str, requests: int) -> dict[str, float]:
    """Measure in this process: the resident memory first, for to follow the objects takes memory too."""
    taken = asyncio.run(grown(name, requests, resident))
    tracemalloc.start()
    objects = asyncio.run(grown(name, requests, lambda: tracemalloc.get_traced_memory()[0]))
    return {"resident": taken, "objects": objects}


def in_own_process(name: str, requests: int) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks.memory", "--alone", name, "--requests", str(requests)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603 - this program
    found: dict[str, float] = json.loads(done.stdout)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--requests", type=int, default=5000, help="that wait at once")
    parser.add_argument("--alone", choices=APPS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.alone:
        print(json.dumps(alone(options.alone, options.requests)))
        return
    found = {name: [in_own_process(name, options.requests) for _ in range(max(2, options.rounds))] for name in APPS}

    def figures(name: str, kind: str) -> list[float]:
        return [one[kind] for one in found[name]]

    kinds = ("resident", "objects")
    over = {(name, kind): added(figures(name, kind), figures("raw", kind)) for name in APPS for kind in kinds}
    rows = [
        [
            label_of(name),
            *(spread(figures(name, kind), 0) for kind in kinds),
            *("–" if name == "raw" else spread(ratios(over[name, kind], over["starlette", kind])) for kind in kinds),
        ]
        for name in APPS
    ]
    columns = ["KiB for each 1,000 that wait", "resident", "objects"]
    beside = ["resident over raw / Starlette's", "objects over raw / Starlette's"]
    print(f"{machine()} {options.requests} requests that wait at once.\n")
    print(table([*columns, *beside], rows))


if __name__ == "__main__":
    main()
