"""Count the instructions of one request, under Valgrind's callgrind: the same on a quiet machine and a busy one.

Each figure is the difference between two runs of an application, one with more requests than the other, so that
starting the interpreter does not count. Needs ``valgrind`` on the PATH.

    python -m benchmarks.instructions [--only NAME ...] [--case NUMBER ...]
"""

import argparse
import asyncio
import gc
import os
import re
import shutil
import subprocess
import sys

from benchmarks.calls import measure
from benchmarks.in_process import CASES, FRAMEWORKS, load

_COUNT = re.compile(r"Collected : (\d+)")
_WARM, _MORE = 100, 500


def measured(name: str, number: int) -> int:
    """Return the instructions of one request."""
    counts = []
    for requests in (_WARM, _WARM + _MORE):
        command = [
            *("valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null"),
            *(sys.executable, "-m", "benchmarks.instructions", "--run", name, str(number), str(requests)),
        ]
        environment = {**os.environ, "PYTHONHASHSEED": "0"}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)  # noqa: S603 - this program
        found = _COUNT.search(done.stderr)
        if found is None:
            raise SystemExit(f"callgrind said nothing of its count:\n{done.stderr}")
        counts.append(int(found[1]))
    return (counts[1] - counts[0]) // _MORE


def run(name: str, number: int, requests: int) -> None:
    case = CASES[number]
    app = load(name).apps[case.builder]
    gc.collect()
    gc.freeze()
    asyncio.run(measure(app, case, requests))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=FRAMEWORKS, default=("raw", "asgi_express", "starlette"))
    parser.add_argument("--case", nargs="+", type=int, choices=range(len(CASES)), default=list(range(len(CASES))))
    parser.add_argument("--run", nargs=3, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.run:
        name, number, requests = arguments.run
        run(name, int(number), int(requests))
        return
    if shutil.which("valgrind") is None:
        raise SystemExit("valgrind is not on the PATH")
    print("| thousands of instructions |", " | ".join(CASES[number].name for number in arguments.case), "|")
    print("|---|" + "--:|" * len(arguments.case))
    for name in arguments.only:
        row = [f"{measured(name, number) / 1000:.1f}" for number in arguments.case]
        print("|", name.replace("_", "-"), "|", " | ".join(row), "|", flush=True)


if __name__ == "__main__":
    main()
