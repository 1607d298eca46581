"""Print every table in one run, for `make bench`: about ten minutes.

Each table is a program of its own, named in its heading; what is not installed, such as Node or valgrind, is left out
and named. A program that fails does not keep the others from running, and makes the whole fail.

    python -m benchmarks [TABLE ...] [--rounds N] [--requests N] [--only FRAMEWORK ...]

With ``--only``, the tables that compare frameworks have those; a table that has none of them is left out.
"""

import argparse
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks import http, in_process


@dataclass(frozen=True)
class Program:
    """A table, or a few, that one module prints.

    Attributes:
        title: the heading.
        takes: which of the options it has.
        frameworks: those that ``--only`` may name.
        options: how it is called where no frameworks are chosen.
        needs: a program that has to be on the PATH.
    """

    title: str
    takes: Sequence[str] = ("rounds", "requests")
    frameworks: Sequence[str] = ()
    options: Sequence[str] = ()
    needs: str | None = None


PROGRAMS = {
    "in_process": Program("Frameworks, in process", frameworks=in_process.FRAMEWORKS),
    "routes": Program("Among 10,000 routes", frameworks=in_process.FRAMEWORKS),
    "depth": Program("Ten middleware, five routers"),
    "middleware": Program("Every middleware beside its peers"),
    "full_stack": Program("The full recommended stack"),
    "parts": Program("Where the time of a request goes"),
    "http": Program("Over HTTP", ("rounds",), http.FRAMEWORKS),
    "static_files": Program("Static files"),
    "memory": Program("Memory of requests that wait", ("rounds",)),
    "imports": Program("Imports", ("rounds",)),
    "gate": Program("What a request does, beside what it may do", ()),
    "instructions": Program(
        "Instructions of a request", (), in_process.FRAMEWORKS, ("--only", "raw", "asgi_express"), needs="valgrind"
    ),
}


def command(name: str, arguments: argparse.Namespace) -> list[str] | None:
    """Return how to call a program; ``None`` where it has none of the frameworks that were asked for."""
    program = PROGRAMS[name]
    parts = [sys.executable, "-m", f"benchmarks.{name}"]
    for option in program.takes:
        value = getattr(arguments, option)
        if value is not None:
            parts += [f"--{option}", str(value)]
    if program.frameworks and arguments.only:
        chosen = [one for one in arguments.only if one in program.frameworks]
        if not chosen:
            return None
        return [*parts, "--only", *chosen]
    return [*parts, *program.options]


def main() -> None:
    """Run the programs, one after the other."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("tables", nargs="*", metavar="TABLE", help=f"one of {', '.join(PROGRAMS)}; all by default")
    parser.add_argument("--rounds", type=int, help="turns of each, instead of what each table has by default")
    parser.add_argument("--requests", type=int, help="requests in each turn, instead of the default")
    parser.add_argument("--only", nargs="+", choices=in_process.FRAMEWORKS[1:], help="compare these with raw")
    arguments = parser.parse_args()
    if unknown := set(arguments.tables) - set(PROGRAMS):
        parser.error(f"there is no table {', '.join(sorted(unknown))}; there are {', '.join(PROGRAMS)}")
    failed = []
    for name in arguments.tables or PROGRAMS:
        program = PROGRAMS[name]
        parts = command(name, arguments)
        if parts is None:
            continue
        print(f"## {program.title}\n\n`{' '.join(['python', *parts[1:]])}`\n", flush=True)
        if program.needs and shutil.which(program.needs) is None:
            print(f"Left out: there is no {program.needs} on the PATH.\n", flush=True)
            continue
        started = time.monotonic()
        if subprocess.run(parts, check=False).returncode:  # noqa: S603 - programs of this package
            failed.append(name)
        print(f"\n({time.monotonic() - started:.0f} s)\n", flush=True)
    if failed:
        raise SystemExit(f"failed: {', '.join(failed)}")


if __name__ == "__main__":
    main()
