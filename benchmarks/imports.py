"""Compare what an import costs: ``import asgi_express`` and that of others, each in an interpreter of its own.

The interpreters take turns, in an order that is shuffled every round; the figure is the best of the rounds, as an
import cannot be faster than it is. "ms" is the time that the process worked, without its start; the bytecode of all
is there before. Then the modules that take longest by themselves, and how much is ours.

    python -m benchmarks.imports [--rounds 10]
"""

import argparse
import asyncio
import importlib.util
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from functools import partial

from benchmarks.turns import machine, ratios, spread, table, take_turns

OURS, THEIRS = "asgi_express", "starlette.applications"
MODULES = (OURS, THEIRS, "asgi_express.middleware", "fastapi", "falcon.asgi", "blacksheep", "litestar")
PACKAGES = ("asgi_express", "starlette", "anyio")
SHOWN = 10

_PROGRAM = """
import sys, time
before, started = set(sys.modules), time.process_time()
import {module}
print([round((time.process_time() - started) * 1e6), len(set(sys.modules) - before)])
"""
_LINE = re.compile(r"import time:\s+(\d+) \|\s+\d+ \| +(\S+)")


def interpreter(environment: Mapping[str, str], *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, *options]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True)  # noqa: S603 - Python


async def imported(module: str, counts: dict[str, int], environment: Mapping[str, str]) -> float:
    """Import a module in a new interpreter; return the milliseconds, and count the modules that came."""
    microseconds, counts[module] = json.loads(interpreter(environment, "-c", _PROGRAM.format(module=module)).stdout)
    return float(microseconds) / 1000


def dearest(rounds: int, environment: Mapping[str, str]) -> list[tuple[str, float]]:
    """Return each module that comes with ours, and the best of its own milliseconds, the dearest first."""
    best: dict[str, float] = {}
    for _ in range(rounds):
        said = interpreter(environment, "-X", "importtime", "-c", f"import {OURS}").stderr
        for own, name in _LINE.findall(said.rpartition("| site\n")[2]):  # before it, what every interpreter imports
            best[name] = min(best.get(name, float("inf")), int(own) / 1000)
    return sorted(best.items(), key=lambda item: -item[1])


def by_package(modules: list[tuple[str, float]]) -> str:
    """Return whose the modules are."""
    rows = []
    for package in (*PACKAGES, None):
        own = [ms for name, ms in modules if (name.split(".")[0] == package if package else is_other(name))]
        rows.append([package or "everything else", str(len(own)), f"{sum(own):.1f}"])
    return table(["package", "modules", "ms"], rows)


def is_other(name: str) -> bool:
    return name.split(".")[0] not in PACKAGES


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=10)
    rounds = max(2, parser.parse_args().rounds)
    counts: dict[str, int] = {}
    with tempfile.TemporaryDirectory() as cache:
        environment = {**os.environ, "PYTHONPYCACHEPREFIX": cache}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        there = [module for module in MODULES if importlib.util.find_spec(module.partition(".")[0])]
        turns = {module: partial(imported, module, counts, environment) for module in there}
        times = asyncio.run(take_turns(turns, rounds))
        modules = dearest(rounds, environment)
    rows = [
        [
            f"`import {module}`",
            f"{min(times[module]):.1f}",
            f"{min(times[module]) / min(times[THEIRS]):.2f}",
            spread(ratios(times[module], times[THEIRS])),
            str(counts[module]),
        ]
        for module in there
    ]
    print(f"{machine()} The best of {rounds}.\n")
    print(table(["", "ms", f"of `{THEIRS}`", "likewise, within each round", "modules"], rows))
    total = sum(ms for _, ms in modules)
    print(f"\n`import {OURS}` by module, the dearest {SHOWN}, ms without what each imports itself:\n")
    print(table(["module", "ms", "of all"], [[name, f"{ms:.2f}", f"{ms / total:.1%}"] for name, ms in modules[:SHOWN]]))
    print("\n" + by_package(modules))


if __name__ == "__main__":
    main()
