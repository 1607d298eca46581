"""Measure in turns, and say it in figures that hold on a busy machine.

Whoever is compared takes turns, in an order that is shuffled every round, so that a slow moment falls on all of them.
A ratio is made within each round and its median is the figure: what slows the machine down slows both of a pair.
"""

import contextlib
import gc
import os
import platform
import random
import statistics
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TypeAlias, TypeVar

K = TypeVar("K")

Turn: TypeAlias = Callable[[], Awaitable[float]]
Times: TypeAlias = dict[K, list[float]]


async def take_turns(turns: Mapping[K, Turn], rounds: int) -> Times[K]:
    """Give everybody one turn to warm up and then one in every round; return what each turn said, in order."""
    order = random.Random(1)  # noqa: S311 - an order of turns, the same in every run
    names = list(turns)
    times: Times[K] = {name: [] for name in names}
    for turn in turns.values():
        await turn()
    gc.collect()
    gc.freeze()  # ten thousand routes of one are no work for the collector in the turn of another
    try:
        for _ in range(rounds):
            order.shuffle(names)
            for name in names:
                gc.collect()
                times[name].append(await turns[name]())
    finally:
        gc.unfreeze()
    return times


def ratios(times: Sequence[float], base: Sequence[float]) -> list[float]:
    """Return how many times the base each round took."""
    return [one / other for one, other in zip(times, base, strict=True)]


def added(times: Sequence[float], base: Sequence[float]) -> list[float]:
    """Return how much more than the base each round took."""
    return [one - other for one, other in zip(times, base, strict=True)]


def spread(values: Sequence[float], digits: int = 2) -> str:
    """Return the median and, in brackets, the first and the third quartile."""
    if len(values) < 2:
        return f"{values[0]:.{digits}f}"
    low, median, high = statistics.quantiles(values, n=4, method="inclusive")
    return f"{median:.{digits}f} ({low:.{digits}f}–{high:.{digits}f})"


def table(columns: Sequence[str], rows: Iterable[Sequence[str]], *, texts: int = 1) -> str:
    """Return a Markdown table; all columns but the first ``texts`` are numbers."""
    lines = [" | ".join(columns), "|".join(["---"] * texts + ["--:"] * (len(columns) - texts))]
    return "\n".join([f"| {lines[0]} |", f"|{lines[1]}|", *(f"| {' | '.join(row)} |" for row in rows)])


def machine() -> str:
    """Return what the figures were measured on, and how busy it was."""
    load = f", load {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
    return (
        f"{platform.python_implementation()} {platform.python_version()}, {platform.system()}, "
        f"{os.cpu_count()} cores, {_processor()}{load}."
    )


def _processor() -> str:
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
