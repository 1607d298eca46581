"""Compare what a request costs among many routes: the first, the last, and a path that none of them has.

The routes are those of ``in_process``, ``/section{n}/items/:id``. Beside them, for asgi-express alone, the last of the
same number of routes that a tree of segments finds harder: a long common beginning, a parameter in front.

    python -m benchmarks.routes [--rounds 15] [--only NAME ...] [--plot docs/images/routes.svg]

FastAPI takes 15 seconds to register 10,000 routes, and Falcon and Litestar more than a minute: they have 1,000.
"""

import asyncio
import logging
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from asgi_express import Express, Request, Response
from benchmarks import in_process, plot
from benchmarks.calls import Case
from benchmarks.in_process import FRAMEWORKS, Entry, arguments, compare, label_of, load
from benchmarks.turns import Times, machine, ratios, spread, table

SIZES = (1, 10, 100, 1_000, 10_000)
SHOWN = (1_000, 10_000)
MOST = {"fastapi": 1_000, "falcon": 1_000, "litestar": 1_000}
HELLO = in_process.CASES[0]
SHAPES = {
    "/section{n}/items/:id": "/section{n}/items/42",
    "/api/v1/shop/catalogue/section{n}/:id": "/api/v1/shop/catalogue/section{n}/42",
    "/:tenant/section{n}/:id": "/acme/section{n}/42",
    "/section{n}{/:id}": "/section{n}/42",
}


def first(size: int) -> Case:
    return Case(f"first of {size:,}", f"{size}", "/section0/items/42", 200, {"id": "42"})


def last(size: int) -> Case:
    return Case(f"last of {size:,}", f"{size}", f"/section{size - 1}/items/42", 200, {"id": "42"})


def miss(size: int) -> Case:
    return Case(f"miss among {size:,}", f"{size}", "/sections/items/42", 404)


def entry(name: str) -> Entry:
    """Build a framework's application for every size that it can be asked for."""
    most = MOST.get(name, SIZES[-1])
    apps = {f"{size}": load(name, size).apps["many"] for size in SIZES if size <= most}
    return Entry(name, label_of(name), {**apps, "few": load(name, 1).apps["few"]})


def growth(entries: Sequence[Entry], times: Times[tuple[str, str]]) -> str:
    """Return how the ends compare with the beginnings, within each framework."""
    size = SHOWN[-1]
    pairs = ((last(size), first(size)), (miss(size), HELLO), (miss(size), first(size)))
    rows = [
        [one.label, *(spread(ratios(times[one.name, a.name], times[one.name, b.name])) for a, b in pairs)]
        for one in entries
        if f"{size}" in one.apps
    ]
    return table(["", *(f"{a.name} / {b.name}" for a, b in pairs)], rows)


def shaped(pattern: str, size: int) -> Any:
    app = Express()

    def answer(req: Request, res: Response) -> None:
        res.json({"id": req.params["id"]})

    for number in range(size):
        app.get(pattern.replace("{n}", str(number)), answer)
    return app


async def shapes(rounds: int, requests: int) -> str:
    """Return what the last route costs beside the first, for other shapes of routes."""
    size = SHOWN[-1]
    rows = []
    for pattern, path in SHAPES.items():
        app = Entry("asgi_express", pattern, {"app": shaped(pattern, size)})
        cases = [
            Case(name, "app", path.replace("{n}", str(n)), 200, {"id": "42"})
            for name, n in (("first", 0), ("last", size - 1))
        ]
        times = await compare([app], cases, rounds, requests)
        begin, end = (times["asgi_express", case.name] for case in cases)
        rows.append([f"`{pattern}`", spread(begin, 1), spread(end, 1), spread(ratios(end, begin))])
    return table([f"asgi-express, {size:,} routes", "first, µs", "last, µs", "last / first"], rows)


def main() -> None:
    """Read the command line, measure and print."""
    parser = arguments(__doc__, FRAMEWORKS)
    parser.set_defaults(rounds=15, requests=500)
    parser.add_argument("--plot", type=Path, help="where to draw the cost of the last route")
    options = parser.parse_args()
    logging.disable(logging.WARNING)
    entries = [entry(name) for name in (FRAMEWORKS if options.only is None else ("raw", *options.only))]
    rounds = max(2, options.rounds)
    shown = [HELLO, *(case(size) for size in SHOWN for case in (first, last, miss))]
    cases = [*shown, *(last(size) for size in SIZES if size not in SHOWN)]
    times = asyncio.run(compare(entries, cases, rounds, options.requests))
    print(f"{machine()} {rounds} rounds of {options.requests} requests or 50 ms.\n")
    print(in_process.report(entries, shown, times))
    print(f"\n{growth(entries, times)}\n")
    print(asyncio.run(shapes(rounds, options.requests)))
    if options.plot:
        lines = {
            one.label: [
                (size, statistics.median(times[one.name, last(size).name])) for size in SIZES if f"{size}" in one.apps
            ]
            for one in [*entries[1:], entries[0]]
        }
        options.plot.parent.mkdir(parents=True, exist_ok=True)
        title = "What the last of n routes costs"
        options.plot.write_text(plot.svg(title, "routes", "µs per request, in process", lines))


if __name__ == "__main__":
    main()
