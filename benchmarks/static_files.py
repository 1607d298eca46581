"""Compare static files: ours, Starlette's StaticFiles, WhiteNoise by asgiref's wrapper, and its ASGI fork ServeStatic.

In process, from a real directory: a small file, a large one, and a 304 for a client that has the file. WhiteNoise and
ServeStatic read what the directory holds once, when they start, and do not see files change after that; ours and
Starlette's look at the disk for every request. All use threads. So there are two tables: the time that the process
worked, in all of its threads, and the time that passed, which another process lengthens.

    python -m benchmarks.static_files [--rounds 15] [--requests 300]
"""

import asyncio
import tempfile
import time
from collections.abc import Callable
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

from asgiref.wsgi import WsgiToAsgi
from servestatic import ServeStaticASGI
from starlette.staticfiles import StaticFiles
from whitenoise import WhiteNoise

from asgi_express import Express, static
from benchmarks.calls import App, Case, check, fitting, measure
from benchmarks.in_process import arguments, label_of
from benchmarks.turns import machine, ratios, spread, table, take_turns

FILES = {"small.css": b"a { color: red }\n" * 60, "large.bin": bytes(range(256)) * 4096}
CASES = (
    Case("1 KiB", "app", "/small.css", 200, FILES["small.css"]),
    Case("304", "app", "/small.css", 304, b""),
    Case("1 MiB", "app", "/large.bin", 200, FILES["large.bin"]),
)


def express(root: str) -> App:
    app = Express()
    app.use(static(root))
    return app


def whitenoise(root: str) -> App:
    def missing(_environ: Any, start_response: Any) -> list[bytes]:
        start_response("404 Not Found", [])
        return []

    wrap: Callable[[Any], App] = WsgiToAsgi
    return wrap(WhiteNoise(missing, root=root))


def apps(root: str) -> dict[str, App]:
    return {
        label_of("starlette"): StaticFiles(directory=root),
        label_of("asgi_express"): express(root),
        f"whitenoise {version('whitenoise')}, WsgiToAsgi": whitenoise(root),
        f"servestatic {version('servestatic')}": ServeStaticASGI(None, root=root),
    }


async def asked_of(app: App, case: Case, label: str) -> Case:
    """Return the request; one for a 304 has the tag that this application gives the file."""
    if case.status != 304:
        return case
    first = await check(app, CASES[0], label)
    tag = dict(first.headers)[b"etag"]
    return Case(case.name, case.builder, case.path, 304, b"", headers=[(b"if-none-match", tag)])


async def run(root: str, rounds: int, requests: int, clock: Callable[[], float]) -> str:
    them = apps(root)
    rows = {label: [label] for label in them}
    for case in CASES:
        turns = {}
        for label, app in them.items():
            asked = await asked_of(app, case, label)
            await check(app, asked, label)
            turns[label] = partial(measure, app, asked, await fitting(app, asked, requests), clock)
        times = await take_turns(turns, rounds)
        base = times[label_of("starlette")]
        for label, own in times.items():
            rows[label] += [spread(own, 0), spread(ratios(own, base))]
    columns = [cell for case in CASES for cell in (f"{case.name}, µs", "of Starlette's")]
    return table(["", *columns], rows.values())


def main() -> None:
    """Read the command line, measure and print."""
    parser = arguments(__doc__)
    parser.set_defaults(rounds=15, requests=300)
    options = parser.parse_args()
    rounds = max(2, options.rounds)
    print(f"{machine()} {rounds} rounds of {options.requests} requests or 50 ms.")
    clocks = {"The time that the process worked": time.process_time, "The time that passed": time.perf_counter}
    with tempfile.TemporaryDirectory() as root:
        for name, content in FILES.items():
            Path(root, name).write_bytes(content)
        for title, clock in clocks.items():
            print(f"\n{title}:\n\n{asyncio.run(run(root, rounds, options.requests, clock))}")


if __name__ == "__main__":
    main()
