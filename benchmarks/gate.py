"""Refuse a request that does more than it may: counted, never timed, and the same on every machine.

For each of the five requests of ``in_process``, once it is warm: the calls of Python functions, the calls of functions
in C, the lines that are run, the objects that are held when the body goes out, and the most bytes that are held. They
are compared with ``budget.json``; 3 % more is allowed, and of objects two more. The budget is from CPython 3.11, and
one for all: 3.12 and 3.13 count the same calls and lines, but for one or two, and fewer objects and bytes. Fewer pass,
and the table says so.

    python -m benchmarks.gate [--write] [--calls NUMBER]

``--write`` makes what is counted the budget. ``--calls`` shows what is called in one of the requests, 0 to 4.
"""

import argparse
import asyncio
import gc
import json
import sys
import tracemalloc
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from types import FrameType
from typing import Any, TypeAlias

from benchmarks.apps import asgi_express
from benchmarks.calls import App, Body, Case, check, discard
from benchmarks.in_process import CASES, ROUTES
from benchmarks.turns import table

BUDGET = Path(__file__).with_name("budget.json")
TOLERANCE = 0.03
# Of so few, 3 % is not one. The free lists of a release decide about one or two.
SLACK = {"objects": 2}
WARM = 50

Counts: TypeAlias = dict[str, int]


async def called(app: App, case: Case) -> Counter[tuple[str, str]]:
    """Return how often which function is called for a request, by what wrote it: ``"Python"`` or ``"C"``."""
    calls: Counter[tuple[str, str]] = Counter()

    def note(frame: FrameType, event: str, argument: Any) -> None:
        if event == "call":
            calls["Python", f"{frame.f_globals.get('__name__')}.{frame.f_code.co_qualname}"] += 1
        elif event == "c_call" and argument is not sys.setprofile:
            calls["C", getattr(argument, "__qualname__", repr(argument))] += 1

    scope, body = case.scope(), Body(case.body)
    sys.setprofile(note)
    try:
        await app(scope, body, discard)
    finally:
        sys.setprofile(None)
    return calls


async def lines_run(app: App, case: Case) -> int:
    """Return how many lines of Python a request runs."""
    lines = 0

    def note(_frame: FrameType, event: str, _argument: Any) -> Any:
        nonlocal lines
        lines += event == "line"
        return note

    scope, body = case.scope(), Body(case.body)
    sys.settrace(note)
    try:
        await app(scope, body, discard)
    finally:
        sys.settrace(None)
    return lines


async def held(app: App, case: Case) -> Counts:
    """Return the objects that are held when the body goes out, and the most bytes that a request holds."""
    blocks = 0

    async def send(message: dict[str, Any]) -> None:
        nonlocal blocks
        if message["type"] == "http.response.body":
            blocks = sys.getallocatedblocks()

    gc.collect()
    gc.disable()
    objects = most = 0
    for _ in range(3):  # the first one finds the free lists as something else has left them
        scope, body = case.scope(), Body(case.body)
        before = sys.getallocatedblocks()
        await app(scope, body, send)
        objects = blocks - before
    tracemalloc.start()
    for _ in range(3):
        scope, body = case.scope(), Body(case.body)
        tracemalloc.reset_peak()
        taken, _ = tracemalloc.get_traced_memory()
        await app(scope, body, discard)
        most = tracemalloc.get_traced_memory()[1] - taken
    tracemalloc.stop()
    gc.enable()
    return {"objects": objects, "bytes": most}


async def count(app: App, case: Case) -> Counts:
    """Return everything that is counted for a request."""
    await check(app, case, "asgi-express")
    for _ in range(WARM):
        await app(case.scope(), Body(case.body), discard)
    calls = await called(app, case)
    kinds = {kind: sum(times for (own, _), times in calls.items() if own == kind) for kind in ("Python", "C")}
    lines = await lines_run(app, case)
    return {"Python calls": kinds["Python"], "C calls": kinds["C"], "lines": lines, **await held(app, case)}


def most(kind: str, budget: int) -> int:
    """Return how many are allowed."""
    return budget + max(int(budget * TOLERANCE), SLACK.get(kind, 0))


def judge(counts: Mapping[str, Counts], budget: Mapping[str, Counts]) -> list[str]:
    """Return a sentence for each count that is above what is allowed."""
    return [
        f"{case}: {number} {kind}, the budget is {budget[case][kind]} ({number / budget[case][kind] - 1:+.0%})"
        for case, kinds in counts.items()
        for kind, number in kinds.items()
        if number > most(kind, budget[case][kind])
    ]


def report(counts: Mapping[str, Counts], budget: Mapping[str, Counts]) -> str:
    """Return the counts, and the budget where it is another."""
    kinds = list(next(iter(counts.values())))

    def cell(case: str, kind: str) -> str:
        number, allowed = counts[case][kind], budget[case][kind]
        return f"{number}" if number == allowed else f"{number} (budget {allowed})"

    return table(["each request", *kinds], [[case, *(cell(case, kind) for kind in kinds)] for case in counts])


async def run(arguments: argparse.Namespace) -> int:
    apps = {"few": asgi_express.few(), "many": asgi_express.many(ROUTES)}
    if arguments.calls is not None:
        case = CASES[arguments.calls]
        await count(apps[case.builder], case)
        calls = await called(apps[case.builder], case)
        rows = [[name, f"{times}", kind] for (kind, name), times in calls.most_common()]
        print(table([case.name, "written in", "calls"], [[name, kind, times] for name, times, kind in rows], texts=2))
        return 0
    counts = {case.name: await count(apps[case.builder], case) for case in CASES}
    if arguments.write:
        arguments.budget.write_text(json.dumps(counts, indent=2) + "\n")
    budget = json.loads(arguments.budget.read_text())
    print(report(counts, budget))
    excess = judge(counts, budget)
    if excess:
        print(
            "\nA request does more than it may:\n  " + "\n  ".join(excess) + "\n"
            "See what is called: python -m benchmarks.gate --calls NUMBER. If it is worth it: --write, and say why.",
            file=sys.stderr,
        )
    return len(excess)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--budget", type=Path, default=BUDGET, help="the file that holds it")
    parser.add_argument("--write", action="store_true", help="make what is counted the budget")
    parser.add_argument("--calls", type=int, choices=range(len(CASES)), help="show what a request calls")
    # asyncio keeps where each coroutine was made when it debugs.
    sys.exit(1 if asyncio.run(run(parser.parse_args()), debug=False) else 0)


if __name__ == "__main__":
    main()
