"""Compare frameworks by the time of one request, in process: no socket, no server, no HTTP parser.

Every framework answers the same five requests. Each answer is checked before anything is timed. Then the
frameworks take turns, in an order that is shuffled every round, so that a slow moment of the machine falls
on all of them. One run prints every figure: compare only within a run.

    python -m benchmarks.in_process [--rounds 30] [--requests 1000] [--only NAME ...]
"""

import argparse
import asyncio
import contextlib
import gc
import importlib
import json
import logging
import os
import platform
import random
import statistics
import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

FRAMEWORKS = ("raw", "asgi_express", "starlette", "fastapi", "litestar", "falcon", "blacksheep")
ROUTES = 200

App = Callable[[Any, Any, Any], Any]


@dataclass(frozen=True)
class Case:
    """One request, the application it goes to, and the answer that is right."""

    name: str
    builder: Literal["few", "many"]
    path: str
    status: int
    answer: object  # text, a JSON value, or None where frameworks word it differently
    method: str = "GET"
    body: bytes = b""

    def scope(self) -> dict[str, Any]:
        """Return the ASGI scope of the request; callers copy it before each call."""
        headers = [
            (b"host", b"localhost:8000"),
            (b"user-agent", b"benchmark"),
            (b"accept", b"*/*"),
        ]
        if self.body:
            headers.append((b"content-type", b"application/json"))
            headers.append((b"content-length", str(len(self.body)).encode()))
        return {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "method": self.method,
            "scheme": "http",
            "path": self.path,
            "raw_path": self.path.encode(),
            "root_path": "",
            "query_string": b"",
            "headers": headers,
            "client": ("127.0.0.1", 50000),
            "server": ("127.0.0.1", 8000),
        }


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
    Case(f"miss among {ROUTES} routes", "many", "/sections/items/42", 404, None),
    Case("JSON echo", "few", "/echo", 200, ORDER, "POST", json.dumps(ORDER).encode()),
)


class Body:
    """A `receive` that gives the whole body at once and then waits, as a server does."""

    __slots__ = ("_message",)

    def __init__(self, body: bytes) -> None:
        self._message: dict[str, Any] | None = {
            "type": "http.request",
            "body": body,
            "more_body": False,
        }

    async def __call__(self) -> dict[str, Any]:
        """Give the one message, then wait for ever."""
        message = self._message
        if message is None:
            await asyncio.Future()
            raise AssertionError("unreachable: nobody resolves that future")
        self._message = None
        return message


@dataclass
class Answer:
    """A `send` that keeps what was sent."""

    status: int = 0
    body: bytes = b""
    finished: bool = False

    async def __call__(self, message: dict[str, Any]) -> None:
        """Take one message of the answer."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
        elif message["type"] == "http.response.body":
            self.body += message.get("body", b"")
            self.finished = not message.get("more_body", False)


async def discard(_message: dict[str, Any]) -> None:
    """Be a `send` that costs next to nothing."""


async def check(app: App, case: Case) -> None:
    """Raise unless the application answers as it should."""
    answer = Answer()
    await app(case.scope(), Body(case.body), answer)
    if not answer.finished or answer.status != case.status:
        raise SystemExit(f"{case.name}: got {answer}, expected status {case.status}")
    if isinstance(case.answer, str):
        got: object = answer.body.decode()
    elif case.answer is not None:
        got = json.loads(answer.body)
    else:
        return
    if got != case.answer:
        raise SystemExit(f"{case.name}: got {got!r}, expected {case.answer!r}")


async def measure(app: App, case: Case, requests: int) -> float:
    """Return the microseconds that one request took on average."""
    scope = case.scope()
    body = case.body
    started = time.perf_counter()
    for _ in range(requests):
        await app(scope.copy(), Body(body), discard)
    return (time.perf_counter() - started) / requests * 1e6


@contextlib.asynccontextmanager
async def running(app: App) -> AsyncIterator[None]:
    """Start and stop the application by the lifespan protocol, where it has one."""
    to_app: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    from_app: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    scope = {"type": "lifespan", "asgi": {"version": "3.0"}, "state": {}}
    task = asyncio.ensure_future(app(scope, to_app.get, from_app.put))
    to_app.put_nowait({"type": "lifespan.startup"})
    reply = asyncio.ensure_future(from_app.get())
    await asyncio.wait({task, reply}, return_when=asyncio.FIRST_COMPLETED)
    started = reply.done() and reply.result()["type"] == "lifespan.startup.complete"
    if not started:  # the raw application has no lifespan; the specification lets it fail or return
        reply.cancel()
    yield
    if started:
        to_app.put_nowait({"type": "lifespan.shutdown"})
    with contextlib.suppress(Exception):
        await task


@dataclass
class Entry:
    """A framework, its two applications, and what was measured."""

    name: str
    label: str
    apps: dict[str, App]
    times: dict[str, list[float]] = field(default_factory=dict)


def load(name: str) -> Entry:
    """Import a framework's module and build its applications."""
    module = importlib.import_module(f"benchmarks.apps.{name}")
    distribution = module.DISTRIBUTION
    label = f"{distribution} {version(distribution)}" if distribution else "raw ASGI"
    return Entry(name, label, {"few": module.few(), "many": module.many(ROUTES)})


async def run(entries: Sequence[Entry], rounds: int, requests: int) -> None:
    """Check every answer, then fill in the times of every entry."""
    async with contextlib.AsyncExitStack() as stack:
        for entry in entries:
            for app in entry.apps.values():
                await stack.enter_async_context(running(app))
            for case in CASES:
                await check(entry.apps[case.builder], case)
        shuffled = list(entries)
        order = random.Random(1)  # noqa: S311 - an order of turns, the same in every run
        for case in CASES:
            for entry in entries:
                await measure(entry.apps[case.builder], case, max(1, requests // 10))
            for _ in range(rounds):
                order.shuffle(shuffled)
                for entry in shuffled:
                    gc.collect()
                    taken = await measure(entry.apps[case.builder], case, requests)
                    entry.times.setdefault(case.name, []).append(taken)


def processor() -> str:
    """Return the model of the processor, as far as the system tells."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def report(entries: Sequence[Entry], rounds: int, requests: int) -> str:
    """Return the figures as Markdown: one table of ratios, then the times of each case."""
    floor = {case.name: statistics.median(entries[0].times[case.name]) for case in CASES}
    lines = [
        f"{platform.python_implementation()} {platform.python_version()}, {platform.system()}, "
        f"{os.cpu_count()} cores, {processor()}. {rounds} rounds of {requests} requests.",
        "",
        f"Time as a multiple of {entries[0].label}:",
        "",
        "| | " + " | ".join(case.name for case in CASES) + " |",
        "|---|" + "--:|" * len(CASES),
    ]
    for entry in entries:
        ratios = [statistics.median(entry.times[case.name]) / floor[case.name] for case in CASES]
        lines.append(f"| {entry.label} | " + " | ".join(f"{r:.2f}" for r in ratios) + " |")
    lines += ["", "µs per request, the median round (first and third quartile):", "", *lines[4:6]]
    for entry in entries:
        cells = []
        for case in CASES:
            low, median, high = statistics.quantiles(entry.times[case.name], n=4)
            cells.append(f"{median:.1f} ({low:.1f}–{high:.1f})")
        lines.append(f"| {entry.label} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main() -> None:
    """Read the command line, measure and print."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.in_process", description="Compare frameworks by the time of one request, in process."
    )
    parser.add_argument("--rounds", type=int, default=30, help="turns of each framework")
    parser.add_argument("--requests", type=int, default=1000, help="requests in each turn")
    parser.add_argument("--only", nargs="+", choices=FRAMEWORKS[1:], help="compare these with raw")
    arguments = parser.parse_args()
    logging.disable(logging.WARNING)  # BlackSheep logs each miss; nobody's logging is measured
    chosen = FRAMEWORKS if arguments.only is None else ("raw", *arguments.only)
    entries = [load(name) for name in chosen]
    asyncio.run(run(entries, max(2, arguments.rounds), arguments.requests))
    print(report(entries, max(2, arguments.rounds), arguments.requests))


if __name__ == "__main__":
    main()
