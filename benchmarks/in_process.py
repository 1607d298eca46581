"""Compare frameworks by the time of one request, in process: no socket, no server, no HTTP parser.

Every framework answers the same five requests. Each answer is checked before anything is timed. Then the
frameworks take turns, in an order that is shuffled every round, so that a slow moment of the machine falls
on all of them. One run prints every figure: compare only within a run.

    python -m benchmarks.in_process [--rounds 30] [--requests 1000] [--only NAME ...]
"""

import argparse
import asyncio
import contextlib
import importlib
import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version

from benchmarks.calls import App, Case, check, fitting, measure, running
from benchmarks.turns import Times, Turn, machine, ratios, spread, table, take_turns

FRAMEWORKS = ("raw", "asgi_express", "starlette", "fastapi", "litestar", "falcon", "blacksheep")
ROUTES = 200

ORDER = {
    "id": 7,
    "name": "Ada",
    "tags": ["a", "b", "c"],
    "address": {"city": "London", "zip": "N1"},
}

CASES = (
    Case("hello", "few", "/", 200, "Hello, world"),
    Case("one param, JSON", "few", "/users/42", 200, {"id": "42"}),
    Case(f"last of {ROUTES} routes", "many", f"/section{ROUTES - 1}/items/42", 200, {"id": "42"}),
    Case(f"miss among {ROUTES} routes", "many", "/sections/items/42", 404),
    Case("JSON echo", "few", "/echo", 200, ORDER, "POST", json.dumps(ORDER).encode()),
)


@dataclass
class Entry:
    """Who is compared, and the applications that it built."""

    name: str
    label: str
    apps: Mapping[str, App]


def label_of(name: str) -> str:
    """Return the name and version of a framework."""
    distribution = importlib.import_module(f"benchmarks.apps.{name}").DISTRIBUTION
    return f"{distribution} {version(distribution)}" if distribution else "raw ASGI"


def load(name: str, routes: int = ROUTES) -> Entry:
    """Import a framework's module and build its applications."""
    module = importlib.import_module(f"benchmarks.apps.{name}")
    return Entry(name, label_of(name), {"few": module.few(), "many": module.many(routes)})


async def compare(
    entries: Sequence[Entry], cases: Sequence[Case], rounds: int, requests: int
) -> Times[tuple[str, str]]:
    """Check every answer, then return the µs of a request by the name of the entry and that of the case.

    An entry that has no application for a case is left out of it. Turns of one case alone follow one another.
    """
    times: Times[tuple[str, str]] = {}
    async with contextlib.AsyncExitStack() as stack:
        for entry in entries:
            for app in entry.apps.values():
                await stack.enter_async_context(running(app))
        for case in cases:
            turns: dict[tuple[str, str], Turn] = {}
            for entry in entries:
                if case.builder in entry.apps:
                    app = entry.apps[case.builder]
                    await check(app, case, entry.label)
                    turns[entry.name, case.name] = partial(measure, app, case, await fitting(app, case, requests))
            times |= await take_turns(turns, rounds)
    return times


def report(entries: Sequence[Entry], cases: Sequence[Case], times: Times[tuple[str, str]]) -> str:
    """Return the figures as Markdown: one table of ratios to the first entry, then the times of each case."""
    first, columns = entries[0], ["", *(case.name for case in cases)]

    def cell(entry: Entry, case: Case, *, ratio: bool) -> str:
        own = times.get((entry.name, case.name))
        if own is None:
            return "–"
        base = times.get((first.name, case.name))
        if ratio:
            return "–" if base is None else spread(ratios(own, base))
        return spread(own, 1)

    def rows(*, ratio: bool) -> list[list[str]]:
        return [[entry.label, *(cell(entry, case, ratio=ratio) for case in cases)] for entry in entries]

    return "\n".join(
        [
            f"Time as a multiple of {first.label}, the median round (first and third quartile):\n",
            table(columns, rows(ratio=True)),
            "\nµs per request, likewise:\n",
            table(columns, rows(ratio=False)),
        ]
    )


def arguments(description: str | None, frameworks: Sequence[str] = ()) -> argparse.ArgumentParser:
    """Return the command line that comparisons share; the first framework is always in."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=30, help="turns of each")
    parser.add_argument("--requests", type=int, default=1000, help="requests in each turn, fewer where they are slow")
    if frameworks:
        parser.add_argument("--only", nargs="+", choices=frameworks[1:], help=f"compare these with {frameworks[0]}")
    return parser


def main() -> None:
    """Read the command line, measure and print."""
    options = arguments(__doc__, FRAMEWORKS).parse_args()
    logging.disable(logging.WARNING)  # BlackSheep logs each miss; nobody's logging is measured
    entries = [load(name) for name in (FRAMEWORKS if options.only is None else ("raw", *options.only))]
    rounds = max(2, options.rounds)
    times = asyncio.run(compare(entries, CASES, rounds, options.requests))
    print(f"{machine()} {rounds} rounds of {options.requests} requests or 50 ms.\n")
    print(report(entries, CASES, times))


if __name__ == "__main__":
    main()
